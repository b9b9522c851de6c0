#include "client/namenode_endpoints.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>

#include <algorithm>
#include <utility>

#include "common/background_task.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "common/strings.h"
#include "common/units.h"

namespace cairn {
namespace {

constexpr int64_t kMinBackoffMs = 50;
constexpr int64_t kMaxBackoffMs = 1'000;
constexpr int64_t kLeastAttemptMs = 1'000;
constexpr int64_t kMinAttemptMs = 5'000;  // a try waits for half of the time left, at least this

absl::Status Unreachable(const std::string& message) {
  return WithKind(absl::UnavailableError(message), ErrorKind::kClusterUnreachable);
}

}  // namespace

bool Outcome::WorthRetrying() const {
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

bool Outcome::WantsAnotherAddress() const {
  return on_the_way || KindOf(status) == ErrorKind::kNotActive;
}

NameNodeEndpoints::NameNodeEndpoints(NameNodeOptions options, ChannelCache* channels)
    : options_(std::move(options)), client_id_(RandomBytes16()) {
  for (const std::string& address : options_.addresses) {
    NameNodeEndpoint endpoint;
    endpoint.address = address;
    endpoint.channel = channels->Get(address, ChannelPurpose::kMetadata);
    endpoint.sessions = std::make_unique<NameNodeSessions>(endpoint.channel, Identity());
    endpoint.namenode = v1::NameNode::NewStub(endpoint.channel);
    endpoint.admin = v1::Admin::NewStub(endpoint.channel);
    endpoints_.push_back(std::move(endpoint));
  }
}

v1::Caller NameNodeEndpoints::Identity() const {
  v1::Caller caller;
  caller.set_user(options_.user);
  caller.set_client_id(client_id_);
  caller.set_host(options_.host);
  caller.set_rack(options_.rack);
  return caller;
}

Outcome NameNodeEndpoints::NotConnected(size_t index) const {
  return {absl::UnavailableError(fmt::format("cannot reach {}", at(index).address)),
          /*on_the_way=*/true, /*connected=*/false};
}

Outcome NameNodeEndpoints::OutcomeOf(const grpc::Status& status, size_t index) const {
  return {FromRpcStatus(status, at(index).address), IsTransportFailure(status)};
}

int64_t NameNodeEndpoints::AttemptMs(int64_t left_ms) {
  return std::min(left_ms, std::max(left_ms / 2, kMinAttemptMs));
}

int64_t NameNodeEndpoints::PauseMs(int failures) {
  const double jitter = static_cast<double>(RandomU64() >> 11) * 0x1.0p-53;
  return BackoffMs(failures, kMinBackoffMs, kMaxBackoffMs, jitter);
}

bool NameNodeEndpoints::LeavesTime(int64_t left_ms, int64_t pause_ms, int64_t timeout_ms) {
  return left_ms >= pause_ms + std::min(timeout_ms / 4, kLeastAttemptMs);
}

absl::Status NameNodeEndpoints::GiveUp(const Outcome& last, size_t index,
                                       int64_t timeout_ms) const {
  const std::string all = fmt::format("{}", fmt::join(options_.addresses, ", "));
  if (last.on_the_way && !last.connected) {
    return Unreachable(
        fmt::format("cannot reach a NameNode at {}; is it running? (set --namenode or "
                    "CAIRN_NAMENODE)",
                    all));
  }
  if (last.on_the_way) {
    return Unreachable(fmt::format("the NameNode at {} did not answer within {}", at(index).address,
                                   FormatDurationMs(timeout_ms)));
  }
  if (KindOf(last.status) == ErrorKind::kNotActive) {
    return Unreachable(fmt::format("no NameNode at {} is active", all));
  }
  return last.status;
}

grpc::Status StatusOf(const v1::SessionAnswer& answer) {
  if (answer.code() == static_cast<int>(absl::StatusCode::kDeadlineExceeded)) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "");  // as if no answer had come
  }
  if (answer.code() != 0) {
    const absl::Status status(static_cast<absl::StatusCode>(answer.code()), answer.message());
    return ToRpcStatus(WithKind(status, static_cast<ErrorKind>(answer.kind())));
  }
  return grpc::Status::OK;
}

}  // namespace cairn
