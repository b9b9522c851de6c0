#include "datanode/control/namenode_link.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "common/net/channel.h"
#include "common/net/grpc_deadline.h"
#include "common/net/rpc_status.h"
#include "proto/control.grpc.pb.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kCallMs = 10'000;
constexpr int64_t kHeartbeatMs = 5'000;
constexpr int64_t kFullReportMs = 300'000;
constexpr int64_t kConnectMs = 2'000;  // where there is another NameNode to try

}  // namespace

NameNodeLink::NameNodeLink(std::vector<HostPort> namenodes) : namenodes_(std::move(namenodes)) {
  channels_.reserve(namenodes_.size());
  for (const HostPort& address : namenodes_) {
    channels_.push_back(MakeChannel(address.ToString(), ChannelPurpose::kMetadata));
  }
}

NameNodeLink::~NameNodeLink() { Stop(); }

HostPort NameNodeLink::peer() const {
  MutexLock lock(mu_);
  return namenodes_[current_];
}

void NameNodeLink::Stop() {
  MutexLock lock(mu_);
  stopped_ = true;
  for (grpc::ClientContext* context : calls_) context->TryCancel();
}

bool NameNodeLink::ChooseConnected() {
  // With a single NameNode, calls themselves wait for it.
  if (channels_.size() == 1) return true;
  for (size_t tried = 0; tried < channels_.size(); ++tried) {
    size_t candidate;
    {
      MutexLock lock(mu_);
      if (stopped_) return true;
      candidate = current_;
    }
    grpc::Channel& channel = *channels_[candidate];
    const gpr_timespec deadline = GrpcDeadline(kConnectMs);
    grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
    while ((state == GRPC_CHANNEL_IDLE || state == GRPC_CHANNEL_CONNECTING) &&
           channel.WaitForStateChange(state, deadline)) {
      state = channel.GetState(/*try_to_connect=*/true);
    }
    if (state == GRPC_CHANNEL_READY) return true;
    MutexLock lock(mu_);
    if (current_ == candidate) current_ = (current_ + 1) % channels_.size();
  }
  return false;
}

template <typename Call>
absl::Status NameNodeLink::Run(int64_t deadline_ms, Call call) {
  if (!ChooseConnected()) return absl::UnavailableError("no NameNode answers");
  grpc::ClientContext context;
  SetupContext(context, deadline_ms);
  if (channels_.size() > 1) context.set_wait_for_ready(false);  // another one may answer at once
  size_t used;
  {
    MutexLock lock(mu_);
    if (stopped_) return absl::CancelledError("this DataNode is stopping");
    used = current_;
    calls_.insert(&context);
  }
  const std::unique_ptr<v1::DataNodeControl::Stub> stub =
      v1::DataNodeControl::NewStub(channels_[used]);
  return Finish(&context, used, call(*stub, &context));
}

absl::Status NameNodeLink::Finish(grpc::ClientContext* context, size_t used,
                                  const grpc::Status& status) {
  absl::Status result = FromRpcStatus(status, namenodes_[used].ToString());
  MutexLock lock(mu_);
  calls_.erase(context);
  const bool elsewhere = IsTransportFailure(status) || KindOf(result) == ErrorKind::kNotActive;
  if (!result.ok() && elsewhere && used == current_) {
    current_ = (current_ + 1) % namenodes_.size();
  }
  return result;
}

absl::StatusOr<v1::RegisterReply> NameNodeLink::Register(const v1::RegisterRequest& request) {
  v1::RegisterReply reply;
  RETURN_IF_ERROR(Run(kCallMs, [&](auto& stub, grpc::ClientContext* context) {
    return stub.Register(context, request, &reply);
  }));
  return reply;
}

absl::StatusOr<v1::HeartbeatReply> NameNodeLink::Heartbeat(const v1::HeartbeatRequest& request) {
  v1::HeartbeatReply reply;
  RETURN_IF_ERROR(Run(kHeartbeatMs, [&](auto& stub, grpc::ClientContext* context) {
    return stub.Heartbeat(context, request, &reply);
  }));
  return reply;
}

absl::Status NameNodeLink::IncrementalReport(const v1::IncrementalReportRequest& request) {
  v1::IncrementalReportReply reply;
  return Run(kCallMs, [&](auto& stub, grpc::ClientContext* context) {
    return stub.IncrementalReport(context, request, &reply);
  });
}

absl::Status NameNodeLink::BadReplica(const v1::BadReplicaRequest& request) {
  v1::BadReplicaReply reply;
  return Run(kCallMs, [&](auto& stub, grpc::ClientContext* context) {
    return stub.BadReplica(context, request, &reply);
  });
}

absl::Status NameNodeLink::CommitRecovery(const v1::CommitRecoveryRequest& request) {
  v1::CommitRecoveryReply reply;
  return Run(kCallMs, [&](auto& stub, grpc::ClientContext* context) {
    return stub.CommitRecovery(context, request, &reply);
  });
}

absl::Status NameNodeLink::FullReport(const std::function<bool(v1::FullReportPiece*)>& next) {
  v1::FullReportReply reply;
  return Run(kFullReportMs, [&](auto& stub, grpc::ClientContext* context) {
    const auto writer = stub.FullReport(context, &reply);
    v1::FullReportPiece piece;
    while (next(&piece) && writer->Write(piece)) piece.Clear();
    writer->WritesDone();
    return writer->Finish();
  });
}

}  // namespace cairn::datanode
