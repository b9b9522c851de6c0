#include "common/net/rpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "proto/admin.grpc.pb.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kDeadlineMs = 20'000;

// Answers Report; refuses Health; holds Checkpoint until it is cancelled.
class FakeAdmin final : public v1::Admin::Service {
 public:
  grpc::Status Report(grpc::ServerContext*, const v1::ReportRequest* request,
                      v1::ReportReply*) override {
    largest_request_ = std::max(largest_request_.load(), request->ByteSizeLong());
    return grpc::Status::OK;
  }
  grpc::Status Health(grpc::ServerContext*, const v1::HealthRequest*, v1::HealthReply*) override {
    return ToRpcStatus(
        WithKind(absl::UnavailableError("the NameNode is in safe mode"), ErrorKind::kSafeMode));
  }
  grpc::Status Checkpoint(grpc::ServerContext* context, const v1::CheckpointRequest*,
                          v1::CheckpointReply*) override {
    holding_ = true;
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return grpc::Status::CANCELLED;
  }

  bool holding() const { return holding_; }
  size_t largest_request() const { return largest_request_; }

 private:
  std::atomic<bool> holding_ = false;
  std::atomic<size_t> largest_request_ = 0;
};

absl::Status CallReport(const std::shared_ptr<grpc::Channel>& channel, const std::string& peer,
                        int64_t deadline_ms = kDeadlineMs, size_t padding = 0) {
  v1::ReportRequest request;
  request.mutable_caller()->set_user(std::string(padding, 'x'));
  v1::ReportReply reply;
  grpc::ClientContext context;
  SetupContext(context, deadline_ms);
  const auto stub = v1::Admin::NewStub(channel);
  return FromRpcStatus(stub->Report(&context, request, &reply), peer);
}

TEST(RpcServerTest, ServesOnAFreePort) {
  FakeAdmin admin;
  const auto server = RpcServer::Start({"127.0.0.1", 0}, {&admin});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->address().host, "127.0.0.1");
  EXPECT_NE((*server)->address().port, 0);
  const std::string peer = (*server)->address().ToString();
  const auto channel = MakeChannel(peer, ChannelPurpose::kMetadata);
  EXPECT_TRUE(CallReport(channel, peer).ok());
  EXPECT_TRUE(CallReport(channel, peer, kDeadlineMs, 8 << 20).ok());  // above gRPC's own 4 MiB
  EXPECT_GT(admin.largest_request(), size_t{8 << 20});

  v1::HealthReply reply;
  grpc::ClientContext context;
  SetupContext(context, kDeadlineMs);
  const auto stub = v1::Admin::NewStub(channel);
  const absl::Status status = FromRpcStatus(stub->Health(&context, {}, &reply), peer);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(KindOf(status), ErrorKind::kSafeMode);
  EXPECT_EQ(MessageOf(status), "the NameNode is in safe mode");
}

TEST(RpcServerTest, ASecondServerOnThePortIsRefused) {
  FakeAdmin admin, other;
  const auto first = RpcServer::Start({"127.0.0.1", 0}, {&admin});
  ASSERT_TRUE(first.ok());
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const absl::Status second =
        RpcServer::Start({host, (*first)->address().port}, {&other}).status();
    EXPECT_TRUE(absl::IsAlreadyExists(second)) << second;
    EXPECT_THAT(std::string(MessageOf(second)), HasSubstr("the port is in use"));
  }
}

TEST(RpcServerTest, WildcardsAndAddressesExcludeEachOther) {
  FakeAdmin admin, other;
  for (const auto& [first_host, second_host] :
       {std::pair("0.0.0.0", "127.0.0.1"), std::pair("127.0.0.1", "0.0.0.0")}) {
    const auto first = RpcServer::Start({first_host, 0}, {&admin});
    ASSERT_TRUE(first.ok()) << first.status();
    const absl::Status second =
        RpcServer::Start({second_host, (*first)->address().port}, {&other}).status();
    EXPECT_TRUE(absl::IsAlreadyExists(second)) << second_host << ": " << second;
  }
}

TEST(RpcServerTest, HostsThatAreNotHere) {
  FakeAdmin admin;
  const absl::Status foreign = RpcServer::Start({"192.0.2.1", 0}, {&admin}).status();
  EXPECT_THAT(std::string(MessageOf(foreign)), HasSubstr("not an address of this machine"));
  EXPECT_FALSE(RpcServer::Start({"no.such.host.invalid", 0}, {&admin}).ok());
}

TEST(RpcServerTest, ShutdownCancelsWhatDoesNotEnd) {
  FakeAdmin admin;
  const auto server = RpcServer::Start({"127.0.0.1", 0}, {&admin});
  ASSERT_TRUE(server.ok());
  const std::string peer = (*server)->address().ToString();
  const auto channel = MakeChannel(peer, ChannelPurpose::kMetadata);
  absl::Status status;
  std::thread caller([&] {
    v1::CheckpointReply reply;
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    status = FromRpcStatus(v1::Admin::NewStub(channel)->Checkpoint(&context, {}, &reply), peer);
  });
  while (!admin.holding()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  (*server)->Shutdown(10);
  (*server)->Shutdown(10);
  caller.join();
  EXPECT_FALSE(status.ok());
}

TEST(RpcServerTest, AChannelComesBackWithItsServer) {
  FakeAdmin admin;
  auto server = RpcServer::Start({"127.0.0.1", 0}, {&admin});
  ASSERT_TRUE(server.ok());
  const HostPort address = (*server)->address();
  const std::string peer = address.ToString();
  const auto channel = MakeChannel(peer, ChannelPurpose::kMetadata);
  ASSERT_TRUE(CallReport(channel, peer).ok());
  server->reset();
  const absl::Status down = CallReport(channel, peer, 200);
  EXPECT_TRUE(absl::IsDeadlineExceeded(down) || absl::IsUnavailable(down)) << down;
  EXPECT_THAT(std::string(MessageOf(down)), HasSubstr(peer));
  const auto again = RpcServer::Start(address, {&admin});
  ASSERT_TRUE(again.ok()) << again.status();
  const absl::Status back = CallReport(channel, peer);
  EXPECT_TRUE(back.ok()) << back;
}

TEST(ChannelCacheTest, OneChannelAnAddressAndPurpose) {
  ChannelCache cache;
  const auto metadata = cache.Get("127.0.0.1:1", ChannelPurpose::kMetadata);
  EXPECT_EQ(cache.Get("127.0.0.1:1", ChannelPurpose::kMetadata), metadata);
  const auto data = cache.Get("127.0.0.1:1", ChannelPurpose::kData);
  EXPECT_NE(data, metadata);
  cache.Get("127.0.0.1:2", ChannelPurpose::kData);
  EXPECT_EQ(cache.size(), 3u);
  cache.Drop("127.0.0.1:1");
  cache.Drop("127.0.0.1:9");
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_NE(cache.Get("127.0.0.1:1", ChannelPurpose::kData), data);
}

}  // namespace
}  // namespace cairn
