#include "client/namenode_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "client/connect.h"
#include "client/namenode_endpoints.h"
#include "client/session_caller.h"
#include "common/background_task.h"
#include "common/clock.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "proto/admin.grpc.pb.h"
#include "proto/namenode.grpc.pb.h"

namespace cairn {
namespace {

constexpr int64_t kCheckpointMs = 600'000;  // an image of a large namespace takes minutes

enum class CallType { kRead, kMutation };

using NameNodeStub = v1::NameNode::Stub;
using AdminStub = v1::Admin::Stub;

template <typename Stub>
Stub& StubOf(const NameNodeEndpoint& endpoint) {
  if constexpr (std::is_same_v<Stub, AdminStub>) {
    return *endpoint.admin;
  } else {
    return *endpoint.namenode;
  }
}

// The field of `Container`'s oneof that holds a `Message`.
template <typename Container, typename Message>
const google::protobuf::FieldDescriptor* FieldOf() {
  static const google::protobuf::FieldDescriptor* const field = [] {
    const google::protobuf::OneofDescriptor& choices = *Container::descriptor()->oneof_decl(0);
    int i = 0;
    while (choices.field(i)->message_type() != Message::descriptor()) ++i;
    return choices.field(i);
  }();
  return field;
}

template <typename Request>
std::shared_ptr<BlockingCall> ToCall(const Request& request) {
  auto call = std::make_shared<BlockingCall>();
  call->call()
      .GetReflection()
      ->MutableMessage(&call->call(), FieldOf<v1::SessionCall, Request>())
      ->CopyFrom(request);
  return call;
}

// Takes the reply out of an answer; a failure as the unary call would have had it.
template <typename Reply>
grpc::Status FromSessionAnswer(v1::SessionAnswer* answer, Reply* reply) {
  if (grpc::Status status = StatusOf(*answer); !status.ok()) return status;
  const google::protobuf::FieldDescriptor* field = FieldOf<v1::SessionAnswer, Reply>();
  const google::protobuf::Reflection& reflection = *answer->GetReflection();
  if (!reflection.HasField(*answer, field)) {
    return ToRpcStatus(absl::InternalError("the NameNode answered another call"));
  }
  reply->Swap(static_cast<Reply*>(reflection.MutableMessage(answer, field)));
  return grpc::Status::OK;
}

}  // namespace

class NameNodeClient::Impl {
 public:
  Impl(Options options, ChannelCache* channels, Clock* clock)
      : clock_(clock), endpoints_(std::move(options), channels) {}

  NameNodeEndpoints& endpoints() { return endpoints_; }

  template <typename Stub, typename Request, typename Reply>
  absl::StatusOr<Reply> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Reply*),
                             CallType type, Request request, int64_t timeout_ms = 0) {
    const std::optional<uint64_t> id =
        type == CallType::kMutation ? std::optional(endpoints_.call_ids().Begin()) : std::nullopt;
    const uint64_t done_below = endpoints_.call_ids().DoneBelow();
    Reply reply;
    const auto in_session = [&](const NameNodeEndpoint& endpoint, int64_t timeout_ms,
                                absl::FunctionRef<bool()> connect) -> grpc::Status {
      if constexpr (std::is_same_v<Stub, NameNodeStub>) {
        const std::shared_ptr<BlockingCall> call = ToCall(request);
        call->call().set_call_id(id.value_or(0));
        call->call().set_done_below(done_below);
        v1::SessionAnswer answer;
        const grpc::Status status = endpoint.sessions->Call(call, timeout_ms, connect, &answer);
        return status.ok() ? FromSessionAnswer(&answer, &reply) : status;
      } else {
        return grpc::Status::OK;  // not called
      }
    };
    const auto unary = [&](const NameNodeEndpoint& endpoint, int64_t timeout_ms) {
      Request named = request;
      *named.mutable_caller() = endpoints_.Identity();
      named.mutable_caller()->set_call_id(id.value_or(0));
      named.mutable_caller()->set_done_below(done_below);
      grpc::ClientContext context;
      SetupContext(context, timeout_ms);
      reply.Clear();
      return (StubOf<Stub>(endpoint).*method)(&context, named, &reply);
    };
    const Attempts attempts{std::is_same_v<Stub, NameNodeStub>, in_session, unary};
    const absl::Status status =
        RetryUntilAnswered(timeout_ms > 0 ? timeout_ms : endpoints_.options().timeout_ms, attempts);
    if (id) endpoints_.call_ids().End(*id);
    if (!status.ok()) return status;
    return reply;
  }

 private:
  using Attempt = absl::FunctionRef<grpc::Status(const NameNodeEndpoint&, int64_t timeout_ms)>;
  struct Attempts {
    bool has_session = false;
    absl::FunctionRef<grpc::Status(const NameNodeEndpoint&, int64_t timeout_ms,
                                   absl::FunctionRef<bool()> connect)>
        in_session;
    Attempt unary;
  };

  absl::Status RetryUntilAnswered(int64_t timeout_ms, const Attempts& attempts) {
    const int64_t deadline_ms = clock_->SteadyMs() + timeout_ms;
    size_t index = endpoints_.active();
    for (int failures = 1;; ++failures) {
      const Outcome outcome = TryOnce(index, deadline_ms - clock_->SteadyMs(), attempts);
      if (!outcome.WantsAnotherAddress()) endpoints_.SetActive(index);
      if (outcome.status.ok() || !outcome.WorthRetrying()) return outcome.status;

      const int64_t left_ms = deadline_ms - clock_->SteadyMs();
      const int64_t pause_ms = NameNodeEndpoints::PauseMs(failures);
      if (!NameNodeEndpoints::LeavesTime(left_ms, pause_ms, timeout_ms)) {
        return endpoints_.GiveUp(outcome, index, timeout_ms);
      }
      if (outcome.WantsAnotherAddress()) index = endpoints_.After(index);
      PauseForMs(pause_ms);
    }
  }

  Outcome TryOnce(size_t index, int64_t left_ms, const Attempts& attempts) {
    const NameNodeEndpoint& endpoint = endpoints_.at(index);
    left_ms = std::max<int64_t>(left_ms, 1);
    const bool in_session = attempts.has_session && !endpoint.sessions->unsupported();
    bool connected = true;
    const auto connect = [&] {
      // With one address alone there is nothing better to do than to wait for it.
      const OnFailure on_failure =
          endpoints_.size() == 1 ? OnFailure::kKeepTrying : OnFailure::kGiveUp;
      connected =
          WaitConnected(*endpoint.channel, std::min(left_ms, kNameNodeConnectMs), on_failure);
      return connected;
    };
    const int64_t timeout_ms = NameNodeEndpoints::AttemptMs(left_ms);
    grpc::Status status;
    if (in_session) status = attempts.in_session(endpoint, timeout_ms, connect);
    // An older NameNode knows no Session, and says so at once.
    if ((!in_session || endpoint.sessions->unsupported()) && connected && connect()) {
      status = attempts.unary(endpoint, timeout_ms);
    }
    return connected ? endpoints_.OutcomeOf(status, index) : endpoints_.NotConnected(index);
  }

  Clock* const clock_;
  NameNodeEndpoints endpoints_;
};

NameNodeClient::NameNodeClient(Options options, ChannelCache* channels, Clock* clock)
    : impl_(std::make_unique<Impl>(std::move(options), channels, clock)) {}
NameNodeClient::~NameNodeClient() = default;

NameNodeEndpoints& NameNodeClient::endpoints() { return impl_->endpoints(); }

const std::string& NameNodeClient::client_id() const { return impl_->endpoints().client_id(); }

absl::StatusOr<v1::MkdirsReply> NameNodeClient::Mkdirs(v1::MkdirsRequest request) {
  return impl_->Call(&NameNodeStub::Mkdirs, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::CreateReply> NameNodeClient::Create(v1::CreateRequest request) {
  return impl_->Call(&NameNodeStub::Create, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::AddBlockReply> NameNodeClient::AddBlock(v1::AddBlockRequest request) {
  return impl_->Call(&NameNodeStub::AddBlock, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::AbandonBlockReply> NameNodeClient::AbandonBlock(
    v1::AbandonBlockRequest request) {
  return impl_->Call(&NameNodeStub::AbandonBlock, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::NewStampReply> NameNodeClient::NewStamp(v1::NewStampRequest request) {
  return impl_->Call(&NameNodeStub::NewStamp, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::UpdatePipelineReply> NameNodeClient::UpdatePipeline(
    v1::UpdatePipelineRequest request) {
  return impl_->Call(&NameNodeStub::UpdatePipeline, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::CompleteReply> NameNodeClient::Complete(v1::CompleteRequest request) {
  return impl_->Call(&NameNodeStub::Complete, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::AbandonFileReply> NameNodeClient::AbandonFile(v1::AbandonFileRequest request,
                                                                 int64_t timeout_ms) {
  return impl_->Call(&NameNodeStub::AbandonFile, CallType::kMutation, std::move(request),
                     timeout_ms);
}
// Not journaled, and harmless twice: no call id.
absl::StatusOr<v1::RenewLeaseReply> NameNodeClient::RenewLease(int64_t timeout_ms) {
  return impl_->Call(&NameNodeStub::RenewLease, CallType::kRead, v1::RenewLeaseRequest(),
                     timeout_ms);
}
absl::StatusOr<v1::AppendReply> NameNodeClient::Append(v1::AppendRequest request) {
  return impl_->Call(&NameNodeStub::Append, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::TruncateReply> NameNodeClient::Truncate(v1::TruncateRequest request) {
  return impl_->Call(&NameNodeStub::Truncate, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::RecoverLeaseReply> NameNodeClient::RecoverLease(
    v1::RecoverLeaseRequest request) {
  return impl_->Call(&NameNodeStub::RecoverLease, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::RenameReply> NameNodeClient::Rename(v1::RenameRequest request) {
  return impl_->Call(&NameNodeStub::Rename, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::DeleteReply> NameNodeClient::Delete(v1::DeleteRequest request) {
  return impl_->Call(&NameNodeStub::Delete, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::SetReplicationReply> NameNodeClient::SetReplication(
    v1::SetReplicationRequest request) {
  return impl_->Call(&NameNodeStub::SetReplication, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::SetTimesReply> NameNodeClient::SetTimes(v1::SetTimesRequest request) {
  return impl_->Call(&NameNodeStub::SetTimes, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::SetOwnerReply> NameNodeClient::SetOwner(v1::SetOwnerRequest request) {
  return impl_->Call(&NameNodeStub::SetOwner, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::SetPermissionReply> NameNodeClient::SetPermission(
    v1::SetPermissionRequest request) {
  return impl_->Call(&NameNodeStub::SetPermission, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::SetQuotaReply> NameNodeClient::SetQuota(v1::SetQuotaRequest request) {
  return impl_->Call(&NameNodeStub::SetQuota, CallType::kMutation, std::move(request));
}
absl::StatusOr<v1::ConcatReply> NameNodeClient::Concat(v1::ConcatRequest request) {
  return impl_->Call(&NameNodeStub::Concat, CallType::kMutation, std::move(request));
}

absl::StatusOr<v1::GetFileInfoReply> NameNodeClient::GetFileInfo(v1::GetFileInfoRequest request) {
  return impl_->Call(&NameNodeStub::GetFileInfo, CallType::kRead, std::move(request));
}
absl::StatusOr<v1::ListReply> NameNodeClient::List(v1::ListRequest request) {
  return impl_->Call(&NameNodeStub::List, CallType::kRead, std::move(request));
}
absl::StatusOr<v1::GetBlockLocationsReply> NameNodeClient::GetBlockLocations(
    v1::GetBlockLocationsRequest request) {
  return impl_->Call(&NameNodeStub::GetBlockLocations, CallType::kRead, std::move(request));
}
absl::StatusOr<v1::GetContentSummaryReply> NameNodeClient::GetContentSummary(
    v1::GetContentSummaryRequest request) {
  return impl_->Call(&NameNodeStub::GetContentSummary, CallType::kRead, std::move(request));
}
absl::StatusOr<v1::GetServerDefaultsReply> NameNodeClient::GetServerDefaults(int64_t timeout_ms) {
  return impl_->Call(&NameNodeStub::GetServerDefaults, CallType::kRead,
                     v1::GetServerDefaultsRequest(), timeout_ms);
}

absl::StatusOr<v1::ReportReply> NameNodeClient::Report() {
  return impl_->Call(&AdminStub::Report, CallType::kRead, v1::ReportRequest());
}
v1::Caller NameNodeClient::Identity() const { return impl_->endpoints().Identity(); }
absl::StatusOr<v1::HealthReply> NameNodeClient::Health(v1::HealthRequest request) {
  return impl_->Call(&AdminStub::Health, CallType::kRead, std::move(request));
}
// Setting a state twice is harmless, and the manual safe mode is not journaled: no call id.
absl::StatusOr<v1::SafeModeReply> NameNodeClient::SafeMode(v1::SafeModeRequest request) {
  return impl_->Call(&AdminStub::SafeMode, CallType::kRead, std::move(request));
}
absl::StatusOr<v1::CheckpointReply> NameNodeClient::Checkpoint() {
  return impl_->Call(&AdminStub::Checkpoint, CallType::kRead, v1::CheckpointRequest(),
                     kCheckpointMs);
}
// Another round does no harm: it plans what still waits.
absl::StatusOr<v1::RepairReply> NameNodeClient::Repair(v1::RepairRequest request) {
  return impl_->Call(&AdminStub::Repair, CallType::kRead, std::move(request));
}
absl::StatusOr<v1::SetAdminStateReply> NameNodeClient::SetAdminState(
    v1::SetAdminStateRequest request) {
  return impl_->Call(&AdminStub::SetAdminState, CallType::kMutation, std::move(request));
}
// As SafeMode: what runs already is not started again.
absl::StatusOr<v1::BalanceReply> NameNodeClient::Balance(v1::BalanceRequest request) {
  return impl_->Call(&AdminStub::Balance, CallType::kRead, std::move(request));
}

}  // namespace cairn
