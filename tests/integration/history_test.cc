// Random clients while nodes die, stop and come back at random: everything that the clients were
// told must be explainable (P1-P6). CAIRN_HISTORY_SECONDS sets how long (30), CAIRN_HISTORY_SEED
// with which dice.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/cluster_view.h"
#include "tests/integration/recorded_client.h"
#include "tests/support/checker.h"
#include "tests/support/cluster.h"

namespace cairn::testing {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kClients = 8;
constexpr size_t kDataNodes = 5;
constexpr int kDirectories = 6;
constexpr int kFinalClient = 999;
// Enough for what the clients do at the end of their time.
constexpr int64_t kEndMs = 120'000;

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

// Something that is wrong with a process, until a time.
struct Trouble {
  SteadyClock::time_point until;
  bool stopped = false;  // by SIGSTOP; else it was killed
};

class HistoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = Cluster::Start(
        {.datanodes = kDataNodes,
         .namenode_flags = {"--block-size=128K", "--heartbeat-interval=300ms", "--stale-after=1s",
                            "--dead-after=5s", "--redundancy-interval=300ms",
                            "--lease-soft-limit=2s", "--lease-hard-limit=5s"},
         .datanode_flags = {"--reserved=0"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    auto fs = FileSystem::Connect({.namenodes = {cluster_->rpc_address()}, .timeout_ms = 60'000});
    ASSERT_TRUE(fs.ok()) << fs.status();
    fs_ = *std::move(fs);
    history_ = std::make_unique<History>(0, LogOf(kFinalClient));
    last_ = std::make_unique<RecordedClient>(fs_.get(), history_.get(), kFinalClient);
    for (int i = 0; i < kDirectories; ++i) last_->Mkdir(fmt::format("/h{}", i));
    random_.seed(static_cast<uint32_t>(FromEnvironment("CAIRN_HISTORY_SEED", 1)));
  }

  std::string LogOf(int client) { return dir_ / fmt::format("client{}", client); }
  uint64_t Below(uint64_t limit) { return random_() % limit; }

  void StartClient(size_t slot) {
    const int client = ++clients_started_;
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(end_ - SteadyClock::now());
    auto process = Process::Start(
        {.args = {BinDir() + "/../tests/history_client", cluster_->rpc_address(),
                  std::to_string(client), LogOf(client), std::to_string(left.count() + 1)},
         .stderr_path = dir_ / "clients.err"});
    ASSERT_TRUE(process.ok()) << process.status();
    clients_[slot] = *std::move(process);
  }

  // A random trouble for a random process; few at a time, so that something can be done.
  void MakeTrouble() {
    const auto until = SteadyClock::now() + std::chrono::milliseconds(200 + Below(4'000));
    const uint64_t dice = Below(20);
    if (dice < 3 && !namenode_) {
      Begin(cluster_->namenode(), Trouble{until, dice == 0}, &namenode_);
    } else if (dice == 3) {
      for (size_t i = 0; i < kDataNodes; ++i) {
        if (!nodes_[i]) Begin(cluster_->datanode(i), Trouble{until, false}, &nodes_[i]);
      }
    } else if (dice < 8) {
      const size_t slot = Below(kClients);
      ++troubles_["clients"];
      if (dice < 6) {
        clients_[slot]->Kill();
        StartClient(slot);
      } else if (!stopped_clients_[slot]) {
        clients_[slot]->Signal(SIGSTOP);
        stopped_clients_[slot] = Trouble{until, true};
      }
    } else if (size_t i = Below(kDataNodes); !nodes_[i] && InTrouble() < 2) {
      Begin(cluster_->datanode(i), Trouble{until, dice % 2 == 0}, &nodes_[i]);
    }
  }

  size_t InTrouble() const {
    size_t count = 0;
    for (const auto& node : nodes_) count += node.has_value() ? 1 : 0;
    return count;
  }

  void Begin(Daemon& daemon, Trouble trouble, std::optional<Trouble>* slot) {
    ++troubles_[daemon.name() + (trouble.stopped ? " stopped" : " killed")];
    if (trouble.stopped) {
      daemon.Signal(SIGSTOP);
    } else {
      daemon.Kill();
    }
    *slot = trouble;
  }

  // Ends what is due.
  void EndTrouble(SteadyClock::time_point now) {
    const auto end = [&](Daemon& daemon, std::optional<Trouble>& trouble) {
      if (!trouble || trouble->until > now) return;
      if (trouble->stopped) {
        daemon.Signal(SIGCONT);
      } else {
        ASSERT_TRUE(daemon.Launch().ok());
        launched_.push_back(&daemon);
      }
      trouble.reset();
    };
    end(cluster_->namenode(), namenode_);
    for (size_t i = 0; i < kDataNodes; ++i) end(cluster_->datanode(i), nodes_[i]);
    for (size_t slot = 0; slot < kClients; ++slot) {
      if (!stopped_clients_[slot] || stopped_clients_[slot]->until > now) continue;
      clients_[slot]->Signal(SIGCONT);
      stopped_clients_[slot].reset();
    }
  }

  // All processes run, and all clients have come to their end.
  void Settle() {
    EndTrouble(SteadyClock::time_point::max());
    for (Daemon* daemon : launched_) {
      const absl::Status ready = daemon->AwaitReady();
      ASSERT_TRUE(ready.ok()) << ready;
    }
    for (const auto& client : clients_) {
      EXPECT_TRUE(client->Wait(kEndMs).has_value()) << "a client hangs";
      client->Kill();
    }
    const absl::Status off = cluster_->AwaitSafeModeOff();
    ASSERT_TRUE(off.ok()) << off;
    // What was acknowledged may be on those alone that are on their way back.
    EXPECT_TRUE(WaitUntil(kEndMs, [&] {
      return ReportNumber(*cluster_, "nodes_failed") == 0 &&
             ReportNumber(*cluster_, "nodes_recovering") == 0;
    }));
  }

  // Every file is closed, and looked at once more.
  void LookAtAll() {
    for (int i = 0; i < kDirectories; ++i) {
      const std::string directory = fmt::format("/h{}", i);
      last_->List(directory);
      const auto page = fs_->List(directory, "");
      ASSERT_TRUE(page.ok()) << page.status();
      for (const FileStatus& entry : page->entries) {
        const std::string path = directory + "/" + entry.name;
        if (entry.name.find("._COPYING_.") != std::string::npos) continue;
        absl::StatusOr<bool> closed;
        EXPECT_TRUE(WaitUntil(60'000,
                              [&] {
                                closed = fs_->RecoverLease(path);
                                return closed.ok() && *closed;
                              }))
            << path << ": " << closed.status();
        last_->Stat(path).status().IgnoreError();
        const absl::Status read = last_->Read(path);
        EXPECT_TRUE(read.ok()) << path << ": " << read;
      }
    }
  }

  Record LoadAll() {
    std::vector<std::string> logs = {LogOf(kFinalClient)};
    for (int client = 1; client <= clients_started_; ++client) logs.push_back(LogOf(client));
    return History::Load(logs);
  }

  void Summarize(const Record& record, const CheckResult& result) {
    std::array<size_t, 3> outcomes = {};
    size_t bytes = 0;
    for (const Operation& op : record.operations) {
      ++outcomes[static_cast<size_t>(op.outcome)];
      for (const Piece& piece : op.pieces) bytes += piece.length;
    }
    fmt::print("{} operations by {} clients: {} ok, {} refused, {} unknown; {} MiB read\n",
               record.operations.size(), clients_started_, outcomes[0], outcomes[1], outcomes[2],
               bytes >> 20);
    for (const auto& [what, times] : troubles_) fmt::print("  {}: {} times\n", what, times);
    fmt::print("{} states searched\n", result.states);
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<History> history_;
  std::unique_ptr<RecordedClient> last_;
  std::mt19937 random_;
  SteadyClock::time_point end_;
  std::array<std::unique_ptr<Process>, kClients> clients_;
  std::array<std::optional<Trouble>, kClients> stopped_clients_;
  std::array<std::optional<Trouble>, kDataNodes> nodes_;
  std::optional<Trouble> namenode_;
  std::vector<Daemon*> launched_;
  int clients_started_ = 0;
  std::map<std::string, size_t> troubles_;
};

TEST_F(HistoryTest, WhateverFailsEveryAnswerCanBeExplained) {
  const auto began = SteadyClock::now();
  end_ = began + std::chrono::seconds(FromEnvironment("CAIRN_HISTORY_SECONDS", 30));
  for (size_t slot = 0; slot < kClients; ++slot) StartClient(slot);
  auto next = began + std::chrono::seconds(1);
  WaitUntil(std::chrono::duration_cast<std::chrono::milliseconds>(end_ - began).count(), [&] {
    const auto now = SteadyClock::now();
    EndTrouble(now);
    if (now >= next) {
      MakeTrouble();
      next = now + std::chrono::milliseconds(Below(1'500));
    }
    return HasFatalFailure();
  });
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(LookAtAll());

  const Record record = LoadAll();
  const CheckResult result = CheckHistory(record);
  Summarize(record, result);
  EXPECT_TRUE(result.ok()) << result.ToString();
  EXPECT_GT(record.operations.size(), 200u);
  // A copy that its source could not make, and did not tell of, is ordered again after 120 s.
  EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
      << cluster_->Cairn({"admin", "health"}).out << cluster_->Cairn({"admin", "nodes"}).out;
}

}  // namespace
}  // namespace cairn::testing
