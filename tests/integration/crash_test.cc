// Processes that are killed at any moment take nothing with them that was acknowledged (P1, P3),
// and never leave half a file under a name.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/cluster_view.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

// Several `cairn put` at a time, each of a small file of its own, for as long as Poll() is called.
class PutLoop {
 public:
  PutLoop(Cluster* cluster, const TempDir* dir, size_t at_a_time)
      : cluster_(cluster), dir_(dir), slots_(at_a_time) {}

  void Poll() {
    Reap();
    for (Slot& slot : slots_) {
      if (slot.process == nullptr) Start(slot);
    }
  }

  // Starts no more, and waits for those that run. False when one takes too long.
  bool Drain() {
    return WaitUntil(120'000, [&] {
      Reap();
      for (const Slot& slot : slots_) {
        if (slot.process != nullptr) return false;
      }
      return true;
    });
  }

  void KillAll() {
    for (Slot& slot : slots_) {
      if (slot.process == nullptr) continue;
      slot.process->Kill();
      // It may have ended by itself just before.
      if (slot.process->Wait(0)->code == 0) acknowledged_.insert(slot.index);
      slot.process.reset();
    }
  }

  size_t started() const { return started_; }
  size_t failed() const { return failed_; }
  const std::set<size_t>& acknowledged() const { return acknowledged_; }
  const std::string& errors() const { return errors_; }

  static std::string Content(size_t index) {
    // From nothing to some packets' worth of chunks.
    return RandomBytes(index + 1, index % 7 == 0 ? 0 : index * 7919 % 300'000);
  }

 private:
  struct Slot {
    size_t index = 0;
    std::unique_ptr<Process> process;
  };

  void Start(Slot& slot) {
    slot.index = started_++;
    const std::string local = *dir_ / fmt::format("f{}", slot.index);
    WriteWholeFile(local, Content(slot.index));
    auto process = cluster_->StartCairn({"put", local, "/d/"}, "/dev/null", ErrorsOf(slot.index));
    ASSERT_TRUE(process.ok()) << process.status();
    slot.process = *std::move(process);
  }

  void Reap() {
    for (Slot& slot : slots_) {
      if (slot.process == nullptr) continue;
      const auto state = slot.process->Wait(0);
      if (!state) continue;
      if (state->code == 0) {
        acknowledged_.insert(slot.index);
      } else {
        ++failed_;
        errors_ += fmt::format("{}: {}", state->code, ReadWholeFile(ErrorsOf(slot.index)));
      }
      slot.process.reset();
    }
  }

  std::string ErrorsOf(size_t index) const { return *dir_ / fmt::format("f{}.err", index); }

  Cluster* const cluster_;
  const TempDir* const dir_;
  std::vector<Slot> slots_;
  size_t started_ = 0;
  size_t failed_ = 0;
  std::set<size_t> acknowledged_;
  std::string errors_;
};

class CrashTest : public ::testing::Test {
 protected:
  void StartCluster(const Cluster::Options& options) {
    auto started = Cluster::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    ASSERT_EQ(cluster_->Cairn({"mkdir", "/d"}).code, 0);
  }

  // Lets `puts` go on until some more are acknowledged, and then up to `random_ms` longer.
  void RunFor(PutLoop& puts, size_t acknowledged, int64_t random_ms) {
    const size_t goal = puts.acknowledged().size() + acknowledged;
    ASSERT_TRUE(WaitUntil(120'000, [&] {
      puts.Poll();
      return puts.acknowledged().size() >= goal;
    })) << puts.errors();
    const int64_t more_ms = std::uniform_int_distribution<int64_t>(0, random_ms)(random_);
    WaitUntil(more_ms, [&] {
      puts.Poll();
      return false;
    });
  }

  // Every name under /d is one of the puts' and has all of its bytes; every acknowledged one is
  // there.
  void CheckFiles(const PutLoop& puts) {
    const nlohmann::json listing = CairnJson(*cluster_, {"ls", "/d"});
    ASSERT_TRUE(listing.is_array());
    const CommandResult got = cluster_->Cairn({"get", "/d", dir_ / "got"});
    EXPECT_EQ(got.code, 0) << got.err;
    std::set<std::string> names;
    for (const auto& entry : listing) {
      const std::string path = entry.at("path");
      names.insert(path.substr(path.rfind('/') + 1));
    }
    for (size_t i = 0; i < puts.started(); ++i) {
      const std::string name = fmt::format("f{}", i);
      EXPECT_TRUE(names.contains(name) || !puts.acknowledged().contains(i))
          << name << " was acknowledged and is lost";
      if (names.erase(name) == 0) continue;
      EXPECT_TRUE(ReadWholeFile(dir_ / ("got/" + name)) == PutLoop::Content(i))
          << name << " has other bytes";
    }
    EXPECT_TRUE(names.empty()) << "nobody put " << ::testing::PrintToString(names);
    std::filesystem::remove_all(dir_ / "got");
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
  std::mt19937_64 random_{20'260'131};
};

TEST_F(CrashTest, ANameNodeKilledAtAnyMomentLosesNothing) {
  // With checkpoints in between, and two directories to keep alike.
  StartCluster(
      {.datanodes = 3, .namenode_flags = {"--checkpoint-txns=40", "--data-dir", dir_ / "second"}});
  PutLoop puts(cluster_.get(), &dir_, 4);
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE(round);
    ASSERT_NO_FATAL_FAILURE(RunFor(puts, 8, 300));
    cluster_->namenode().Kill();
    const absl::Status started = cluster_->namenode().Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  ASSERT_NO_FATAL_FAILURE(RunFor(puts, 4, 0));
  ASSERT_TRUE(puts.Drain());
  // The clients wait for a NameNode that comes back within their timeout.
  EXPECT_EQ(puts.failed(), 0u) << puts.errors();
  CheckFiles(puts);
}

// Each command must have happened once and say so, whenever the NameNode goes: a repeated call is
// answered, not executed again (P5).
TEST_F(CrashTest, ChangesThroughRestartsHappenOnce) {
  StartCluster({.datanodes = 0});
  std::vector<std::unique_ptr<Process>> processes(4);
  std::vector<size_t> steps(processes.size());
  std::vector<std::string> errors(processes.size());
  size_t done = 0;
  const auto poll = [&] {
    for (size_t i = 0; i < processes.size(); ++i) {
      if (processes[i] != nullptr) {
        const auto state = processes[i]->Wait(0);
        if (!state) continue;
        EXPECT_EQ(state->code, 0) << ReadWholeFile(dir_ / fmt::format("err{}", i));
        ++done;
      }
      // mkdir a, mv a b, rm b, and from the start.
      const std::string a = fmt::format("/d/{}-a", i);
      const std::string b = fmt::format("/d/{}-b", i);
      const std::vector<std::vector<std::string>> commands = {
          {"mkdir", a}, {"mv", a, b}, {"rm", "-r", b}};
      auto process = cluster_->StartCairn(commands[steps[i]++ % commands.size()], "/dev/null",
                                          dir_ / fmt::format("err{}", i));
      ASSERT_TRUE(process.ok()) << process.status();
      processes[i] = *std::move(process);
    }
  };
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(round);
    const size_t goal = done + 8;
    ASSERT_TRUE(WaitUntil(60'000, [&] {
      poll();
      return done >= goal || HasFailure();
    }));
    WaitUntil(std::uniform_int_distribution<int64_t>(0, 100)(random_), [&] {
      poll();
      return false;
    });
    cluster_->namenode().Kill();
    const absl::Status started = cluster_->namenode().Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  for (size_t i = 0; i < processes.size(); ++i) {
    const auto state = processes[i]->Wait(60'000);
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->code, 0) << ReadWholeFile(dir_ / fmt::format("err{}", i));
  }
}

TEST_F(CrashTest, AReplacedFileIsTheOldOneOrTheNewOne) {
  StartCluster({.datanodes = 2, .namenode_flags = {"--replication=2"}});
  size_t version = 0;
  size_t acknowledged = 0;
  const auto content = [](size_t v) { return RandomBytes(v, 50'000 + v); };
  WriteWholeFile(dir_ / "v0", content(0));
  ASSERT_EQ(cluster_->Cairn({"put", dir_ / "v0", "/d/file"}).code, 0);
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(round);
    const std::string local = dir_ / fmt::format("v{}", ++version);
    WriteWholeFile(local, content(version));
    auto put = cluster_->StartCairn({"put", "-f", local, "/d/file"});
    ASSERT_TRUE(put.ok()) << put.status();
    const int64_t kill_ms = std::uniform_int_distribution<int64_t>(0, 120)(random_);
    WaitUntil(kill_ms, [] { return false; });
    cluster_->namenode().Kill();
    (*put)->Kill();
    if ((*put)->Wait(0)->code == 0) acknowledged = version;
    ASSERT_TRUE(cluster_->namenode().Start().ok());
    ASSERT_TRUE(cluster_->AwaitSafeModeOff().ok());
    const CommandResult read = cluster_->Cairn({"cat", "/d/file"});
    ASSERT_EQ(read.code, 0) << read.err;
    size_t found = version + 1;
    for (size_t v = acknowledged; v <= version; ++v) {
      if (read.out == content(v)) found = v;
    }
    ASSERT_LE(found, version) << "neither the last acknowledged version nor a later one";
    acknowledged = found;  // what was read stays (P2)
  }
}

TEST_F(CrashTest, DataNodesKilledAtAnyMomentStopNoPut) {
  StartCluster({.datanodes = 5,
                .namenode_flags = {"--heartbeat-interval=300ms", "--stale-after=1500ms",
                                   "--dead-after=3s", "--redundancy-interval=300ms"}});
  PutLoop puts(cluster_.get(), &dir_, 3);
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(round);
    Daemon& node = cluster_->datanode(random_() % cluster_->datanodes());
    ASSERT_NO_FATAL_FAILURE(RunFor(puts, 3, 200));
    node.Kill();
    ASSERT_NO_FATAL_FAILURE(RunFor(puts, 5, 200));
    ASSERT_TRUE(node.Launch().ok());
    const absl::Status ready = node.AwaitReady();
    ASSERT_TRUE(ready.ok()) << ready;
  }
  ASSERT_TRUE(puts.Drain());
  EXPECT_EQ(puts.failed(), 0u) << puts.errors();
  CheckFiles(puts);
  EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
      << cluster_->Cairn({"admin", "health"}).out;
}

TEST_F(CrashTest, EverythingKilledAtOnceComesBack) {
  // An abandoned put's temporary file goes with its lease.
  StartCluster({.datanodes = 3,
                .namenode_flags = {"--lease-soft-limit=5s", "--lease-soft-limit=2s",
                                   "--lease-hard-limit=5s"}});
  PutLoop puts(cluster_.get(), &dir_, 4);
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    ASSERT_NO_FATAL_FAILURE(RunFor(puts, 8, 300));
    cluster_->namenode().Kill();
    for (size_t i = 0; i < cluster_->datanodes(); ++i) cluster_->datanode(i).Kill();
    puts.KillAll();
    ASSERT_TRUE(cluster_->namenode().Start().ok());
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      ASSERT_TRUE(cluster_->datanode(i).Launch().ok());
    }
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      const absl::Status ready = cluster_->datanode(i).AwaitReady();
      ASSERT_TRUE(ready.ok()) << ready;
    }
    const absl::Status off = cluster_->AwaitSafeModeOff();
    ASSERT_TRUE(off.ok()) << off;
  }
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    return cluster_->Cairn({"ls", "/d"}).out.find("_COPYING_") == std::string::npos;
  })) << cluster_->Cairn({"ls", "/d"}).out;
  CheckFiles(puts);
  EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
      << cluster_->Cairn({"admin", "health"}).out;
}

TEST_F(CrashTest, AKilledDataNodeServesWhatWasWholeAndNothingElse) {
  StartCluster(
      {.datanodes = 1,
       .namenode_flags = {"--replication=1", "--lease-soft-limit=2s", "--lease-hard-limit=5s"}});
  Daemon& node = cluster_->datanode(0);
  const std::string whole = RandomBytes(1, 3'000'000);
  WriteWholeFile(dir_ / "whole", whole);
  ASSERT_EQ(cluster_->Cairn({"put", "--block-size=1M", dir_ / "whole", "/d/whole"}).code, 0);
  const std::vector<std::string> finalized = FinalizedFiles(node);
  ASSERT_EQ(finalized.size(), 3u);

  SlowPut slow(cluster_.get(), {}, "/d/half");
  ASSERT_TRUE(slow.Feed(RandomBytes(2, 3'500'000)));
  ASSERT_TRUE(WaitUntil(60'000, [&] { return !OpenFiles(node).empty(); }));
  node.Kill();
  slow.process().Kill();
  const absl::Status started = node.Start();
  ASSERT_TRUE(started.ok()) << started;

  EXPECT_EQ(FinalizedFiles(node), finalized);
  EXPECT_EQ(cluster_->Cairn({"test", "-e", "/d/half"}).code, 1);
  EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
      << cluster_->Cairn({"admin", "health"}).out;
  const CommandResult read = cluster_->Cairn({"cat", "/d/whole"});
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_TRUE(read.out == whole);
  // The half block is kept for its writer, and goes with the writer's lease.
  EXPECT_TRUE(WaitUntil(60'000, [&] { return OpenFiles(node).empty(); }));
  EXPECT_EQ(FinalizedFiles(node), finalized);
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    return CairnJson(*cluster_, {"admin", "nodes"}).at(0).at("blocks") == 3;
  }));
}

TEST_F(CrashTest, AWriteSurvivesTheRestartOfItsDataNodes) {
  StartCluster({.datanodes = 5, .namenode_flags = {"--replication=2"}});
  const std::string content = RandomBytes(3, 6'000'000);
  SlowPut slow(cluster_.get(), {"--block-size=2M"}, "/d/file");
  ASSERT_TRUE(slow.Feed(content.substr(0, 3'500'000)));
  std::vector<size_t> writing;
  ASSERT_TRUE(WaitUntil(60'000, [&] {
    writing.clear();
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      if (!OpenFiles(cluster_->datanode(i)).empty()) writing.push_back(i);
    }
    return writing.size() == 2;
  }));
  for (const size_t i : writing) cluster_->datanode(i).Kill();
  for (const size_t i : writing) ASSERT_TRUE(cluster_->datanode(i).Start().ok());
  slow.Feed(content.substr(3'500'000));
  const CommandResult put = slow.Finish();
  ASSERT_EQ(put.code, 0) << put.err;
  const CommandResult read = cluster_->Cairn({"cat", "/d/file"});
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_TRUE(read.out == content);
  EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
      << cluster_->Cairn({"admin", "health"}).out;
}

// What no DataNode has reported yet to a NameNode that has just started is waited for. Later it is
// missing soon, in a safe mode that a person entered too.
TEST_F(CrashTest, ReadersWaitForReportsAndNotForEver) {
  StartCluster({.datanodes = 1,
                .namenode_flags = {"--replication=1", "--heartbeat-interval=300ms",
                                   "--stale-after=3s", "--dead-after=8s"}});
  WriteWholeFile(dir_ / "local", RandomBytes(1, 300'000));
  ASSERT_EQ(cluster_->Cairn({"put", dir_ / "local", "/d/file"}).code, 0);
  cluster_->datanode(0).Kill();
  cluster_->namenode().Kill();
  ASSERT_TRUE(cluster_->namenode().Start().ok());
  auto waiting = cluster_->StartCairn({"--timeout=120s", "get", "/d/file", dir_ / "got"});
  ASSERT_TRUE(waiting.ok()) << waiting.status();
  EXPECT_FALSE((*waiting)->Wait(1'000).has_value());
  ASSERT_TRUE(cluster_->datanode(0).Start().ok());
  EXPECT_EQ((*waiting)->Wait(60'000), (ExitState{0, 0}));
  EXPECT_TRUE(ReadWholeFile(dir_ / "got") == RandomBytes(1, 300'000));

  ASSERT_TRUE(cluster_->AwaitSafeModeOff().ok());
  ASSERT_EQ(cluster_->Cairn({"admin", "safe-mode", "enter"}).code, 0);
  cluster_->datanode(0).Kill();
  ASSERT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "nodes_failed") == 1; }));
  const CommandResult missing = cluster_->Cairn({"--timeout=1h", "cat", "/d/file"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_NE(missing.err.find("is missing: no live DataNode has a good replica"), std::string::npos)
      << missing.err;
}

}  // namespace
}  // namespace cairn::testing
