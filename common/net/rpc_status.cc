#include "common/net/rpc_status.h"

#include <fmt/format.h>
#include <grpcpp/support/status.h>

#include <string>

#include "common/status.h"
#include "proto/types.pb.h"

namespace cairn {
namespace {

// Trailing metadata of gRPC is bounded (8 KiB): a message longer than this would turn the whole
// answer into an error.
constexpr size_t kMaxMessageBytes = 2048;

bool Contains(const grpc::Status& status, std::string_view part) {
  return status.error_message().find(part) != std::string::npos;
}

bool MadeByGrpc(const grpc::Status& status) { return status.error_details().empty(); }

bool IsBrokenStream(const grpc::Status& status) {
  return Contains(status, "RST_STREAM") || Contains(status, "Stream removed");
}

absl::Status Unreachable(const grpc::Status& status, std::string_view peer) {
  std::string_view why;
  if (Contains(status, "Connection refused")) {
    why = ": Connection refused";
  } else if (Contains(status, "DNS resolution failed")) {
    why = ": unknown host name";
  } else if (Contains(status, "No route to host")) {
    why = ": No route to host";
  } else if (Contains(status, "Socket closed") || Contains(status, "Connection reset") ||
             Contains(status, "GOAWAY") || Contains(status, "keepalive") ||
             Contains(status, "Broken pipe")) {
    return absl::UnavailableError(fmt::format("the connection to {} was lost", peer));
  }
  return absl::UnavailableError(fmt::format("cannot reach {}{}", peer, why));
}

// gRPC's own failures, in words for a person.
absl::Status TransportStatus(const grpc::Status& status, std::string_view peer) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return Unreachable(status, peer);
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::DeadlineExceededError(
          fmt::format("no answer from {} within the time limit", peer));
    case grpc::StatusCode::CANCELLED:
      return absl::CancelledError(fmt::format("the call to {} was cancelled", peer));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(fmt::format(
          "{} does not know this call; is it the right port, and of the same version?", peer));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return absl::ResourceExhaustedError(fmt::format("a message is too large for {}", peer));
    case grpc::StatusCode::ABORTED:
      // gRPC makes no such status: the peer cancelled the call with it, for silence on our side.
      return WithKind(absl::AbortedError(fmt::format("{} ended an idle stream", peer)),
                      ErrorKind::kIdleStream);
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      if (IsBrokenStream(status)) {
        return absl::UnavailableError(fmt::format("the connection to {} was lost", peer));
      }
      break;
    default:
      break;
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      fmt::format("the call to {} failed unexpectedly", peer));
}

}  // namespace

grpc::Status ToRpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  v1::ErrorDetail detail;
  detail.set_kind(static_cast<int>(KindOf(status)));
  std::string details = detail.SerializeAsString();
  // proto3 leaves a zero out, but empty details would say that gRPC made the status: field 1, value
  // 0, spelled out.
  if (details.empty()) details = std::string("\x08\x00", 2);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(MessageOf(status).substr(0, kMaxMessageBytes)), details);
}

absl::Status FromRpcStatus(const grpc::Status& status, std::string_view peer) {
  if (status.ok()) return absl::OkStatus();
  if (MadeByGrpc(status)) return TransportStatus(status, peer);
  v1::ErrorDetail detail;
  detail.ParseFromString(status.error_details());  // damage leaves kNone, and the code still tells
  return WithKind(
      absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message()),
      static_cast<ErrorKind>(detail.kind()));
}

bool IsTransportFailure(const grpc::Status& status) {
  if (status.ok() || !MadeByGrpc(status)) return false;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return true;
    default:
      return IsBrokenStream(status);
  }
}

}  // namespace cairn
