#include "common/net/rpc_status.h"

#include <gmock/gmock.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <string>

#include "common/status.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RpcStatusTest, EveryCodeAndKindComesBack) {
  for (int code = 1; code <= 16; ++code) {
    for (int kind = 0; kind <= 11; ++kind) {
      const absl::Status status =
          WithKind(absl::Status(static_cast<absl::StatusCode>(code), "File exists"),
                   static_cast<ErrorKind>(kind));
      const grpc::Status wire = ToRpcStatus(status);
      EXPECT_EQ(static_cast<int>(wire.error_code()), code);
      EXPECT_FALSE(IsTransportFailure(wire));
      const absl::Status back = FromRpcStatus(wire, "nn:8020");
      EXPECT_EQ(back, status);
      EXPECT_EQ(KindOf(back), static_cast<ErrorKind>(kind));
    }
  }
  EXPECT_TRUE(ToRpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromRpcStatus(grpc::Status::OK, "nn:8020").ok());
}

TEST(RpcStatusTest, AKindFromTheFutureKeepsTheRest) {
  const grpc::Status wire(grpc::StatusCode::ABORTED, "x", std::string("\x08\x63", 2));
  EXPECT_EQ(static_cast<int>(KindOf(FromRpcStatus(wire, "nn:1"))), 99);
  const grpc::Status damaged(grpc::StatusCode::ABORTED, "x", "\xFF\xFF");
  EXPECT_EQ(FromRpcStatus(damaged, "nn:1"), absl::AbortedError("x"));
}

TEST(RpcStatusTest, LongMessagesAreCut) {
  const grpc::Status wire = ToRpcStatus(absl::InternalError(std::string(100'000, 'x')));
  EXPECT_LE(wire.error_message().size(), 2048u);
}

std::string Transport(grpc::StatusCode code, const std::string& message) {
  const grpc::Status wire(code, message);
  return std::string(MessageOf(FromRpcStatus(wire, "10.0.0.1:8020")));
}

TEST(RpcStatusTest, TransportFailuresAreForPeople) {
  using grpc::StatusCode;
  EXPECT_EQ(Transport(StatusCode::UNAVAILABLE,
                      "failed to connect to all addresses; last error: UNKNOWN: "
                      "ipv4:10.0.0.1:8020: Failed to connect to remote host: Connection refused"),
            "cannot reach 10.0.0.1:8020: Connection refused");
  EXPECT_EQ(Transport(StatusCode::UNAVAILABLE, "failed to connect to all addresses"),
            "cannot reach 10.0.0.1:8020");
  EXPECT_EQ(Transport(StatusCode::UNAVAILABLE, "DNS resolution failed for x: C-ares status"),
            "cannot reach 10.0.0.1:8020: unknown host name");
  EXPECT_EQ(Transport(StatusCode::UNAVAILABLE, "Socket closed"),
            "the connection to 10.0.0.1:8020 was lost");
  EXPECT_EQ(Transport(StatusCode::INTERNAL, "Received RST_STREAM with error code 2"),
            "the connection to 10.0.0.1:8020 was lost");
  EXPECT_EQ(Transport(StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"),
            "no answer from 10.0.0.1:8020 within the time limit");
  EXPECT_THAT(Transport(StatusCode::UNIMPLEMENTED, ""), HasSubstr("does not know this call"));
  EXPECT_THAT(Transport(StatusCode::UNKNOWN, "Unexpected error in RPC handling"),
              Not(HasSubstr("RPC")));
  EXPECT_TRUE(IsTransportFailure(grpc::Status(StatusCode::UNAVAILABLE, "x")));
  EXPECT_TRUE(IsTransportFailure(grpc::Status(StatusCode::DEADLINE_EXCEEDED, "x")));
  EXPECT_FALSE(IsTransportFailure(grpc::Status(StatusCode::UNIMPLEMENTED, "")));
  EXPECT_FALSE(IsTransportFailure(grpc::Status::OK));
}

// No service of ours leaves out the details: it is a node that cancelled a call (see
// datanode/service/grpc_upstream.h).
TEST(RpcStatusTest, AbortedWithoutDetailsIsAnIdleStream) {
  const grpc::Status wire(grpc::StatusCode::ABORTED, "idle");
  const absl::Status status = FromRpcStatus(wire, "10.0.0.1:8020");
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(KindOf(status), ErrorKind::kIdleStream);
  EXPECT_FALSE(IsTransportFailure(wire));
}

}  // namespace
}  // namespace cairn
