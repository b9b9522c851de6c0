#include "datanode/service/grpc_recovery_peers.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>

#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "datanode/service/connect.h"
#include "datanode/service/convert.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kStartMs = 8'000;    // to fence off a writer takes some seconds at most
constexpr int64_t kFinishMs = 60'000;  // a whole replica may have to be copied

}  // namespace

void GrpcRecoveryPeers::Stop() {
  MutexLock lock(mu_);
  stopped_ = true;
  for (grpc::ClientContext* context : calls_) context->TryCancel();
}

template <typename Call>
absl::Status GrpcRecoveryPeers::Run(const Target& member, int64_t deadline_ms, Call call) {
  ASSIGN_OR_RETURN(const auto channel, ConnectTo(channels_, member, connect_ms_));
  const auto stub = v1::DataTransfer::NewStub(channel);
  grpc::ClientContext context;
  SetupContext(context, deadline_ms);
  {
    MutexLock lock(mu_);
    if (stopped_) return absl::CancelledError("this DataNode is stopping");
    calls_.insert(&context);
  }
  const grpc::Status status = call(*stub, &context);
  {
    MutexLock lock(mu_);
    calls_.erase(&context);
  }
  return FromRpcStatus(status, member.name());
}

absl::StatusOr<RecoveryAnswer> GrpcRecoveryPeers::Start(const Target& member, const Block& block,
                                                        GenerationStamp recovery) {
  v1::StartRecoveryRequest request;
  ToProto(block, request.mutable_block());
  request.set_recovery_generation(recovery);
  v1::StartRecoveryReply reply;
  RETURN_IF_ERROR(Run(member, kStartMs, [&](auto& stub, grpc::ClientContext* context) {
    return stub.StartRecovery(context, request, &reply);
  }));
  return FromProto(reply);
}

absl::StatusOr<StorageNumber> GrpcRecoveryPeers::Finish(const Target& member, const Block& block,
                                                        GenerationStamp recovery) {
  v1::FinishRecoveryRequest request;
  ToProto(block, request.mutable_block());
  request.set_recovery_generation(recovery);
  v1::FinishRecoveryReply reply;
  RETURN_IF_ERROR(Run(member, kFinishMs, [&](auto& stub, grpc::ClientContext* context) {
    return stub.FinishRecovery(context, request, &reply);
  }));
  if (reply.storage() == 0) {
    return absl::InternalError(fmt::format("{} named no storage", member.name()));
  }
  return reply.storage();
}

}  // namespace cairn::datanode
