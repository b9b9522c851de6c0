#include "client/namenode_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "client/call_ids.h"
#include "common/clock.h"
#include "common/net/channel.h"
#include "common/status.h"
#include "tests/unit/client/fake_namenode.h"

namespace cairn {
namespace {

using testing::FakeDataNode;
using testing::FakeNameNode;
using ::testing::HasSubstr;
using ::testing::Not;

absl::Status SafeModeError() {
  return WithKind(absl::UnavailableError("the NameNode is in safe mode"), ErrorKind::kSafeMode);
}

// Over Sessions, and call by call as with an older NameNode.
class NameNodeClientTest : public ::testing::TestWithParam<bool> {
 protected:
  static std::unique_ptr<FakeNameNode> Serve(uint16_t port = 0) {
    auto server = std::make_unique<FakeNameNode>(std::vector<FakeDataNode*>(), port);
    if (!GetParam()) server->HaveNoSessions();
    return server;
  }
  std::unique_ptr<NameNodeClient> Client(std::vector<std::string> addresses,
                                         int64_t timeout_ms = 30'000) {
    return std::make_unique<NameNodeClient>(
        NameNodeClient::Options{.addresses = std::move(addresses),
                                .user = "ann",
                                .host = "here",
                                .rack = "/a/b",
                                .timeout_ms = timeout_ms},
        &channels_, clock_.get());
  }
  // Where nobody listens.
  static std::string DeadAddress() { return "127.0.0.1:1"; }
  static v1::MkdirsRequest Mkdirs() {
    v1::MkdirsRequest request;
    request.set_path("/a");
    return request;
  }

  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  ChannelCache channels_;
};

TEST(CallIdsTest, DoneBelowStopsAtTheOldestCallUnderWay) {
  CallIds ids;
  EXPECT_EQ(ids.DoneBelow(), 1u);
  EXPECT_EQ(ids.Begin(), 1u);
  EXPECT_EQ(ids.Begin(), 2u);
  EXPECT_EQ(ids.DoneBelow(), 1u);
  ids.End(2);
  EXPECT_EQ(ids.DoneBelow(), 1u);
  ids.End(1);
  EXPECT_EQ(ids.DoneBelow(), 3u);
}

TEST_P(NameNodeClientTest, ALostAnswerIsAskedForAgainUnderTheSameCallId) {
  const auto server = Serve();
  server->LoseAnswer("Mkdirs", 2);
  const auto client = Client({server->address()});
  EXPECT_TRUE(client->Mkdirs(Mkdirs()).ok());

  const auto calls = server->calls("Mkdirs");
  ASSERT_EQ(calls.size(), 3u);
  for (const auto& call : calls) {
    EXPECT_EQ(call.id, 1u);
    EXPECT_EQ(call.client_id, client->client_id());
  }
  EXPECT_EQ(client->client_id().size(), 16u);
  EXPECT_EQ(server->runs("Mkdirs"), 1);
}

TEST_P(NameNodeClientTest, DoneBelowMovesWithTheAnswers) {
  const auto server = Serve();
  const auto client = Client({server->address()});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(client->Mkdirs(Mkdirs()).ok());
  const auto calls = server->calls("Mkdirs");
  ASSERT_EQ(calls.size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(calls[i].id, i + 1);
    EXPECT_EQ(calls[i].done_below, i + 1);
  }
  EXPECT_TRUE(client->GetServerDefaults().ok());
  EXPECT_EQ(server->calls("GetServerDefaults")[0].id, 0u);  // a read has none
  EXPECT_EQ(server->calls("GetServerDefaults")[0].done_below, 4u);
}

TEST_P(NameNodeClientTest, CallersAtOnceGetIdsOfTheirOwn) {
  const auto server = Serve();
  const auto client = Client({server->address()});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) EXPECT_TRUE(client->Mkdirs(Mkdirs()).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> ids;
  for (const auto& call : server->calls("Mkdirs")) {
    EXPECT_LE(call.done_below, call.id);
    ids.insert(call.id);
  }
  EXPECT_EQ(ids.size(), 80u);
}

TEST_P(NameNodeClientTest, AnUnreachableClusterIsOneClearError) {
  const std::string address = DeadAddress();
  const auto status = Client({address}, 300)->Mkdirs(Mkdirs()).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kClusterUnreachable);
  EXPECT_EQ(MessageOf(status), "cannot reach a NameNode at " + address +
                                   "; is it running? (set --namenode or CAIRN_NAMENODE)");
}

TEST_P(NameNodeClientTest, WaitsForANameNodeThatStarts) {
  uint16_t port = 0;
  {
    const auto first = Serve();
    port = first->port();
  }
  const auto client = Client({"127.0.0.1:" + std::to_string(port)});
  absl::Status status;
  std::thread caller([&] { status = client->Mkdirs(Mkdirs()).status(); });
  const auto second = Serve(port);
  caller.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_P(NameNodeClientTest, SafeModeIsWaitedFor) {
  const auto server = Serve();
  server->Refuse("Mkdirs", 2, SafeModeError());
  EXPECT_TRUE(Client({server->address()})->Mkdirs(Mkdirs()).ok());
  EXPECT_EQ(server->calls("Mkdirs").size(), 3u);
}

TEST_P(NameNodeClientTest, SafeModeThatStaysIsTheError) {
  const auto server = Serve();
  server->Refuse("Mkdirs", 1000, SafeModeError());
  const auto status = Client({server->address()}, 4'000)->Mkdirs(Mkdirs()).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kSafeMode);
  EXPECT_EQ(MessageOf(status), "the NameNode is in safe mode");
}

TEST_P(NameNodeClientTest, ARefusalIsNotRetried) {
  const auto server = Serve();
  server->Refuse("Mkdirs", 1, absl::AlreadyExistsError("File exists"));
  const auto status = Client({server->address()})->Mkdirs(Mkdirs()).status();
  EXPECT_EQ(MessageOf(status), "File exists");
  EXPECT_EQ(server->calls("Mkdirs").size(), 1u);
}

TEST_P(NameNodeClientTest, AnotherAddressIsTriedWhenOneDoesNotServe) {
  const auto standby = Serve();
  const auto active = Serve();
  standby->Refuse("Mkdirs", 1000,
                  WithKind(absl::UnavailableError("standby"), ErrorKind::kNotActive));
  const auto client = Client({DeadAddress(), standby->address(), active->address()});
  EXPECT_TRUE(client->Mkdirs(Mkdirs()).ok());
  EXPECT_TRUE(client->Mkdirs(Mkdirs()).ok());
  EXPECT_EQ(active->runs("Mkdirs"), 2);
  EXPECT_EQ(standby->calls("Mkdirs").size(), 1u);  // the second call knew whom to ask
  EXPECT_EQ(active->calls("Mkdirs")[0].id, 1u);
}

TEST_P(NameNodeClientTest, NoActiveNameNodeIsAnUnreachableCluster) {
  const auto standby = Serve();
  standby->Refuse("Mkdirs", 1000,
                  WithKind(absl::UnavailableError("standby"), ErrorKind::kNotActive));
  const auto status = Client({standby->address()}, 4'000)->Mkdirs(Mkdirs()).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kClusterUnreachable);
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("is active"));
}

INSTANTIATE_TEST_SUITE_P(Ways, NameNodeClientTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "InSessions" : "Unary"; });

}  // namespace
}  // namespace cairn
