#include "tests/bench/fake_datanodes.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <utility>

#include "common/net/channel.h"
#include "common/net/rpc_status.h"

namespace cairn::bench {
namespace {

constexpr int64_t kCallMs = 30'000;
constexpr int64_t kReportMs = 600'000;
constexpr uint64_t kPieceReplicas = 2000;  // as datanode/control sends them
constexpr uint64_t kCapacityBytes = 1ull << 50;
constexpr uint64_t kIncarnation = 1;

}  // namespace

FakeDataNodes::FakeDataNodes(const std::string& namenode, NamespaceShape shape)
    : namenode_(namenode),
      shape_(std::move(shape)),
      stub_(v1::DataNodeControl::NewStub(MakeChannel(namenode, ChannelPurpose::kData))) {}

void FakeDataNodes::FillStorage(uint32_t node, v1::StorageInfo* storage) const {
  storage->set_id(NamespaceShape::StorageId(node));
  storage->set_path(fmt::format("/fake/{}", node));
  storage->set_capacity_bytes(kCapacityBytes);
  storage->set_remaining_bytes(kCapacityBytes / 2);
  storage->set_blocks(NodeBlocks(shape_, node).size());
  storage->set_number(node);
}

absl::Status FakeDataNodes::Register(uint32_t node) {
  v1::RegisterRequest request;
  request.set_cluster_id(shape_.cluster_id);
  request.set_node_id(NamespaceShape::NodeId(node));
  request.add_addresses(fmt::format("127.0.0.1:{}", 20'000 + node));
  request.set_http_address(fmt::format("127.0.0.1:{}", 40'000 + node));
  request.set_rack("/default-rack");
  FillStorage(node, request.add_storages());
  request.set_highest_block_id(shape_.files);
  request.set_highest_generation(shape_.files);
  request.set_host("localhost");
  request.set_incarnation(kIncarnation);
  v1::RegisterReply reply;
  grpc::ClientContext context;
  SetupContext(context, kCallMs);
  RETURN_IF_ERROR(FromRpcStatus(stub_->Register(&context, request, &reply), namenode_));
  if (reply.node_number() == node && reply.storage_numbers_size() == 1 &&
      reply.storage_numbers(0) == node) {
    return absl::OkStatus();
  }
  return absl::InternalError(
      fmt::format("node {} was registered as {}", node, reply.node_number()));
}

absl::StatusOr<uint64_t> FakeDataNodes::FullReport(uint32_t node) {
  const NodeBlocks blocks(shape_, node);
  const uint64_t count = blocks.size();
  grpc::ClientContext context;
  SetupContext(context, kReportMs);
  v1::FullReportReply reply;
  const auto writer = stub_->FullReport(&context, &reply);
  v1::FullReportPiece piece;
  for (uint64_t sent = 0; !piece.last();) {
    piece.Clear();
    piece.set_node_id(NamespaceShape::NodeId(node));
    piece.set_incarnation(kIncarnation);
    piece.set_storage(node);
    piece.set_total(count);
    for (const uint64_t end = std::min(count, sent + kPieceReplicas); sent < end; ++sent) {
      const BlockId id = blocks.at(sent);
      piece.add_block_ids(id);
      piece.add_generations(id);
      piece.add_lengths(NamespaceShape::kBlockBytes);
    }
    piece.set_last(sent == count);
    if (!writer->Write(piece)) break;
  }
  writer->WritesDone();
  RETURN_IF_ERROR(FromRpcStatus(writer->Finish(), namenode_));
  return count;
}

absl::Status FakeDataNodes::Heartbeat(uint32_t node) {
  v1::HeartbeatRequest request;
  request.set_node_id(NamespaceShape::NodeId(node));
  request.set_incarnation(kIncarnation);
  FillStorage(node, request.add_storages());
  v1::HeartbeatReply reply;
  grpc::ClientContext context;
  SetupContext(context, kCallMs);
  return FromRpcStatus(stub_->Heartbeat(&context, request, &reply), namenode_);
}

}  // namespace cairn::bench
