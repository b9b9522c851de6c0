// Statuses on the wire: absl::Status to grpc::Status and back.
//
// Why: codes are the same on both sides, and the ErrorKind travels in error_details as
// cairn.v1.ErrorDetail. A status that our services made always carries that detail; one without it
// was made by gRPC itself (a refused connection, a deadline), and gets a message that a person can
// act on instead of gRPC's. Pure functions, thread-safe.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace cairn {

grpc::Status ToRpcStatus(const absl::Status& status);

// `peer` is whom the call went to, for the messages of failures of the transport ("no answer
// from 10.0.0.1:8020 ...").
absl::Status FromRpcStatus(const grpc::Status& status, std::string_view peer);

// True when the call failed on its way (peer down, cut, deadline), not by the peer's decision: its
// outcome is unknown.
bool IsTransportFailure(const grpc::Status& status);

}  // namespace cairn
