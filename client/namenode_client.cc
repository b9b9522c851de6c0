#include "client/namenode_client.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "client/call_ids.h"
#include "client/connect.h"
#include "client/namenode_session.h"
#include "common/background_task.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "common/strings.h"
#include "common/units.h"
#include "proto/admin.grpc.pb.h"
#include "proto/namenode.grpc.pb.h"

namespace cairn {
namespace {

constexpr int64_t kMinBackoffMs = 50;
constexpr int64_t kMaxBackoffMs = 1'000;
constexpr int64_t kConnectMs = 2'000;       // to one address, before another one's turn
constexpr int64_t kMinAttemptMs = 5'000;    // a try waits for half of the time left, at least this
constexpr int64_t kCheckpointMs = 600'000;  // an image of a large namespace takes minutes

enum class CallType { kRead, kMutation };

using NameNodeStub = v1::NameNode::Stub;
using AdminStub = v1::Admin::Stub;

struct Endpoint {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<NameNodeSessions> sessions;
  std::unique_ptr<NameNodeStub> namenode;  // where the NameNode has no Sessions
  std::unique_ptr<AdminStub> admin;
};

template <typename Stub>
Stub& StubOf(const Endpoint& endpoint) {
  if constexpr (std::is_same_v<Stub, AdminStub>) {
    return *endpoint.admin;
  } else {
    return *endpoint.namenode;
  }
}

// What became of one try.
struct Outcome {
  absl::Status status;
  bool on_the_way = false;  // it failed between us and the NameNode: unknown whether it happened
  bool connected = true;

  bool WorthRetrying() const {
    if (on_the_way) return true;
    switch (KindOf(status)) {
      case ErrorKind::kSafeMode:
      case ErrorKind::kNotActive:
      case ErrorKind::kNotYetReplicated:
      case ErrorKind::kRecoveryInProgress:
        return true;
      case ErrorKind::kNone:
        return absl::IsUnavailable(status);
      default:
        return false;
    }
  }
  bool WantsAnotherAddress() const { return on_the_way || KindOf(status) == ErrorKind::kNotActive; }
};

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
std::unique_ptr<v1::SessionCall> ToSessionCall(const Request& request) {
  auto call = std::make_unique<v1::SessionCall>();
  call->GetReflection()
      ->MutableMessage(call.get(), FieldOf<v1::SessionCall, Request>())
      ->CopyFrom(request);
  return call;
}

// Takes the reply out of an answer; a failure as the unary call would have had it.
template <typename Reply>
grpc::Status FromSessionAnswer(v1::SessionAnswer* answer, Reply* reply) {
  if (answer->code() == static_cast<int>(absl::StatusCode::kDeadlineExceeded)) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "");  // as if no answer had come
  }
  if (answer->code() != 0) {
    const absl::Status status(static_cast<absl::StatusCode>(answer->code()), answer->message());
    return ToRpcStatus(WithKind(status, static_cast<ErrorKind>(answer->kind())));
  }
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
      : options_(std::move(options)), clock_(clock), client_id_(RandomBytes16()) {
    for (const std::string& address : options_.addresses) {
      Endpoint endpoint;
      endpoint.address = address;
      endpoint.channel = channels->Get(address, ChannelPurpose::kMetadata);
      endpoint.sessions = std::make_unique<NameNodeSessions>(endpoint.channel, Identity());
      endpoint.namenode = v1::NameNode::NewStub(endpoint.channel);
      endpoint.admin = v1::Admin::NewStub(endpoint.channel);
      endpoints_.push_back(std::move(endpoint));
    }
  }

  const std::string& client_id() const { return client_id_; }

  template <typename Stub, typename Request, typename Reply>
  absl::StatusOr<Reply> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Reply*),
                             CallType type, Request request, int64_t timeout_ms = 0) {
    const std::optional<uint64_t> id =
        type == CallType::kMutation ? std::optional(call_ids_.Begin()) : std::nullopt;
    const uint64_t done_below = call_ids_.DoneBelow();
    Reply reply;
    const auto in_session = [&](const Endpoint& endpoint, int64_t timeout_ms,
                                absl::FunctionRef<bool()> connect) -> grpc::Status {
      if constexpr (std::is_same_v<Stub, NameNodeStub>) {
        std::unique_ptr<v1::SessionCall> call = ToSessionCall(request);
        call->set_call_id(id.value_or(0));
        call->set_done_below(done_below);
        v1::SessionAnswer answer;
        const grpc::Status status =
            endpoint.sessions->Call(std::move(call), timeout_ms, connect, &answer);
        return status.ok() ? FromSessionAnswer(&answer, &reply) : status;
      } else {
        return grpc::Status::OK;  // not called
      }
    };
    const auto unary = [&](const Endpoint& endpoint, int64_t timeout_ms) {
      Request named = request;
      *named.mutable_caller() = Identity();
      named.mutable_caller()->set_call_id(id.value_or(0));
      named.mutable_caller()->set_done_below(done_below);
      grpc::ClientContext context;
      SetupContext(context, timeout_ms);
      reply.Clear();
      return (StubOf<Stub>(endpoint).*method)(&context, named, &reply);
    };
    const Attempts attempts{std::is_same_v<Stub, NameNodeStub>, in_session, unary};
    const absl::Status status =
        RetryUntilAnswered(timeout_ms > 0 ? timeout_ms : options_.timeout_ms, attempts);
    if (id) call_ids_.End(*id);
    if (!status.ok()) return status;
    return reply;
  }

 private:
  using Attempt = absl::FunctionRef<grpc::Status(const Endpoint&, int64_t timeout_ms)>;
  struct Attempts {
    bool has_session = false;
    absl::FunctionRef<grpc::Status(const Endpoint&, int64_t timeout_ms,
                                   absl::FunctionRef<bool()> connect)>
        in_session;
    Attempt unary;
  };

  v1::Caller Identity() const {
    v1::Caller caller;
    caller.set_user(options_.user);
    caller.set_client_id(client_id_);
    caller.set_host(options_.host);
    caller.set_rack(options_.rack);
    return caller;
  }

  absl::Status RetryUntilAnswered(int64_t timeout_ms, const Attempts& attempts) {
    const int64_t deadline_ms = clock_->SteadyMs() + timeout_ms;
    size_t index = active_;
    for (int failures = 1;; ++failures) {
      const Outcome outcome =
          TryOnce(endpoints_[index], deadline_ms - clock_->SteadyMs(), attempts);
      if (!outcome.WantsAnotherAddress()) active_ = index;
      if (outcome.status.ok() || !outcome.WorthRetrying()) return outcome.status;

      const int64_t left_ms = deadline_ms - clock_->SteadyMs();
      const double jitter = static_cast<double>(RandomU64() >> 11) * 0x1.0p-53;
      const int64_t pause_ms = BackoffMs(failures, kMinBackoffMs, kMaxBackoffMs, jitter);
      if (left_ms <= pause_ms) return GiveUp(outcome, endpoints_[index].address, timeout_ms);
      if (outcome.WantsAnotherAddress()) index = (index + 1) % endpoints_.size();
      PauseForMs(pause_ms);
    }
  }

  Outcome TryOnce(const Endpoint& endpoint, int64_t left_ms, const Attempts& attempts) {
    left_ms = std::max<int64_t>(left_ms, 1);
    const bool in_session = attempts.has_session && !endpoint.sessions->unsupported();
    bool connected = true;
    const auto connect = [&] {
      // With one address alone there is nothing better to do than to wait for it.
      const OnFailure on_failure =
          endpoints_.size() == 1 ? OnFailure::kKeepTrying : OnFailure::kGiveUp;
      connected = WaitConnected(*endpoint.channel, std::min(left_ms, kConnectMs), on_failure);
      return connected;
    };
    const int64_t timeout_ms = std::min(left_ms, std::max(left_ms / 2, kMinAttemptMs));
    grpc::Status status;
    if (in_session) status = attempts.in_session(endpoint, timeout_ms, connect);
    // An older NameNode knows no Session, and says so at once.
    if ((!in_session || endpoint.sessions->unsupported()) && connected && connect()) {
      status = attempts.unary(endpoint, timeout_ms);
    }
    if (!connected) {
      return {absl::UnavailableError(fmt::format("cannot reach {}", endpoint.address)), true,
              false};
    }
    return {FromRpcStatus(status, endpoint.address), IsTransportFailure(status), true};
  }

  // The error for a call whose time is over.
  absl::Status GiveUp(const Outcome& last, std::string_view address, int64_t timeout_ms) const {
    const std::string all = fmt::format("{}", fmt::join(options_.addresses, ", "));
    if (last.on_the_way && !last.connected) {
      return Unreachable(
          fmt::format("cannot reach a NameNode at {}; is it running? (set --namenode or "
                      "CAIRN_NAMENODE)",
                      all));
    }
    if (last.on_the_way) {
      return Unreachable(fmt::format("the NameNode at {} did not answer within {}", address,
                                     FormatDurationMs(timeout_ms)));
    }
    if (KindOf(last.status) == ErrorKind::kNotActive) {
      return Unreachable(fmt::format("no NameNode at {} is active", all));
    }
    return last.status;
  }

  static absl::Status Unreachable(const std::string& message) {
    return WithKind(absl::UnavailableError(message), ErrorKind::kClusterUnreachable);
  }

  const Options options_;
  Clock* const clock_;
  const std::string client_id_;
  std::vector<Endpoint> endpoints_;  // constant after the constructor
  std::atomic<size_t> active_{0};    // the one that answered last
  CallIds call_ids_;
};

NameNodeClient::NameNodeClient(Options options, ChannelCache* channels, Clock* clock)
    : impl_(std::make_unique<Impl>(std::move(options), channels, clock)) {}
NameNodeClient::~NameNodeClient() = default;

const std::string& NameNodeClient::client_id() const { return impl_->client_id(); }

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

}  // namespace cairn
