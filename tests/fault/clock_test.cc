// Daemons whose wall clocks are hours and days apart, or are set while they run (P3, P5, P6, P8):
// what lasts a while is measured in steady time, and nobody compares clocks.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/fault/fault_fixture.h"
#include "tests/fault/set_clock.h"
#include "tests/integration/byte_pattern.h"
#include "tests/support/process.h"

namespace cairn::testing {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kDayMs = 24 * kHourMs;
// What a busy machine does to a heartbeat is not what these tests are about.
constexpr int64_t kPatientMs = 12'000;

class ClockTest : public FaultTest {
 protected:
  void TearDown() override {
    traffic_.reset();
    fs_.reset();
    cluster_.reset();
  }

  // Four DataNodes, with clocks that are so far ahead of this process's, and can be set.
  void Start(const std::map<std::string, int64_t>& ahead_ms,
             std::vector<std::string> namenode_flags = {}) {
    for (const char* name : {"nn", "dn0", "dn1", "dn2", "dn3", "client"}) {
      clocks_[name] = std::make_unique<SetClock>(dir_ / (std::string(name) + ".clock"));
    }
    for (const auto& [name, ms] : ahead_ms) Set(name, ms);
    namenode_flags.push_back(fmt::format("--dead-after={}ms", kPatientMs));
    StartCluster({.datanodes = 4,
                  .namenode_flags = std::move(namenode_flags),
                  .datanode_flags = {"--reserved=0"},
                  .place = [this](const std::string& name) {
                    Place place;
                    if (clocks_.contains(name)) place.env = clocks_[name]->Env();
                    return place;
                  }});
  }
  void Set(const std::string& name, int64_t ahead_ms) { clocks_.at(name)->Set(ahead_ms); }

  static int64_t NowMs() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  // By the NameNode's clock, which is so far ahead, the file is new.
  void ExpectNew(const std::string& path, int64_t ahead_ms) {
    const auto status = fs_->GetFileInfo(path);
    ASSERT_TRUE(status.ok()) << status.status();
    EXPECT_GT(status->mtime_ms, NowMs() + ahead_ms - kHourMs) << path;
    EXPECT_LT(status->mtime_ms, NowMs() + ahead_ms + kHourMs) << path;
  }
  void Put(const std::string& path) {
    auto out = fs_->Create(path, {});
    ASSERT_TRUE(out.ok()) << out.status();
    Do((*out)->Write(PatternBytes(0, 100'000)));
    Do((*out)->Close());
  }
  // A day as it stands in the log of a daemon: it really has that clock.
  static bool Logged(const Daemon& daemon, int64_t wall_ms) {
    const std::string day =
        fmt::format("{:%Y-%m-%d }", fmt::localtime(static_cast<std::time_t>(wall_ms / 1000)));
    return ReadWholeFile(daemon.log_path()).find("\n" + day) != std::string::npos ||
           ReadWholeFile(daemon.log_path()).starts_with(day);
  }
  // The last edit, which a new image holds.
  uint64_t Checkpoint() {
    const CommandResult result = cluster_->Cairn({"admin", "checkpoint"});
    EXPECT_EQ(result.code, 0) << result.err;
    return result.code == 0 ? std::stoull(result.out.substr(result.out.rfind(' ') + 1)) : 0;
  }
  bool NobodyWasDead() {
    return ReadWholeFile(cluster_->namenode().log_path()).find(" is dead: ") == std::string::npos;
  }
  // Killed, one is found dead, and what it had is copied; then it comes back.
  void EndWithOneKilled(size_t node, const std::string& what) {
    cluster_->datanode(node).Kill();
    EXPECT_TRUE(WaitUntil(60'000, [&] { return !NobodyWasDead(); }))
        << cluster_->Cairn({"admin", "report"}).out;
    AwaitFiles(2);
    EndTraffic(what);
    EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
    EXPECT_TRUE(WaitUntil(kHealMs, [&] { return IsHealthy(*cluster_); }))
        << cluster_->Cairn({"admin", "health"}).out;
    Do(cluster_->datanode(node).Start());
    ExpectHealed();
  }
  void EndWithoutFailure(const std::string& what) {
    EndTraffic(what);
    EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
    ExpectHealed();
  }

  const TempDir dir_;
  std::map<std::string, std::unique_ptr<SetClock>> clocks_;
};

TEST_F(ClockTest, EveryDaemonHasAnotherTime) {
  const std::vector<int64_t> ahead_ms = {-26 * kHourMs, 3 * kHourMs, 400 * kDayMs, -9 * kDayMs};
  Start({{"nn", 2 * kDayMs},
         {"dn0", ahead_ms[0]},
         {"dn1", ahead_ms[1]},
         {"dn2", ahead_ms[2]},
         {"dn3", ahead_ms[3]}});
  ASSERT_FALSE(HasFatalFailure());
  for (size_t i = 0; i < ahead_ms.size(); ++i) {
    Daemon& node = cluster_->datanode(i);
    const int64_t there_ms = NowMs() + ahead_ms[i];
    EXPECT_TRUE(Logged(node, there_ms) || Logged(node, there_ms - kHourMs))  // midnight has passed
        << ReadWholeFile(node.log_path());
  }
  EXPECT_TRUE(WaitUntil(60'000, [&] { return AllNodesHealthy(); }))
      << cluster_->Cairn({"admin", "report"}).out;
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Put("/f");
  ExpectNew("/f", 2 * kDayMs);
  Last(kPatientMs + 3'000);
  EXPECT_TRUE(NobodyWasDead());
  EndWithOneKilled(2, "clocks are hours and days apart, and a DataNode is killed");
}

// It is set while one writes a file, and another one wants it.
class NameNodeClockTest : public ClockTest, public ::testing::WithParamInterface<int64_t> {};

TEST_P(NameNodeClockTest, IsSetWhileItRuns) {
  Start({});
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  auto robber = FileSystem::Connect({.namenodes = {cluster_->rpc_address()}});
  ASSERT_TRUE(robber.ok()) << robber.status();
  auto out = fs_->Create("/open", {});
  ASSERT_TRUE(out.ok()) << out.status();
  uint64_t length = 0;
  const auto write = [&] {
    Do((*out)->Write(PatternBytes(length, 10'000)));
    Do((*out)->HFlush());
    length += 10'000;
  };
  write();
  Set("nn", GetParam());
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(KindOf((*robber)->Append("/open", {}).status()), ErrorKind::kBeingWritten);
    write();
    ASSERT_FALSE(HasFatalFailure());
    Last(500);
  }
  Do((*out)->Close());
  EXPECT_TRUE(cluster_->Cairn({"cat", "/open"}).out == PatternBytes(0, length));
  ExpectNew("/open", GetParam());
  EXPECT_TRUE(NobodyWasDead());
  AwaitFiles(2);
  EndWithOneKilled(1, fmt::format("the NameNode's clock is set by {} h, and a DataNode is killed",
                                  GetParam() / kHourMs));
}

// A writer is killed before the clock is set: its lease ends afterwards.
TEST_P(NameNodeClockTest, LeasesOfTheDeadEnd) {
  Start({}, {"--lease-soft-limit=2s", "--lease-hard-limit=10s"});
  ASSERT_FALSE(HasFatalFailure());
  auto writer = Process::Start({.args = {BinDir() + "/../tests/writer_process",
                                         cluster_->rpc_address(), "/f", "flush", "10007"},
                                .stdout_path = dir_ / "acked"});
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(WaitUntil(60'000, [&] { return ReadWholeFile(dir_ / "acked").size() > 100; }));
  (*writer)->Kill();
  Set("nn", GetParam());
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    const auto status = fs_->GetFileInfo("/f");
    return status.ok() && !status->open;
  }));
  ExpectHealed();
}

INSTANTIATE_TEST_SUITE_P(Hours, NameNodeClockTest, ::testing::Values(10 * kHourMs, -10 * kHourMs),
                         [](const auto& info) { return info.param > 0 ? "Forward" : "Back"; });

// And a peer does not answer meanwhile: giving it up is a matter of deadlines.
class DataNodeClockTest : public ClockTest, public ::testing::WithParamInterface<int64_t> {};

TEST_P(DataNodeClockTest, IsSetWhileItRuns) {
  Start({});
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  for (const char* name : {"dn0", "dn1"}) Set(name, GetParam());
  AwaitFiles(4);
  EXPECT_TRUE(NobodyWasDead());
  cluster_->datanode(2).Signal(SIGSTOP);
  Last(kPatientMs + 3'000);
  AwaitFiles(2);
  for (const char* name : {"dn0", "dn1"}) Set(name, 0);
  AwaitFiles(2);
  cluster_->datanode(2).Signal(SIGCONT);
  AwaitFiles(2);
  EndWithoutFailure(fmt::format(
      "clocks of two DataNodes are set by {} h and back, another one stops", GetParam() / kHourMs));
}

INSTANTIATE_TEST_SUITE_P(Hours, DataNodeClockTest, ::testing::Values(10 * kHourMs, -10 * kHourMs),
                         [](const auto& info) { return info.param > 0 ? "Forward" : "Back"; });

// Its call ends when it should all the same.
// With a connection, and without one.
class ClientClockTest : public ClockTest, public ::testing::WithParamInterface<int> {};

TEST_P(ClientClockTest, IsSetBackWhileItWaitsForANameNode) {
  Start({});
  ASSERT_FALSE(HasFatalFailure());
  if (GetParam() == SIGSTOP) {
    cluster_->namenode().Signal(SIGSTOP);
  } else {
    cluster_->namenode().Kill();
  }
  auto client = cluster_->StartCairn({"--timeout", "8s", "ls", "/"});
  ASSERT_TRUE(client.ok()) << client.status();
  Last(2'000);
  Set("client", -10 * kHourMs);
  const auto ended = (*client)->Wait(60'000);
  ASSERT_TRUE(ended.has_value()) << "it waits for its clock";
  EXPECT_EQ(ended->code, 3);  // no answer
}

INSTANTIATE_TEST_SUITE_P(NameNode, ClientClockTest, ::testing::Values(SIGSTOP, SIGKILL),
                         [](const auto& info) {
                           return info.param == SIGSTOP ? "Stopped" : "Killed";
                         });

TEST_F(ClockTest, TheNameNodeStartsADayEarlier) {
  Start({});
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Put("/before");
  const uint64_t before = Checkpoint();
  cluster_->namenode().Kill();
  Set("nn", -kDayMs);
  Do(cluster_->namenode().Start());
  Do(cluster_->AwaitSafeModeOff(60'000));
  AwaitFiles(2);
  Put("/after");
  ExpectNew("/before", 0);
  ExpectNew("/after", -kDayMs);
  EXPECT_TRUE(NobodyWasDead());
  EndWithoutFailure("the NameNode is killed and starts a day earlier");
  // Once more, from an image that has both days.
  EXPECT_GT(Checkpoint(), before);
  Do(cluster_->namenode().Stop().status());
  Do(cluster_->namenode().Start());
  Do(cluster_->AwaitSafeModeOff(60'000));
  ExpectNew("/before", 0);
  ExpectNew("/after", -kDayMs);
  EXPECT_EQ(traffic_->Wrong(), std::vector<std::string>());
}

}  // namespace
}  // namespace cairn::testing
