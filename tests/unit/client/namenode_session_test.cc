// Callers that share Session streams: over the fake NameNode, and over one that keeps answers back.
#include "client/namenode_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "client/namenode_client.h"
#include "common/clock.h"
#include "common/net/channel.h"
#include "common/net/rpc_server.h"
#include "common/status.h"
#include "tests/unit/client/fake_namenode.h"

namespace cairn {
namespace {

using testing::FakeNameNode;
using ::testing::HasSubstr;

// Answers GetFileInfo, the last call of a message first; by path:
// "/held" when "/release" is asked for, "/end" by ending the stream once, "/garbage" with an answer
// of another kind.
class HoldingServer final : public v1::NameNode::Service {
 public:
  HoldingServer() : server_(*RpcServer::Start({"127.0.0.1", 0}, {this})) {}
  ~HoldingServer() override { server_->Shutdown(0); }

  std::string address() const { return server_->address().ToString(); }
  int held() const {
    MutexLock lock(mu_);
    return held_;
  }
  int streams() const {
    MutexLock lock(mu_);
    return streams_;
  }

  grpc::Status Session(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::SessionReply, v1::SessionRequest>* stream) override {
    {
      MutexLock lock(mu_);
      ++streams_;
    }
    std::vector<uint64_t> held;
    v1::SessionRequest message;
    while (stream->Read(&message)) {
      v1::SessionReply reply;
      const auto answer = [&](uint64_t number) {
        v1::SessionAnswer* answer = reply.add_answers();
        answer->set_number(number);
        answer->mutable_get_file_info();
        return answer;
      };
      for (int i = message.calls_size() - 1; i >= 0; --i) {
        const v1::SessionCall& call = message.calls(i);
        const std::string& path = call.get_file_info().path();
        MutexLock lock(mu_);
        if (path == "/end" && !ended_) {
          ended_ = true;
          return grpc::Status::OK;
        }
        if (path == "/held") {
          ++held_;
          held.push_back(call.number());
          continue;
        }
        if (path == "/release") {
          for (const uint64_t number : held) answer(number);
          held.clear();
        }
        answer(call.number());
        if (path == "/garbage") reply.mutable_answers()->rbegin()->mutable_mkdirs();
      }
      answer(1'000'000'000);  // of no call
      if (!stream->Write(reply)) break;
    }
    return grpc::Status::OK;
  }

 private:
  mutable Mutex mu_;
  int held_ ABSL_GUARDED_BY(mu_) = 0;
  int streams_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  const std::unique_ptr<RpcServer> server_;
};

class NameNodeSessionTest : public ::testing::Test {
 protected:
  std::unique_ptr<NameNodeClient> Client(const std::string& address, int64_t timeout_ms = 30'000) {
    return std::make_unique<NameNodeClient>(
        NameNodeClient::Options{
            .addresses = {address}, .user = "ann", .host = "here", .timeout_ms = timeout_ms},
        &channels_, clock_.get());
  }
  static absl::Status Info(NameNodeClient& client, const std::string& path) {
    v1::GetFileInfoRequest request;
    request.set_path(path);
    return client.GetFileInfo(request).status();
  }

  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  ChannelCache channels_;
};

TEST_F(NameNodeSessionTest, ManyCallersShareFewStreamsAndMessages) {
  FakeNameNode server({});
  const auto client = Client(server.address());
  std::vector<std::thread> callers;
  for (int t = 0; t < 64; ++t) {
    callers.emplace_back([&, t] {
      v1::MkdirsRequest request;
      request.set_path("/" + std::to_string(t));
      for (int i = 0; i < 50; ++i) EXPECT_TRUE(client->Mkdirs(request).ok());
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(server.runs("Mkdirs"), 64 * 50);
  EXPECT_LE(server.sessions_opened(), 2);
  EXPECT_LT(server.session_messages(), 64 * 50);
}

TEST_F(NameNodeSessionTest, WithoutSessionsCallsAreUnary) {
  FakeNameNode server({});
  server.HaveNoSessions();
  const auto client = Client(server.address());
  EXPECT_TRUE(Info(*client, "/").ok());
  EXPECT_TRUE(Info(*client, "/").ok());
  EXPECT_EQ(server.runs("GetFileInfo"), 2);
  EXPECT_EQ(server.sessions_opened(), 0);
}

TEST_F(NameNodeSessionTest, AnswersThatStayAwayDelayNoOtherCall) {
  HoldingServer server;
  const auto client = Client(server.address());
  std::vector<std::thread> callers;
  for (int i = 0; i < 5; ++i) {  // more than messages may wait for their first answers
    callers.emplace_back([&] { EXPECT_TRUE(Info(*client, "/held").ok()); });
  }
  while (server.held() < 5) EXPECT_TRUE(Info(*client, "/other").ok());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Info(*client, "/other").ok());
  EXPECT_TRUE(Info(*client, "/release").ok());
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(server.streams(), 1);
}

TEST_F(NameNodeSessionTest, ACallThatRunsOutOfTimeLeavesItsStreamToTheOthers) {
  HoldingServer server;
  const auto hasty = Client(server.address(), 3'000);  // time enough for a call that is answered
  const absl::Status late = Info(*hasty, "/held");
  EXPECT_EQ(KindOf(late), ErrorKind::kClusterUnreachable);
  EXPECT_THAT(std::string(MessageOf(late)), HasSubstr("did not answer within"));
  const int before = server.streams();
  EXPECT_TRUE(Info(*hasty, "/other").ok());
  EXPECT_EQ(server.streams(), before + 1);
}

TEST_F(NameNodeSessionTest, AStreamThatTheServerEndsIsOpenedAgain) {
  HoldingServer server;
  const auto client = Client(server.address());
  EXPECT_TRUE(Info(*client, "/other").ok());
  EXPECT_TRUE(Info(*client, "/end").ok());
  EXPECT_EQ(server.streams(), 2);
}

TEST_F(NameNodeSessionTest, AnAnswerOfAnotherKindIsAnError) {
  HoldingServer server;
  const auto client = Client(server.address());
  EXPECT_TRUE(absl::IsInternal(Info(*client, "/garbage")));
}

TEST_F(NameNodeSessionTest, StreamsThatBreakUnderManyCallersLoseAndRepeatNothing) {
  FakeNameNode server({});
  server.LoseAnswer("Mkdirs", 5);
  const auto client = Client(server.address());
  std::vector<std::thread> callers;
  for (int t = 0; t < 40; ++t) {
    callers.emplace_back([&] {
      v1::MkdirsRequest request;
      request.set_path("/a");
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(client->Mkdirs(request).ok());
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(server.runs("Mkdirs"), 400);
  EXPECT_GT(server.sessions_opened(), 1);
}

}  // namespace
}  // namespace cairn
