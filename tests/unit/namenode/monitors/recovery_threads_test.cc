// Many writers of a few files, who give up, are robbed, cut and append, while the monitor settles
// what they leave: nobody waits for ever, every edit is that of the holder, all files close.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "common/metrics.h"
#include "namenode/monitors/lease_monitor.h"
#include "tests/unit/namenode/namesystem/writing_fixture.h"

namespace cairn::namenode {
namespace {

constexpr int kFiles = 3;
constexpr int kClients = 4;
constexpr int kAppendsPerClient = 20;
constexpr int kMaxSteps = 1'000'000;  // of a client; most find the file in other hands
constexpr int kSettleSteps = 500;

// What DataNodes do: they beat, and carry recoveries out as well as they can.
class Nodes {
 public:
  Nodes(Writing* w, uint64_t seed) : w_(*w), random_(seed), nodes_(w->AddNodes()) {}

  const std::map<NodeNumber, Writing::Node>& all() const { return nodes_; }
  // Finalizes a replica and reports it; false: one of a later stamp is here.
  bool Receive(NodeNumber number, const Block& block) {
    MutexLock lock(mu_);
    GenerationStamp& generation = replicas_[{number, block.id}];
    if (generation > block.generation) return false;
    generation = block.generation;
    w_.Report(nodes_.at(number), ReplicaChange::Kind::kReceived, block);
    return true;
  }
  void Step() {
    w_.door.clock.AdvanceMs(1000);
    for (const auto& [number, node] : nodes_) {
      for (const NodeCommand& command : w_.Beat(node)) {
        if (const auto* order = std::get_if<RecoverBlock>(&command)) Recover(node, *order);
      }
    }
    w_.door.blocks.RunHeartbeatCheck();
  }

 private:
  void Recover(const Writing::Node& primary, const RecoverBlock& order) {
    if (random_() % 4 == 0) return;  // it fails
    Block settled{order.block.id, order.recovery, order.block.length};
    if (!order.cut) settled.length += random_() % 100;
    std::vector<StorageNumber> storages;
    for (const NodeAddress& member : order.members) {
      if (!Receive(member.number, settled)) return;
      storages.push_back(nodes_.at(member.number).storage);
    }
    const absl::Status committed = w_.Commit(primary, settled, storages);
    EXPECT_TRUE(committed.ok() || absl::IsFailedPrecondition(committed) ||
                absl::IsNotFound(committed))
        << committed;
  }

  Writing& w_;
  std::mt19937_64 random_;
  const std::map<NodeNumber, Writing::Node> nodes_;
  Mutex mu_;
  std::map<std::pair<NodeNumber, BlockId>, GenerationStamp> replicas_ ABSL_GUARDED_BY(mu_);
};

class Client {
 public:
  Client(Writing* w, uint8_t who, Nodes* nodes) : w_(*w), who_(who), random_(who), nodes_(*nodes) {}

  int appends() const { return appends_; }
  void Step() {
    const std::string path = fmt::format("/f{}", random_() % kFiles);
    switch (random_() % 8) {
      case 0:
        return static_cast<void>(w_.RecoverLease(who_, path));
      case 1:
        return static_cast<void>(w_.Truncate(who_, path, random_() % 50));
      default:
        return Append(path);
    }
  }

 private:
  void Append(const std::string& path) {
    const absl::StatusOr<AppendedFile> file = w_.Append(who_, path);
    if (!file.ok()) {
      const ErrorKind kind = KindOf(file.status());
      EXPECT_TRUE(kind == ErrorKind::kBeingWritten || kind == ErrorKind::kRecoveryInProgress)
          << file.status();
      std::this_thread::yield();
      return;
    }
    ++appends_;
    Block block;
    if (file->block.has_value()) {
      block = file->block->block;
    } else {
      const absl::StatusOr<LocatedBlock> added = w_.AddBlock(who_, file->inode);
      if (!added.ok()) return ExpectRobbed(added.status());
      block = added->block;
    }
    if (random_() % 4 == 0) return;  // it is never heard of again
    const absl::StatusOr<IssuedStamp> stamp = w_.NewStamp(who_, file->inode, block);
    if (!stamp.ok()) return ExpectRobbed(stamp.status());
    std::vector<NodeNumber> pipeline = {1, 2, 3};
    const absl::Status updated =
        w_.UpdatePipeline(who_, file->inode, block, stamp->generation, pipeline);
    if (!updated.ok()) return ExpectRobbed(updated);
    if (random_() % 4 == 0) return;
    const Block done{block.id, stamp->generation, block.length + 1 + random_() % 100};
    std::vector<StorageNumber> storages;
    for (const NodeNumber n : pipeline) {
      if (!nodes_.Receive(n, done)) return;  // it was robbed, and the block recovered
      storages.push_back(nodes_.all().at(n).storage);
    }
    const absl::Status completed = w_.Complete(who_, file->inode, {{done, storages}});
    if (!completed.ok()) ExpectRobbed(completed);
  }
  static void ExpectRobbed(const absl::Status& status) {
    EXPECT_EQ(KindOf(status), ErrorKind::kLeaseLost) << status;
  }

  Writing& w_;
  const uint8_t who_;
  std::mt19937_64 random_;
  Nodes& nodes_;
  int appends_ = 0;
};

// Every edit of a writer is that of the file's holder at its place in the journal.
class HolderCheck {
 public:
  void Take(const EditRecord& record) {
    const ClientId caller = record.retry.has_value() ? record.retry->client : kNameNodeHolder;
    if (const auto* create = std::get_if<CreateEdit>(&record.edit)) {
      holders_[create->inode] = create->holder;
    } else if (const auto* append = std::get_if<AppendEdit>(&record.edit)) {
      EXPECT_FALSE(holders_.contains(append->inode)) << "appended to while it was open";
      holders_[append->inode] = append->holder;
    } else if (const auto* taken = std::get_if<TakeOverEdit>(&record.edit)) {
      holders_[taken->inode] = kNameNodeHolder;
    } else if (const auto* stamp = std::get_if<NewStampEdit>(&record.edit)) {
      Expect(stamp->inode, caller);
    } else if (const auto* update = std::get_if<UpdatePipelineEdit>(&record.edit)) {
      Expect(update->inode, caller);
    } else if (const auto* add = std::get_if<AddBlockEdit>(&record.edit)) {
      Expect(add->inode, caller);
    } else if (const auto* done = std::get_if<CompleteEdit>(&record.edit)) {
      Expect(done->inode, caller);
    }
  }
  void Closed(INodeId inode) { holders_.erase(inode); }
  void EachOpen(const std::function<void(INodeId)>& fn) const {
    for (const auto& [inode, holder] : holders_) fn(inode);
  }

 private:
  void Expect(INodeId inode, const ClientId& caller) {
    const auto it = holders_.find(inode);
    ASSERT_TRUE(it != holders_.end());
    EXPECT_EQ(it->second, caller);
  }
  std::map<INodeId, ClientId> holders_;
};

// Applies the journal from its beginning, checking each writer's edit; returns the state.
FsState ReplayChecked(const std::vector<std::string>& records) {
  FsState state = FsState::Format("root", "supergroup", 0);
  HolderCheck check;
  TxId txid = 0;
  for (const std::string& bytes : records) {
    const absl::StatusOr<EditRecord> record = DecodeEdit(bytes);
    EXPECT_TRUE(record.ok()) << record.status();
    check.Take(*record);
    EXPECT_TRUE(Apply(state, ++txid, *record).ok());
    std::vector<INodeId> closed;
    check.EachOpen([&](INodeId inode) {
      if (!state.FindINode(inode)->is_open()) closed.push_back(inode);
    });
    for (const INodeId inode : closed) check.Closed(inode);
  }
  return state;
}

TEST(RecoveryThreadsTest, WritersWhoRobEachOtherLeaveEveryFileWhole) {
  Writing w;
  Nodes nodes(&w, 1);
  LeaseMonitor monitor(&w.door.clock, &w.door.namesystem, &w.door.blocks, {}, &w.door.metrics);
  for (int i = 0; i < kFiles; ++i) w.WriteFile(fmt::format("/f{}", i), 30, nodes.all());
  w.door.journal.Hold();

  std::atomic<bool> writing{true};
  std::atomic<bool> syncing{true};
  std::thread syncer([&] {
    while (syncing.load()) w.door.journal.Sync();
  });
  std::thread datanodes([&] {
    while (writing.load()) nodes.Step();
  });
  std::thread monitoring([&] {
    while (writing.load()) EXPECT_EQ(monitor.RunOnce(), absl::OkStatus());
  });
  std::vector<std::thread> clients;
  for (uint8_t who = 1; who <= kClients; ++who) {
    clients.emplace_back([&w, &nodes, who] {
      Client client(&w, who, &nodes);
      for (int i = 0; i < kMaxSteps && client.appends() < kAppendsPerClient; ++i) client.Step();
      EXPECT_EQ(client.appends(), kAppendsPerClient);
    });
  }
  for (std::thread& client : clients) client.join();
  writing.store(false);
  datanodes.join();
  monitoring.join();

  // All writers are gone now.
  int open = kFiles;
  for (int i = 0; i < kSettleSteps && open > 0; ++i) {
    nodes.Step();
    EXPECT_EQ(monitor.RunOnce(), absl::OkStatus());
    open = 0;
    for (int f = 0; f < kFiles; ++f) {
      open += *w.RecoverLease(9, fmt::format("/f{}", f)) ? 0 : 1;
    }
  }
  EXPECT_EQ(open, 0);
  syncing.store(false);
  syncer.join();
  w.door.journal.Flow();

  EXPECT_EQ(w.door.blocks.Report().blocks, w.door.blocks.Recount());
  EXPECT_EQ(w.door.blocks.Report().blocks.missing, 0u);
  const FsState replayed = ReplayChecked(w.door.journal.records());
  w.door.namesystem.Peek([&](const FsState& live) { EXPECT_EQ(live.digest(), replayed.digest()); });
}

}  // namespace
}  // namespace cairn::namenode
