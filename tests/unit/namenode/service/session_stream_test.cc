// Sessions over a real gRPC connection: what is answered when, and what strangers may send.
#include "namenode/service/session_stream.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "common/net/channel.h"
#include "common/net/rpc_server.h"
#include "common/net/rpc_status.h"
#include "namenode/service/namenode_service.h"
#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The client's end, message by message.
class Stream {
 public:
  explicit Stream(v1::NameNode::Stub& stub, bool say_caller = true,
                  const std::string& user = "root")
      : stream_(stub.Session(&context_)) {
    if (!say_caller) return;
    message_.mutable_caller()->set_user(user);
    message_.mutable_caller()->set_client_id(std::string(16, 'c'));
  }
  ~Stream() {
    context_.TryCancel();
    v1::SessionReply rest;
    while (stream_->Read(&rest)) {
    }
    if (!finished_) (void)stream_->Finish();
  }

  v1::SessionCall& Add(uint64_t call_id = 0) {
    v1::SessionCall& call = *message_.add_calls();
    call.set_number(++last_number_);
    call.set_call_id(call_id);
    return call;
  }
  uint64_t AddInfo(const std::string& path) {
    Add().mutable_get_file_info()->set_path(path);
    return last_number_;
  }
  uint64_t AddMkdirs(const std::string& path, uint64_t call_id) {
    Add(call_id).mutable_mkdirs()->set_path(path);
    return last_number_;
  }
  v1::SessionRequest& message() { return message_; }
  bool Send() {
    const bool sent = stream_->Write(message_);
    message_.Clear();
    return sent;
  }
  // The next message of answers; nullopt at the end.
  std::optional<v1::SessionReply> Read() {
    v1::SessionReply reply;
    if (!stream_->Read(&reply)) return std::nullopt;
    return reply;
  }
  // Reads until `count` more answers are here.
  std::map<uint64_t, v1::SessionAnswer> Await(size_t count) {
    std::map<uint64_t, v1::SessionAnswer> answers;
    while (answers.size() < count) {
      std::optional<v1::SessionReply> reply = Read();
      if (!reply) break;
      for (const auto& answer : reply->answers()) {
        EXPECT_TRUE(answers.emplace(answer.number(), answer).second);
      }
    }
    return answers;
  }
  void CloseWrites() { stream_->WritesDone(); }
  void Reset() { context_.TryCancel(); }
  // Reads to the end.
  absl::Status Finish() {
    while (Read()) {
    }
    finished_ = true;
    return FromRpcStatus(stream_->Finish(), "the server");
  }

 private:
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionReply>> stream_;
  v1::SessionRequest message_;
  uint64_t last_number_ = 0;
  bool finished_ = false;
};

std::vector<uint64_t> Numbers(const v1::SessionReply& reply) {
  std::vector<uint64_t> numbers;
  for (const auto& answer : reply.answers()) numbers.push_back(answer.number());
  return numbers;
}

class SessionStreamTest : public ::testing::Test {
 protected:
  SessionStreamTest()
      : callers_(&door_.clock, "root", "supergroup"),
        service_(&door_.operations, &callers_, &door_.clock, "cluster-1", nullptr) {
    auto server = RpcServer::Start({"127.0.0.1", 0}, {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::NameNode::NewStub(
        MakeChannel(server_->address().ToString(), ChannelPurpose::kMetadata));
  }
  ~SessionStreamTest() override {
    door_.journal.Flow();
    service_.StopSessions();
    server_->Shutdown(0);
    EXPECT_EQ(service_.open_sessions(), 0u);
  }

  void AwaitEdits(TxId count) {
    while (door_.journal.last() < door_.first_txid + count - 1) std::this_thread::yield();
  }
  void AwaitNoSession() {
    while (service_.open_sessions() > 0) std::this_thread::yield();
  }

  Door door_;
  CallerResolver callers_;
  NameNodeService service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::NameNode::Stub> stub_;
};

TEST_F(SessionStreamTest, AnswersThatBecameDurableTogetherAreOneMessage) {
  Stream stream(*stub_);
  stream.AddMkdirs("/old", 1);
  ASSERT_TRUE(stream.Send());
  AwaitEdits(1);
  door_.journal.Sync();
  EXPECT_THAT(Numbers(*stream.Read()), ElementsAre(1));

  stream.AddMkdirs("/a", 2);
  stream.AddInfo("/a");       // sees the first
  stream.AddInfo("/old");     // sees nothing new
  stream.AddMkdirs("/a", 3);  // a refusal reveals the first too
  ASSERT_TRUE(stream.Send());
  EXPECT_THAT(Numbers(*stream.Read()), ElementsAre(4));
  AwaitEdits(2);
  door_.journal.Sync();
  const v1::SessionReply reply = *stream.Read();
  ASSERT_THAT(Numbers(reply), ElementsAre(2, 3, 5));
  EXPECT_EQ(reply.answers(0).code(), 0);
  EXPECT_TRUE(reply.answers(0).has_mkdirs());
  EXPECT_EQ(reply.answers(1).get_file_info().status().type(), v1::FileStatus::DIRECTORY);
  EXPECT_EQ(reply.answers(2).code(), static_cast<int>(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(reply.answers(2).message(), "File exists");
  EXPECT_EQ(reply.answers(2).reply_case(), v1::SessionAnswer::REPLY_NOT_SET);
}

TEST_F(SessionStreamTest, WhatACallDoesNotSayIsRefusedAlone) {
  door_.journal.Flow();
  Stream stream(*stub_);
  stream.Add();                                                           // holds no request
  stream.Add().mutable_get_file_info()->mutable_caller()->set_user("x");  // two callers
  stream.Add().mutable_mkdirs()->set_path("/a");                          // a change without an id
  stream.AddMkdirs("/b", 1);
  ASSERT_TRUE(stream.Send());
  const auto answers = stream.Await(4);
  EXPECT_EQ(answers.at(1).code(), static_cast<int>(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(answers.at(2).message(), HasSubstr("SessionRequest.caller"));
  EXPECT_THAT(answers.at(3).message(), HasSubstr("call id"));
  EXPECT_EQ(answers.at(4).code(), 0);
}

TEST_F(SessionStreamTest, AMessageThatMakesNoSenseEndsTheStreamAndDoesNothing) {
  door_.journal.Flow();
  Stream twice(*stub_);
  twice.AddMkdirs("/a", 1);
  twice.Add(2).set_number(1);
  ASSERT_TRUE(twice.Send());
  const absl::Status repeated = twice.Finish();
  EXPECT_TRUE(absl::IsInvalidArgument(repeated));
  EXPECT_THAT(MessageOf(repeated), HasSubstr("must rise"));

  Stream nobody(*stub_, /*say_caller=*/false);
  nobody.AddMkdirs("/a", 1);
  ASSERT_TRUE(nobody.Send());
  EXPECT_THAT(MessageOf(nobody.Finish()), HasSubstr("must say who calls"));

  Stream stranger(*stub_, true, "a/b");
  stranger.AddMkdirs("/a", 1);
  ASSERT_TRUE(stranger.Send());
  EXPECT_THAT(MessageOf(stranger.Finish()), HasSubstr("no valid user"));

  Stream many(*stub_);
  for (int i = 0; i <= SessionStream::kMaxCallsPerMessage; ++i) many.AddMkdirs("/a", 1);
  ASSERT_TRUE(many.Send());
  EXPECT_THAT(MessageOf(many.Finish()), HasSubstr("at most 1024 calls"));
  EXPECT_EQ(door_.journal.last(), door_.first_txid - 1);
}

TEST_F(SessionStreamTest, WhatWasReadIsAnsweredAfterAHalfClose) {
  Stream stream(*stub_);
  stream.AddMkdirs("/a", 1);
  ASSERT_TRUE(stream.Send());
  stream.CloseWrites();
  AwaitEdits(1);
  door_.journal.Sync();
  EXPECT_THAT(Numbers(*stream.Read()), ElementsAre(1));
  EXPECT_EQ(stream.Finish(), absl::OkStatus());
}

TEST_F(SessionStreamTest, AMutationWhoseStreamWasResetIsNotRepeated) {
  {
    Stream stream(*stub_);
    stream.AddMkdirs("/a", 5);
    ASSERT_TRUE(stream.Send());
    AwaitEdits(1);
    stream.Reset();
  }
  AwaitNoSession();
  door_.journal.Sync();
  Stream again(*stub_);
  again.AddMkdirs("/a", 5);
  ASSERT_TRUE(again.Send());
  EXPECT_EQ(again.Await(1).at(1).code(), 0);
  EXPECT_EQ(door_.journal.records().size(), 1u);
}

TEST_F(SessionStreamTest, ThousandsOfCallsAtOnceAreAnsweredOnceEach) {
  door_.journal.Flow();
  Stream stream(*stub_);
  constexpr size_t kMessages = 20;
  constexpr size_t kCalls = 600;
  std::thread writer([&] {
    uint64_t call_id = 0;
    for (size_t m = 0; m < kMessages; ++m) {
      for (size_t i = 0; i < kCalls; ++i) {
        if (i % 3 == 0) {
          stream.AddInfo("/");
        } else {
          stream.AddMkdirs("/d" + std::to_string(m) + "_" + std::to_string(i), ++call_id);
        }
      }
      EXPECT_TRUE(stream.Send());
    }
  });
  const auto answers = stream.Await(kMessages * kCalls);
  writer.join();
  EXPECT_EQ(answers.size(), kMessages * kCalls);
  for (const auto& [number, answer] : answers) EXPECT_EQ(answer.code(), 0) << answer.message();
}

class LongAnswersTest : public SessionStreamTest {
 protected:
  static constexpr int kListings = 24;

  LongAnswersTest() {
    door_.journal.Flow();
    Stream stream(*stub_);
    for (int i = 0; i < 1000; ++i) {
      stream.AddMkdirs("/" + std::string(200, 'n') + std::to_string(i), 1 + i);
    }
    EXPECT_TRUE(stream.Send());
    EXPECT_EQ(stream.Await(1000).size(), 1000u);
  }
  static void AskForListings(Stream& stream) {
    for (int i = 0; i < kListings; ++i) stream.Add().mutable_list()->set_path("/");
  }
};

TEST_F(LongAnswersTest, TheyComeInPiecesAndDelayNoOtherCall) {
  Stream stream(*stub_);
  // Whoever reads the message may get no processor until all that came before is made: once more.
  bool overtook = false;
  for (int i = 0; i < 20 && !overtook; ++i) {
    AskForListings(stream);
    const uint64_t quick = stream.AddInfo("/");
    ASSERT_TRUE(stream.Send());
    std::vector<uint64_t> order;
    while (order.size() < kListings + 1) {
      const std::optional<v1::SessionReply> reply = stream.Read();
      ASSERT_TRUE(reply.has_value());
      EXPECT_TRUE(reply->answers_size() == 1 ||
                  reply->ByteSizeLong() <= SessionStream::kMaxMessageBytes + 1024);
      for (const uint64_t number : Numbers(*reply)) order.push_back(number);
    }
    EXPECT_EQ(std::set<uint64_t>(order.begin(), order.end()).size(), kListings + 1u);
    overtook = order.back() != quick;
  }
  EXPECT_TRUE(overtook);
}

TEST_F(LongAnswersTest, AClientThatNeverReadsHoldsUpNobodyAndLeavesNothing) {
  {
    Stream deaf(*stub_);
    std::thread writer([&] {
      for (int i = 0; i < 100; ++i) {
        AskForListings(deaf);
        if (!deaf.Send()) break;  // once it was reset
      }
    });
    Stream other(*stub_);
    for (int i = 0; i < 50; ++i) {
      const uint64_t number = other.AddInfo("/");
      ASSERT_TRUE(other.Send());
      EXPECT_EQ(other.Await(1).count(number), 1u);
    }
    deaf.Reset();
    writer.join();
  }
  AwaitNoSession();
}

TEST_F(SessionStreamTest, StoppingLetsCallsEndAndThenTheStreams) {
  Stream idle(*stub_);
  idle.AddInfo("/");
  ASSERT_TRUE(idle.Send());
  EXPECT_EQ(idle.Await(1).size(), 1u);
  Stream busy(*stub_);
  busy.AddMkdirs("/a", 1);
  ASSERT_TRUE(busy.Send());
  AwaitEdits(1);
  service_.StopSessions();
  EXPECT_EQ(KindOf(idle.Finish()), ErrorKind::kNotActive);
  door_.journal.Sync();
  EXPECT_THAT(Numbers(*busy.Read()), ElementsAre(1));
  EXPECT_EQ(KindOf(busy.Finish()), ErrorKind::kNotActive);
  Stream late(*stub_);
  EXPECT_EQ(KindOf(late.Finish()), ErrorKind::kNotActive);
}

TEST_F(SessionStreamTest, AServerThatShutsDownEndsStreamsThatNobodyReads) {
  Stream waiting(*stub_);
  waiting.AddMkdirs("/a", 1);
  ASSERT_TRUE(waiting.Send());
  AwaitEdits(1);
  server_->Shutdown(0);  // returns
  EXPECT_FALSE(waiting.Finish().ok());
  AwaitNoSession();
}

}  // namespace
}  // namespace cairn::namenode
