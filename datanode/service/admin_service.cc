#include "datanode/service/admin_service.h"

#include <fmt/format.h>

#include <utility>

#include "common/logging.h"
#include "common/net/rpc_status.h"
#include "common/os_groups.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

void ToProto(const VolumeInfo& volume, v1::Volume* out) {
  out->set_path(volume.path);
  out->set_storage_id(volume.storage_id);
  out->set_capacity_bytes(volume.capacity_bytes);
  out->set_used_bytes(volume.used_bytes);
  out->set_remaining_bytes(volume.remaining_bytes);
  out->set_blocks(volume.blocks);
  out->set_failed(volume.failed);
  out->set_slow(volume.slow_us != 0);
}

}  // namespace

AdminService::AdminService(Parts parts, std::string superuser)
    : parts_(std::move(parts)), superuser_(std::move(superuser)) {}

absl::Status AdminService::CheckMayChange(const v1::Caller& caller) const {
  if (!IsUserName(caller.user())) {
    return absl::InvalidArgumentError("the call names no valid user; set --user or CAIRN_USER");
  }
  if (!IsSuperuser(caller.user(), OsGroupsOf(caller.user()), superuser_, kSuperuserGroup)) {
    return absl::PermissionDeniedError(
        fmt::format("Permission denied: user {} is no superuser", caller.user()));
  }
  if (parts_.ready()) return absl::OkStatus();
  return absl::UnavailableError("this DataNode is starting, or ending; try again");
}

grpc::Status AdminService::ListVolumes(grpc::ServerContext* context,
                                       const v1::ListVolumesRequest* request,
                                       v1::ListVolumesReply* reply) {
  reply->set_node_id(parts_.store->node_id());
  for (const VolumeInfo& volume : parts_.store->Volumes()) ToProto(volume, reply->add_volumes());
  return grpc::Status::OK;
}

grpc::Status AdminService::AddVolume(grpc::ServerContext* context,
                                     const v1::AddVolumeRequest* request,
                                     v1::AddVolumeReply* reply) {
  return ToRpcStatus(Add(*request, reply));
}

absl::Status AdminService::Add(const v1::AddVolumeRequest& request, v1::AddVolumeReply* reply) {
  RETURN_IF_ERROR(CheckMayChange(request.caller()));
  LogInfo("user {} adds the data directory {}", request.caller().user(), request.dir());
  ASSIGN_OR_RETURN(const VolumeInfo volume, parts_.store->AddVolume(request.dir()));
  parts_.on_volumes_changed();
  reply->set_node_id(parts_.store->node_id());
  ToProto(volume, reply->mutable_volume());
  return absl::OkStatus();
}

grpc::Status AdminService::RemoveVolume(grpc::ServerContext* context,
                                        const v1::RemoveVolumeRequest* request,
                                        v1::RemoveVolumeReply* reply) {
  return ToRpcStatus(Remove(*request, reply));
}

absl::Status AdminService::Remove(const v1::RemoveVolumeRequest& request,
                                  v1::RemoveVolumeReply* reply) {
  RETURN_IF_ERROR(CheckMayChange(request.caller()));
  LogInfo("user {} removes the data directory {}{}", request.caller().user(), request.volume(),
          request.force() ? " by force" : "");
  ASSIGN_OR_RETURN(
      const ReplicaStore::RemovedVolume removed,
      parts_.store->RemoveVolume(request.volume(), request.force(), [this](const Block& block) {
        parts_.transfers->CancelWrites(block);
      }));
  parts_.on_volumes_changed();
  reply->set_node_id(parts_.store->node_id());
  ToProto(removed.info, reply->mutable_volume());
  reply->set_replicas(removed.replicas);
  return absl::OkStatus();
}

}  // namespace cairn::datanode
