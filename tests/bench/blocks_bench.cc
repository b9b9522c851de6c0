// What the reported state costs, in one process and without a network: bytes a block, reports, the
// loss of a node, and what a create and an open ask of it.
//
//   blocks_bench [--blocks N] [--nodes N]     defaults: 100000 blocks of 3 replicas, 4 nodes
//
// Every block is in a closed file of its own. A second thread asks for locations all the while; its
// longest wait is what a client would have waited for the mutex. CPU seconds are those of the
// thread that works. Ends with status 1 when a figure of the reported state is wrong.
#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/logging.h"
#include "namenode/blocks/block_manager.h"

namespace cairn::namenode {
namespace {

constexpr uint64_t kLength = 100'000;
constexpr uint64_t kBlockSize = 128ull << 20;
constexpr uint64_t kTiB = 1ull << 40;
constexpr size_t kPiece = 2'000;
constexpr uint32_t kReplicas = 3;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double WallMs() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

uint64_t ResidentBytes() {
  malloc_trim(0);
  uint64_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*u %lu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

class Bench {
 public:
  Bench(BlockId blocks, NodeNumber nodes)
      : blocks_(blocks), nodes_(std::max(nodes, kReplicas)), held_(nodes_ + 1) {
    for (BlockId id = 1; id <= blocks_; ++id) {
      const uint64_t first = id * 0x9e3779b97f4a7c15ull >> 33;
      for (uint32_t i = 0; i < kReplicas; ++i) {
        held_[1 + (first + i) % nodes_].push_back(static_cast<uint32_t>(id));
      }
    }
    manager_ = std::make_unique<BlockManager>(
        BlockManagerOptions{}, &clock_,
        [this] {
          NoteHold();
          return durable_.load();
        },
        1);
  }

  int Run() {
    std::printf("%lu blocks of %u replicas on %u nodes\n", blocks_, kReplicas, nodes_);
    const uint64_t before = ResidentBytes();
    Load();
    const uint64_t loaded = ResidentBytes();
    watch_holds_ = true;
    FirstReports();
    const uint64_t reported = ResidentBytes();
    std::printf("%-44s %10.1f bytes a block\n", "loaded, nothing reported",
                static_cast<double>(loaded - before) / static_cast<double>(blocks_));
    std::printf("%-44s %10.1f bytes a block\n", "all replicas reported",
                static_cast<double>(reported - before) / static_cast<double>(blocks_));
    RepeatedReports();
    watch_holds_ = false;
    Ask();
    Create();
    watch_holds_ = true;
    LoseNode();
    Balance();
    return Check() ? 0 : 1;
  }

 private:
  static std::string Id(NodeNumber node) { return "node-" + std::to_string(node); }

  NodeRegistration Registration(NodeNumber number) const {
    NodeRegistration node;
    node.number = number;
    node.id = Id(number);
    node.incarnation = 1;
    node.addresses = {"10.0.0." + std::to_string(number) + ":9866"};
    node.http_address = "10.0.0." + std::to_string(number) + ":9864";
    node.rack = "/rack" + std::to_string(number % std::max(2u, nodes_ / 40));
    node.host = "host" + std::to_string(number);
    node.storages = {{number, "storage-" + std::to_string(number), "/data", kTiB, 0, kTiB, false}};
    return node;
  }

  // Called once in every hold of the mutex. Between two of them, on the thread that works, lies one
  // hold at most; its CPU time, unlike the client's wait, does not depend on who else runs.
  void NoteHold() {
    if (!watch_holds_ || std::this_thread::get_id() != worker_) return;
    const double now = CpuSeconds();
    longest_hold_ms_ = std::max(longest_hold_ms_, 1e3 * (now - last_hold_));
    last_hold_ = now;
  }

  // Measures `work`, which does `count` things, beside a client that asks for locations.
  void Measure(const char* what, double count, const char* of, const std::function<void()>& work) {
    std::atomic<bool> stop{false};
    double longest_ms = 0;
    std::thread client([&] {
      std::mt19937_64 random(1);
      while (!stop.load()) {
        const double began = WallMs();
        manager_->Locate(1 + random() % blocks_, "", "");
        longest_ms = std::max(longest_ms, WallMs() - began);
        std::this_thread::sleep_for(std::chrono::microseconds(300));
      }
    });
    const double began = CpuSeconds();
    last_hold_ = began;
    longest_hold_ms_ = 0;
    work();
    NoteHold();
    const double seconds = CpuSeconds() - began;
    stop.store(true);
    client.join();
    std::printf("%-44s %10.3f us a %s, %.3f CPU s in all; a client waits %.2f ms at most", what,
                seconds / count * 1e6, of, seconds, longest_ms);
    if (watch_holds_) std::printf(", a hold takes %.2f CPU ms", longest_hold_ms_);
    std::printf("\n");
  }

  void Load() {
    for (NodeNumber n = 1; n <= nodes_; ++n)
      manager_->LoadNode(Registration(n), AdminState::kInService);
    const double began = CpuSeconds();
    for (BlockId id = 1; id <= blocks_; ++id) {
      BlockChange change;
      change.kind = BlockChange::Kind::kFileClosed;
      change.block = {id, id, kLength};
      change.inode = id;
      change.replication = kReplicas;
      change.block_size = kBlockSize;
      manager_->LoadBlock(change);
    }
    const double seconds = CpuSeconds() - began;
    manager_->SetIdLimits(blocks_, blocks_);
    manager_->FinishLoading();
    std::printf("%-44s %10.3f us a block, %.3f CPU s in all\n", "load blocks at the start",
                seconds / static_cast<double>(blocks_) * 1e6, seconds);
  }

  void Report(NodeNumber node) {
    const std::vector<uint32_t>& held = held_[node];
    const std::string id = Id(node);
    std::vector<ReplicaRecord> piece;
    size_t next = 0;
    bool first = true;
    do {
      piece.clear();
      for (; next < held.size() && piece.size() < kPiece; ++next) {
        piece.push_back({{held[next], held[next], kLength}});
      }
      ok_ &= manager_->FullReportPiece(id, 1, node, first, next == held.size(), piece).ok();
      first = false;
    } while (next < held.size());
  }

  void FirstReports() {
    for (NodeNumber n = 1; n <= nodes_; ++n) ok_ &= manager_->Register(Registration(n)).ok();
    Measure("first full reports", static_cast<double>(kReplicas * blocks_), "replica", [&] {
      for (NodeNumber n = 1; n <= nodes_; ++n) Report(n);
    });
  }

  void RepeatedReports() {
    clock_.AdvanceMs(1'000);
    size_t replicas = 0;
    NodeNumber last = 0;
    while (last < nodes_ && replicas < 1'000'000) replicas += held_[++last].size();
    Measure("repeated full reports", static_cast<double>(replicas), "replica", [&] {
      for (NodeNumber n = 1; n <= last; ++n) Report(n);
    });
  }

  void Beat() {
    for (NodeNumber n = 1; n <= nodes_; ++n) {
      HeartbeatReport report;
      report.storages = Registration(n).storages;
      ok_ &= manager_->Heartbeat(Id(n), 1, report).ok();
    }
  }

  void Ask() {
    Beat();
    constexpr int kTimes = 200'000;
    std::mt19937_64 random(2);
    Measure("Locate", kTimes, "call", [&] {
      for (int i = 0; i < kTimes; ++i) manager_->Locate(1 + random() % blocks_, "host3", "/rack1");
    });
    TargetRequest request;
    request.count = kReplicas;
    request.min_required = 2;
    request.writer_host = "client";
    request.block_size = kBlockSize;
    std::vector<NodeNumber> targets;
    Measure("ChooseTargets", kTimes, "call", [&] {
      for (int i = 0; i < kTimes; ++i) {
        auto chosen = manager_->ChooseTargets(request);
        ok_ &= chosen.ok();
        if (chosen.ok()) targets = *std::move(chosen);
      }
    });
    Measure("NodeAddresses", kTimes, "call", [&] {
      for (int i = 0; i < kTimes; ++i) manager_->NodeAddresses(targets);
    });
  }

  // What the edits of a create with its block and of its completion push, and what its DataNodes
  // report after.
  void Create() {
    constexpr uint64_t kFiles = 100'000;
    std::vector<Block> created;
    std::mt19937_64 random(3);
    Measure("create and complete: PushChanges and taking in", kFiles, "file", [&] {
      for (uint64_t i = 1; i <= kFiles; ++i) {
        const Block block{blocks_ + i, blocks_ + i, 0};
        const auto node = static_cast<NodeNumber>(1 + random() % (nodes_ - 2));
        const NodeNumber nodes[] = {node, node + 1, node + 2};
        BlockChange opened;
        opened.block = block;
        opened.inode = block.id;
        opened.replication = kReplicas;
        opened.block_size = kBlockSize;
        opened.pipeline.assign(nodes, nodes + kReplicas);
        Push({opened});
        BlockChange finished = opened;
        finished.kind = BlockChange::Kind::kFinished;
        finished.block.length = kLength;
        finished.pipeline.clear();
        finished.storages.assign(nodes, nodes + kReplicas);
        BlockChange closed = finished;
        closed.kind = BlockChange::Kind::kFileClosed;
        closed.storages.clear();
        Push({finished, closed});
        created.push_back(finished.block);
        for (const NodeNumber n : nodes) held_[n].push_back(static_cast<uint32_t>(block.id));
        if (i % 16 == 0) manager_->SafeModeNow();  // takes them in
      }
    });
    Measure("incremental reports of 1,000 changes", kFiles * kReplicas, "replica", [&] {
      for (NodeNumber n = 1; n <= nodes_; ++n) {
        std::vector<ReplicaChange> changes;
        const std::vector<uint32_t>& held = held_[n];
        uint64_t sequence = 0;
        for (size_t i = 0; i < held.size(); ++i) {
          if (held[i] > blocks_) {
            changes.push_back({ReplicaChange::Kind::kReceived, n, {held[i], held[i], kLength}});
          }
          if (changes.size() < 1'000 && i + 1 < held.size()) continue;
          ok_ &= manager_->IncrementalReport(Id(n), 1, ++sequence, changes).ok();
          changes.clear();
        }
      }
    });
    blocks_ += kFiles;
  }
  void Push(std::vector<BlockChange> changes) {
    manager_->PushChanges(++txid_, std::move(changes));
    durable_.store(txid_);
  }

  void LoseNode() {
    manager_->RunHeartbeatCheck();
    for (int seconds = 0; seconds < 60; seconds += 3) {
      clock_.AdvanceMs(3'000);
      HeartbeatReport report;
      for (NodeNumber n = 2; n <= nodes_; ++n) ok_ &= manager_->Heartbeat(Id(n), 1, report).ok();
    }
    const auto lost = static_cast<double>(held_[1].size());
    Measure("lose a node", lost, "replica", [&] { manager_->RunHeartbeatCheck(); });
    Measure("  the first repair round", lost, "replica", [&] { manager_->RunReplicationRound(); });
    Measure("  it comes back, with its report", lost, "replica", [&] {
      ok_ &= manager_->Register(Registration(1)).ok();
      Report(1);
    });
  }

  // One node says that it is empty, another that it is nearly full; neither has copies to make.
  void Balance() {
    const NodeNumber full = nodes_ / 2 + 1;
    const NodeNumber empty = nodes_ / 4 + 1;
    manager_->RunReplicationRound();
    for (NodeNumber n = 1; n <= nodes_; ++n) {
      HeartbeatReport report;
      report.storages = Registration(n).storages;
      StorageReport& storage = report.storages[0];
      storage.used_bytes = n == full ? kTiB / 8 * 7 : n == empty ? 0 : kTiB / 2;
      storage.remaining_bytes = kTiB - storage.used_bytes;
      ok_ &= manager_->Heartbeat(Id(n), 1, report).ok();
    }
    ok_ &= manager_->StartBalancing(10).ok();
    for (int round = 0; round < 3; ++round) {
      Measure("a round of balancing", 1, "round", [&] { manager_->RunBalanceRound(); });
    }
    const BalanceReport report = manager_->BalanceProgress();
    std::printf("%-44s %10lu\n", "moves under way", report.moves_in_flight);
    manager_->StopBalancing();
  }

  bool Check() {
    const BlockCounts counts = manager_->Report().blocks;
    const bool right = ok_ && counts == manager_->Recount() && counts.total == blocks_ &&
                       counts.missing + counts.under_replicated + counts.corrupt == 0;
    if (!right) std::printf("a call failed, or the figures are wrong\n");
    return right;
  }

  BlockId blocks_;
  const NodeNumber nodes_;
  std::vector<std::vector<uint32_t>> held_;  // by node
  ManualClock clock_;
  std::atomic<TxId> durable_{0};
  TxId txid_ = 0;
  bool ok_ = true;
  const std::thread::id worker_ = std::this_thread::get_id();
  bool watch_holds_ = false;  // costs a system call a hold
  double last_hold_ = 0;
  double longest_hold_ms_ = 0;
  std::unique_ptr<BlockManager> manager_;
};

// The number after `name`, which may end in K or M.
uint64_t Option(int argc, char** argv, const char* name, uint64_t fallback) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], name) != 0) continue;
    char* end = nullptr;
    const uint64_t value = std::strtoull(argv[i + 1], &end, 10);
    return *end == 'M' ? value * 1'000'000 : *end == 'K' ? value * 1'000 : value;
  }
  return fallback;
}

}  // namespace
}  // namespace cairn::namenode

int main(int argc, char** argv) {
  using cairn::namenode::Option;
  const uint64_t blocks = Option(argc, argv, "--blocks", 100'000);
  const auto nodes = static_cast<cairn::NodeNumber>(Option(argc, argv, "--nodes", 4));
  return cairn::namenode::Bench(blocks, nodes).Run();
}
