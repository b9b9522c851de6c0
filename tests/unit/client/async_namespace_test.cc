// Calls that no thread waits for: what callbacks are promised, and that nothing happens twice.
#include "client/async_namespace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/async_calls.h"
#include "common/mutex.h"
#include "common/net/rpc_server.h"
#include "common/status.h"
#include "tests/unit/client/fake_namenode.h"

namespace cairn {
namespace {

using testing::FakeDataNode;
using testing::FakeNameNode;
using ::testing::HasSubstr;

// Answers each Mkdirs but that of "/held", which waits for "/release", or for the stream's end.
class HoldingServer final : public v1::NameNode::Service {
 public:
  HoldingServer() : server_(*RpcServer::Start({"127.0.0.1", 0}, {this})) {}
  ~HoldingServer() override { server_->Shutdown(0); }

  std::string address() const { return server_->address().ToString(); }
  int arrived() const { return arrived_; }
  uint64_t furthest() const { return furthest_; }  // a call above the oldest one under way

  grpc::Status Session(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::SessionReply, v1::SessionRequest>* stream) override {
    std::vector<uint64_t> held;
    v1::SessionRequest message;
    while (stream->Read(&message)) {
      v1::SessionReply reply;
      const auto answer = [&reply](uint64_t number) {
        v1::SessionAnswer& answer = *reply.add_answers();
        answer.set_number(number);
        answer.mutable_mkdirs();
      };
      for (const v1::SessionCall& call : message.calls()) {
        ++arrived_;
        furthest_ = std::max(furthest_.load(), call.call_id() - call.done_below());
        const std::string& path = call.mkdirs().path();
        if (path == "/held") {
          held.push_back(call.number());
          continue;
        }
        if (path == "/release") {
          for (const uint64_t number : held) answer(number);
          held.clear();
        }
        answer(call.number());
      }
      if (!stream->Write(reply)) break;
    }
    return grpc::Status::OK;
  }

 private:
  std::atomic<int> arrived_{0};
  std::atomic<uint64_t> furthest_{0};
  const std::unique_ptr<RpcServer> server_;
};

// Counts the outcomes of calls 0 .. count - 1.
class Outcomes {
 public:
  explicit Outcomes(size_t count) : times_(count) {}

  AsyncNamespace::Done For(size_t index) {
    return [this, index](absl::Status status) { Add(index, status); };
  }
  void Add(size_t index, const absl::Status& status) {
    MutexLock lock(mu_);
    ++times_[index];
    ++ended_;
    if (!status.ok()) failures_.push_back(status);
    cv_.SignalAll();
  }
  void AwaitEnded(size_t count) {
    MutexLock lock(mu_);
    while (ended_ < count) cv_.Wait(mu_);
  }
  size_t ended() const {
    MutexLock lock(mu_);
    return ended_;
  }
  bool EachOnce() const {
    MutexLock lock(mu_);
    for (const int times : times_) {
      if (times != 1) return false;
    }
    return true;
  }
  std::vector<absl::Status> failures() const {
    MutexLock lock(mu_);
    return failures_;
  }

 private:
  mutable Mutex mu_;
  CondVar cv_;
  size_t ended_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<int> times_ ABSL_GUARDED_BY(mu_);
  std::vector<absl::Status> failures_ ABSL_GUARDED_BY(mu_);
};

std::unique_ptr<AsyncNamespace> Connect(std::vector<std::string> addresses,
                                        int64_t timeout_ms = 120'000) {
  return *AsyncNamespace::Connect({.namenodes = std::move(addresses),
                                   .user = "ann",
                                   .rack = "",
                                   .host = "here",
                                   .timeout_ms = timeout_ms,
                                   .transfer = {}});
}

std::string Name(size_t index) { return "/" + std::to_string(index); }

// Where nobody listens.
std::string DeadAddress() { return "127.0.0.1:1"; }

size_t Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST(AsyncNamespaceTest, CallsOfOneThreadShareMessagesAndEachEndsOnce) {
  constexpr size_t kCalls = 5'000;
  FakeNameNode server({});
  Outcomes outcomes(kCalls);
  const auto names = Connect({server.address()});
  for (size_t i = 0; i < kCalls; ++i) names->Mkdirs(Name(i), {}, outcomes.For(i));
  outcomes.AwaitEnded(kCalls);
  EXPECT_TRUE(outcomes.EachOnce());
  EXPECT_THAT(outcomes.failures(), ::testing::IsEmpty());
  EXPECT_EQ(server.runs("Mkdirs"), static_cast<int>(kCalls));
  EXPECT_EQ(server.sessions_opened(), 1);
  EXPECT_LT(server.session_messages(), static_cast<int>(kCalls) / 2);
}

// Each callback makes the next call, in 64 chains.
TEST(AsyncNamespaceTest, CallbacksMakeFurtherCallsWithoutMoreThreads) {
  constexpr size_t kCalls = 100'000;
  FakeNameNode server({});
  Outcomes outcomes(kCalls);
  std::atomic<size_t> next{0};
  std::atomic<size_t> threads{0};
  const auto names = Connect({server.address()});
  std::function<void()> chain = [&] {
    const size_t index = next++;
    if (index >= kCalls) return;
    if (index == kCalls / 10) threads = Threads();
    if (index == kCalls - 1) EXPECT_LE(Threads(), threads + 8);
    names->GetFileInfo("/", [&, index](absl::StatusOr<FileStatus> info) {
      EXPECT_TRUE(!info.ok() || info->is_directory());
      chain();
      outcomes.Add(index, info.status());
    });
  };
  for (int i = 0; i < 64; ++i) chain();
  outcomes.AwaitEnded(kCalls);
  EXPECT_TRUE(outcomes.EachOnce());
  EXPECT_THAT(outcomes.failures(), ::testing::IsEmpty());
}

TEST(AsyncNamespaceTest, ACallbackNeverRunsWithinItsCall) {
  FakeNameNode server({});
  const auto names = Connect({server.address()}, 200);
  const auto nowhere = Connect({DeadAddress()}, 20);
  Outcomes outcomes(200);
  Mutex mu;  // a callback within its call would stop here for ever
  for (size_t i = 0; i < 100; ++i) {
    MutexLock lock(mu);
    names->Mkdirs(Name(i), {}, [&, i](absl::Status status) {
      MutexLock lock(mu);
      outcomes.Add(i, status);
    });
    nowhere->Mkdirs(Name(i), {}, [&, i](absl::Status status) {
      MutexLock lock(mu);
      outcomes.Add(100 + i, status);
    });
  }
  outcomes.AwaitEnded(200);
  EXPECT_TRUE(outcomes.EachOnce());
}

TEST(AsyncNamespaceTest, LostAnswersAreAskedForAgainUnderTheSameCallId) {
  constexpr size_t kCalls = 400;
  FakeNameNode server({});
  server.LoseAnswer("Mkdirs", 5);
  server.Refuse("Mkdirs", 20, WithKind(absl::UnavailableError("safe mode"), ErrorKind::kSafeMode));
  Outcomes outcomes(kCalls);
  const auto names = Connect({server.address()});
  for (size_t i = 0; i < kCalls; ++i) names->Mkdirs(Name(i), {}, outcomes.For(i));
  outcomes.AwaitEnded(kCalls);
  EXPECT_TRUE(outcomes.EachOnce());
  EXPECT_THAT(outcomes.failures(), ::testing::IsEmpty());
  EXPECT_EQ(server.runs("Mkdirs"), static_cast<int>(kCalls));  // some were asked for twice
  EXPECT_GT(server.calls("Mkdirs").size(), kCalls);
  EXPECT_GT(server.sessions_opened(), 1);
}

TEST(AsyncNamespaceTest, ANameNodeThatStartsIsWaitedFor) {
  const auto first = std::make_unique<FakeNameNode>(std::vector<FakeDataNode*>());
  const uint16_t port = first->port();
  first->Stop();
  Outcomes outcomes(50);
  const auto names = Connect({"127.0.0.1:" + std::to_string(port)});
  for (size_t i = 0; i < 50; ++i) names->Mkdirs(Name(i), {}, outcomes.For(i));
  FakeNameNode second({}, port);
  outcomes.AwaitEnded(50);
  EXPECT_THAT(outcomes.failures(), ::testing::IsEmpty());
  EXPECT_EQ(second.runs("Mkdirs"), 50);
}

TEST(AsyncNamespaceTest, AnotherAddressIsTriedWhenOneDoesNotServe) {
  FakeNameNode standby({});
  FakeNameNode active({});
  standby.Refuse("Mkdirs", 1000,
                 WithKind(absl::UnavailableError("standby"), ErrorKind::kNotActive));
  Outcomes outcomes(2);
  const auto names = Connect({DeadAddress(), standby.address(), active.address()});
  names->Mkdirs("/a", {}, outcomes.For(0));
  outcomes.AwaitEnded(1);
  names->Mkdirs("/b", {}, outcomes.For(1));
  outcomes.AwaitEnded(2);
  EXPECT_THAT(outcomes.failures(), ::testing::IsEmpty());
  EXPECT_EQ(active.runs("Mkdirs"), 2);
  EXPECT_EQ(standby.calls("Mkdirs").size(), 1u);
}

TEST(AsyncNamespaceTest, ARefusalIsNotRetried) {
  FakeNameNode server({});
  server.Refuse("Mkdirs", 1, absl::AlreadyExistsError("File exists"));
  Outcomes outcomes(1);
  const auto names = Connect({server.address()});
  names->Mkdirs("/a", {}, outcomes.For(0));
  outcomes.AwaitEnded(1);
  ASSERT_EQ(outcomes.failures().size(), 1u);
  EXPECT_EQ(MessageOf(outcomes.failures()[0]), "File exists");
  EXPECT_EQ(server.calls("Mkdirs").size(), 1u);
}

TEST(AsyncNamespaceTest, ACallWhoseTimeIsOverSaysSo) {
  HoldingServer server;
  Outcomes outcomes(2);
  const auto names = Connect({server.address()}, 3'000);
  names->Mkdirs("/held", {}, outcomes.For(0));
  const std::string dead = DeadAddress();
  const auto nowhere = Connect({dead}, 300);
  outcomes.AwaitEnded(1);
  nowhere->Mkdirs("/a", {}, outcomes.For(1));
  outcomes.AwaitEnded(2);
  ASSERT_EQ(outcomes.failures().size(), 2u);
  for (const absl::Status& status : outcomes.failures()) {
    EXPECT_EQ(KindOf(status), ErrorKind::kClusterUnreachable);
  }
  EXPECT_THAT(std::string(MessageOf(outcomes.failures()[0])), HasSubstr("did not answer within"));
  EXPECT_EQ(
      MessageOf(outcomes.failures()[1]),
      "cannot reach a NameNode at " + dead + "; is it running? (set --namenode or CAIRN_NAMENODE)");
}

// Those under way, those held back, and those that callbacks make at the end.
TEST(AsyncNamespaceTest, TheEndCancelsEachCallOnce) {
  constexpr size_t kCalls = 3'000;
  HoldingServer server;
  Outcomes outcomes(2 * kCalls);
  {
    const auto names = Connect({server.address()});
    for (size_t i = 0; i < kCalls; ++i) {
      names->Mkdirs("/held", {}, [&, i, names = names.get()](absl::Status status) {
        outcomes.Add(i, status);
        names->Mkdirs("/held", {}, outcomes.For(kCalls + i));
      });
    }
    while (server.arrived() == 0) std::this_thread::yield();
  }
  EXPECT_EQ(outcomes.ended(), 2 * kCalls);
  EXPECT_TRUE(outcomes.EachOnce());
  EXPECT_EQ(outcomes.failures().size(), 2 * kCalls);
  for (const absl::Status& status : outcomes.failures()) EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_LE(server.arrived(), static_cast<int>(AsyncCalls::kMaxUnderWay));
}

TEST(AsyncNamespaceTest, TheEndCancelsCallsThatHaveNoConnection) {
  Outcomes outcomes(100);
  {
    const auto names = Connect({DeadAddress()});
    for (size_t i = 0; i < 100; ++i) names->Mkdirs(Name(i), {}, outcomes.For(i));
  }
  EXPECT_TRUE(outcomes.EachOnce());
}

// A retry of the oldest call must find its answer in the NameNode's cache.
TEST(AsyncNamespaceTest, MutationsStayNearTheOldestOneUnderWay) {
  constexpr size_t kCalls = 3 * AsyncCalls::kMaxAhead;
  HoldingServer server;
  Outcomes outcomes(kCalls + 1);
  const auto names = Connect({server.address()});
  names->Mkdirs("/held", {}, outcomes.For(kCalls));
  for (size_t i = 0; i < kCalls; ++i) names->Mkdirs(Name(i), {}, outcomes.For(i));
  outcomes.AwaitEnded(AsyncCalls::kMaxAhead - 1);  // as far as they may go
  EXPECT_EQ(outcomes.ended(), AsyncCalls::kMaxAhead - 1);
  EXPECT_LT(server.furthest(), AsyncCalls::kMaxAhead);
}

TEST(AsyncNamespaceTest, CreateEmptyClosesTheFile) {
  FakeNameNode server({});
  Outcomes outcomes(1);
  const auto names = Connect({server.address()});
  names->CreateEmpty("/a", {.mode = 0600, .replication = 2, .mtime_ms = 7}, outcomes.For(0));
  outcomes.AwaitEnded(1);
  EXPECT_THAT(outcomes.failures(), ::testing::IsEmpty());
  const FakeNameNode::FileState file = server.file();
  EXPECT_EQ(file.path, "/a");
  EXPECT_TRUE(file.closed);
  EXPECT_EQ(file.created.replication(), 2u);
  EXPECT_FALSE(file.created.with_block());
  EXPECT_EQ(file.completed.mtime_ms(), 7);
  EXPECT_TRUE(file.completed.set_mode());
  EXPECT_EQ(file.completed.mode(), 0600u);
}

TEST(AsyncNamespaceTest, AFileThatCannotBeClosedIsGivenUp) {
  FakeNameNode server({});
  server.Refuse("Complete", 1, absl::FailedPreconditionError("no"));
  Outcomes outcomes(1);
  const auto names = Connect({server.address()});
  names->CreateEmpty("/a", {}, outcomes.For(0));
  outcomes.AwaitEnded(1);
  ASSERT_EQ(outcomes.failures().size(), 1u);
  EXPECT_EQ(MessageOf(outcomes.failures()[0]), "no");
  EXPECT_EQ(server.runs("AbandonFile"), 1);
  EXPECT_THAT(server.files(), ::testing::IsEmpty());
}

TEST(AsyncNamespaceTest, AnOlderNameNodeIsAClearError) {
  FakeNameNode server({});
  server.HaveNoSessions();
  Outcomes outcomes(1);
  const auto names = Connect({server.address()});
  names->Mkdirs("/a", {}, outcomes.For(0));
  outcomes.AwaitEnded(1);
  ASSERT_EQ(outcomes.failures().size(), 1u);
  EXPECT_THAT(std::string(MessageOf(outcomes.failures()[0])), HasSubstr("has no Sessions"));
}

}  // namespace
}  // namespace cairn
