#include "client/datanode_calls.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "client/client_core.h"
#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn {
namespace {

constexpr int64_t kMaxAskMs = 10'000;
constexpr int64_t kWatchMs = 500;  // how often the source of a transfer is asked whether it lives
// The least that a transfer moves, on the average.
constexpr uint64_t kTransferBytesPerMs = 4 << 10;
constexpr int64_t kChecksumMs = 30'000;  // a border within a chunk is read from the disk

std::string DataNodeName(const v1::NodeAddress& node) {
  return fmt::format("DataNode {}", NameOf(node));
}

ReplicaAnswer AskForReplica(ClientCore& core, const v1::LocatedBlock& block,
                            const v1::NodeAddress& node, int64_t timeout_ms) {
  ReplicaAnswer answer;
  const int64_t deadline_ms = core.clock().SteadyMs() + timeout_ms;
  const auto channel = core.datanodes().Connect(node, timeout_ms);
  if (!channel.ok()) {
    answer.status = channel.status();
    return answer;
  }
  v1::GetReplicaRequest request;
  *request.mutable_block() = block.block();
  request.set_token(block.token());
  grpc::ClientContext context;
  SetupContext(context, std::max<int64_t>(deadline_ms - core.clock().SteadyMs(), 1));
  const grpc::Status status =
      v1::DataTransfer::NewStub(*channel)->GetReplica(&context, request, &answer.replica);
  answer.answered = !IsTransportFailure(status);
  answer.status = FromRpcStatus(status, DataNodeName(node));
  return answer;
}

// A TransferBlock call under way. gRPC's thread ends it.
class Transfer {
 public:
  Transfer(std::shared_ptr<grpc::Channel> channel, const v1::TransferBlockRequest& request,
           int64_t deadline_ms)
      : channel_(std::move(channel)),
        stub_(v1::DataTransfer::NewStub(channel_)),
        request_(request) {
    SetupContext(context_, deadline_ms);
    stub_->async()->TransferBlock(&context_, &request_, &reply_, [this](const grpc::Status& ended) {
      MutexLock lock(mu_);
      status_ = ended;
      done_ = true;
      changed_.SignalAll();
    });
  }
  ~Transfer() {
    context_.TryCancel();
    MutexLock lock(mu_);
    while (!done_) changed_.Wait(mu_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  bool WaitFor(int64_t ms) {
    MutexLock lock(mu_);
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    while (!done_ && std::chrono::steady_clock::now() < until) {
      changed_.WaitFor(mu_, until - std::chrono::steady_clock::now());
    }
    return done_;
  }
  grpc::Status status() {
    MutexLock lock(mu_);
    return status_;
  }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::DataTransfer::Stub> stub_;
  const v1::TransferBlockRequest request_;
  grpc::ClientContext context_;
  v1::TransferBlockReply reply_;
  Mutex mu_;
  CondVar changed_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

int64_t AskReplicaMs(const ClientCore& core) {
  return std::clamp<int64_t>(core.options().transfer.stall_ms / 2, 1, kMaxAskMs);
}

std::vector<ReplicaAnswer> AskForReplicas(ClientCore& core, const v1::LocatedBlock& block,
                                          const std::vector<v1::NodeAddress>& nodes,
                                          int64_t timeout_ms) {
  std::vector<ReplicaAnswer> answers(nodes.size());
  std::vector<std::thread> threads;
  for (size_t i = 1; i < nodes.size(); ++i) {
    threads.emplace_back([&, i] { answers[i] = AskForReplica(core, block, nodes[i], timeout_ms); });
  }
  if (!nodes.empty()) answers[0] = AskForReplica(core, block, nodes[0], timeout_ms);
  for (std::thread& thread : threads) thread.join();
  return answers;
}

TransferResult TransferBlock(ClientCore& core, const v1::NodeAddress& source,
                             const v1::TransferBlockRequest& request) {
  const TransferOptions& options = core.options().transfer;
  auto channel = core.datanodes().Connect(source, options.connect_ms);
  if (!channel.ok()) return {channel.status(), true};
  const int64_t deadline_ms = options.max_progress_ms +
                              static_cast<int64_t>(request.block().length() / kTransferBytesPerMs);
  Transfer transfer(*std::move(channel), request, deadline_ms);
  v1::LocatedBlock watched;
  *watched.mutable_block() = request.block();
  watched.mutable_block()->set_length(0);
  watched.set_token(request.token());
  while (!transfer.WaitFor(kWatchMs)) {
    const ReplicaAnswer alive = AskForReplica(core, watched, source, options.stall_ms);
    if (!alive.answered && !transfer.WaitFor(0)) return {alive.status, true};
  }
  const grpc::Status status = transfer.status();
  return {FromRpcStatus(status, DataNodeName(source)), IsTransportFailure(status)};
}

absl::StatusOr<uint32_t> BlockChecksum(ClientCore& core, const v1::LocatedBlock& block) {
  absl::Status last = absl::UnavailableError("no live DataNode has a good replica");
  for (const v1::NodeAddress& node : block.nodes()) {
    const auto channel = core.datanodes().Connect(node, core.options().transfer.connect_ms);
    last = channel.status();
    if (!channel.ok()) continue;
    v1::BlockChecksumRequest request;
    *request.mutable_block() = block.block();
    request.set_token(block.token());
    v1::BlockChecksumReply reply;
    grpc::ClientContext context;
    SetupContext(context, kChecksumMs);
    last =
        FromRpcStatus(v1::DataTransfer::NewStub(*channel)->BlockChecksum(&context, request, &reply),
                      DataNodeName(node));
    if (last.ok()) return reply.crc();
  }
  return Annotate(last, fmt::format("block {}", block.block().id()));
}

}  // namespace cairn
