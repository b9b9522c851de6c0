// The DataNodeAdmin service: what administrators ask of one DataNode, about its volumes.
//
// Why here and not by way of the NameNode: a directory is this machine's, and whether it can be
// used is decided where it is. Decides who may ask; what is done, the store and the rest of the
// node do (Parts). Changes are rare and their handlers may wait for a disk: the blocking API.
// Thread-safe; registered with an RpcServer by the composition root.
#pragma once

#include <grpcpp/support/status.h>

#include <functional>
#include <string>

#include "common/status.h"
#include "proto/datanode_admin.grpc.pb.h"

namespace cairn::datanode {

class OpenTransfers;
class ReplicaStore;

class AdminService final : public v1::DataNodeAdmin::Service {
 public:
  struct Parts {  // all must outlive the service
    ReplicaStore* store = nullptr;
    OpenTransfers* transfers = nullptr;
    // Whether changes may come: not while the node starts or ends. Called by handlers, as the next.
    std::function<bool()> ready;
    // After every change: whoever goes by the set of volumes follows it.
    std::function<void()> on_volumes_changed;
  };

  // `superuser`: the user that this process runs as.
  AdminService(Parts parts, std::string superuser);

  grpc::Status ListVolumes(grpc::ServerContext* context, const v1::ListVolumesRequest* request,
                           v1::ListVolumesReply* reply) override;
  grpc::Status AddVolume(grpc::ServerContext* context, const v1::AddVolumeRequest* request,
                         v1::AddVolumeReply* reply) override;
  grpc::Status RemoveVolume(grpc::ServerContext* context, const v1::RemoveVolumeRequest* request,
                            v1::RemoveVolumeReply* reply) override;

 private:
  absl::Status CheckMayChange(const v1::Caller& caller) const;
  absl::Status Add(const v1::AddVolumeRequest& request, v1::AddVolumeReply* reply);
  absl::Status Remove(const v1::RemoveVolumeRequest& request, v1::RemoveVolumeReply* reply);

  const Parts parts_;
  const std::string superuser_;
};

}  // namespace cairn::datanode
