// The volumes of a DataNode: asked of the node itself, which the NameNode's report finds.
#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <utility>
#include <vector>

#include "client/admin_client.h"
#include "client/client_core.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "common/node_name.h"
#include "common/status.h"
#include "proto/datanode_admin.grpc.pb.h"

namespace cairn {
namespace {

constexpr int64_t kListMs = 30'000;
constexpr int64_t kAddMs = 3'600'000;   // every replica's files are looked at
constexpr int64_t kRemoveMs = 600'000;  // what is not durable yet is made so

VolumeDetails FromProto(const v1::Volume& in) {
  return {.path = in.path(),
          .storage_id = in.storage_id(),
          .capacity_bytes = in.capacity_bytes(),
          .used_bytes = in.used_bytes(),
          .remaining_bytes = in.remaining_bytes(),
          .blocks = in.blocks(),
          .failed = in.failed(),
          .slow = in.slow()};
}

absl::StatusOr<DataNodeReport> FindNode(const AdminReport& report, const std::string& name) {
  std::vector<const DataNodeReport*> found;
  for (const DataNodeReport& node : report.datanodes) {
    if (node.id == name) return node;
    if (MayBeNode(name, node.id, node.addresses)) found.push_back(&node);
  }
  if (found.size() == 1) return *found.front();
  std::vector<std::string> ids;
  for (const DataNodeReport* node : found) ids.push_back(node->id);
  return NotOneNode(name, ids);
}

// Finds the node, and runs call(stub, context) on a connection to it.
template <typename Call>
absl::Status CallNode(ClientCore& core, const AdminReport& report, const std::string& name,
                      int64_t deadline_ms, Call call) {
  ASSIGN_OR_RETURN(const DataNodeReport node, FindNode(report, name));
  v1::NodeAddress address;
  address.set_id(node.id);
  for (const std::string& one : node.addresses) address.add_addresses(one);
  ASSIGN_OR_RETURN(const auto channel,
                   core.datanodes().Connect(address, core.options().transfer.connect_ms));
  grpc::ClientContext context;
  SetupContext(context, deadline_ms);
  const auto stub = v1::DataNodeAdmin::NewStub(channel);
  return FromRpcStatus(call(*stub, &context), fmt::format("DataNode {}", node.id));
}

}  // namespace

absl::StatusOr<NodeVolumes> AdminClient::Volumes(const std::string& node) {
  ASSIGN_OR_RETURN(const AdminReport report, Report());
  v1::ListVolumesRequest request;
  *request.mutable_caller() = core_->namenode().Identity();
  v1::ListVolumesReply reply;
  RETURN_IF_ERROR(CallNode(*core_, report, node, kListMs, [&](auto& stub, auto* context) {
    return stub.ListVolumes(context, request, &reply);
  }));
  NodeVolumes volumes{.node_id = reply.node_id()};
  for (const v1::Volume& volume : reply.volumes()) volumes.volumes.push_back(FromProto(volume));
  return volumes;
}

absl::StatusOr<VolumeChange> AdminClient::AddVolume(const std::string& node,
                                                    const std::string& dir) {
  ASSIGN_OR_RETURN(const AdminReport report, Report());
  v1::AddVolumeRequest request;
  *request.mutable_caller() = core_->namenode().Identity();
  request.set_dir(dir);
  v1::AddVolumeReply reply;
  RETURN_IF_ERROR(CallNode(*core_, report, node, kAddMs, [&](auto& stub, auto* context) {
    return stub.AddVolume(context, request, &reply);
  }));
  return VolumeChange{.node_id = reply.node_id(), .volume = FromProto(reply.volume())};
}

absl::StatusOr<VolumeChange> AdminClient::RemoveVolume(const std::string& node,
                                                       const std::string& volume, bool force) {
  ASSIGN_OR_RETURN(const AdminReport report, Report());
  v1::RemoveVolumeRequest request;
  *request.mutable_caller() = core_->namenode().Identity();
  request.set_volume(volume);
  request.set_force(force);
  v1::RemoveVolumeReply reply;
  RETURN_IF_ERROR(CallNode(*core_, report, node, kRemoveMs, [&](auto& stub, auto* context) {
    return stub.RemoveVolume(context, request, &reply);
  }));
  return VolumeChange{.node_id = reply.node_id(),
                      .volume = FromProto(reply.volume()),
                      .replicas = reply.replicas()};
}

}  // namespace cairn
