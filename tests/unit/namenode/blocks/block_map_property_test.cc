// The packed block map against a plain one: replicas of any generation, length and state, blocks
// whose own change, storages that are lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "namenode/blocks/block_map.h"

namespace cairn::namenode {
namespace {

constexpr StorageNumber kStorages = 7;

struct PlainReplica {
  GenerationStamp generation = 0;
  uint64_t length = 0;
  ReplicaState state = ReplicaState::kOpen;
};
struct PlainBlock {
  GenerationStamp generation = 0;
  uint64_t length = 0;
  INodeId inode = 0;
  uint32_t replication = 0;
  BlockPhase phase = BlockPhase::kOpen;
  std::map<StorageNumber, PlainReplica> replicas;
};

class BlockMapPropertyTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  BlockMapPropertyTest() : random_(GetParam()) {
    for (StorageNumber number = 1; number <= kStorages; ++number) {
      Storage& storage = *storages_.Emplace(number).first;
      storage.number = number;
      storage.node = &nodes_[number / 2];  // two storages a node
      storage.lost = storage.stale = false;
    }
  }
  uint64_t Draw(uint64_t below) { return random_() % below; }
  GenerationStamp Generation() {
    if (Draw(20) == 0) return random_();  // what a DataNode says may be anything
    return 100 + Draw(3);
  }
  uint64_t Length() {
    if (Draw(20) == 0) return random_();
    return Draw(3) << 39;
  }

  void Step() {
    const BlockId id = 1 + Draw(40);
    switch (Draw(10)) {
      case 0:
        return Make(id);
      case 1: {
        if (!plain_.contains(id) || Draw(4) > 0) return;
        map_.Erase(id);
        plain_.erase(id);
        return;
      }
      case 2:
        return Stamp(id);
      case 3:
        return Remove(id);
      case 4:
        return Lose();
      default:
        return Put(id);
    }
  }
  void Make(BlockId id) {
    BlockEntry& entry = map_.Make(id);
    PlainBlock& plain = plain_[id];
    plain.inode = random_();
    plain.replication = static_cast<uint32_t>(Draw(513));
    entry.set_inode(plain.inode);
    entry.set_replication(plain.replication);
  }
  void Stamp(BlockId id) {
    const auto it = plain_.find(id);
    if (it == plain_.end()) return;
    PlainBlock& plain = it->second;
    plain.generation = Generation();
    plain.length = Length() & ((uint64_t{1} << BlockEntry::kLengthBits) - 1);
    plain.phase = static_cast<BlockPhase>(Draw(3));
    BlockEntry& entry = *map_.Find(id);
    map_.SetStamp(id, entry, plain.generation, plain.length);
    entry.set_phase(plain.phase);
  }
  void Put(BlockId id) {
    const auto it = plain_.find(id);
    if (it == plain_.end()) return;
    const StorageNumber number = 1 + Draw(kStorages);
    // Mostly as the namespace has it, as in life.
    const bool usual = Draw(3) > 0;
    const PlainReplica replica{
        usual ? it->second.generation : Generation(), usual ? it->second.length : Length(),
        usual ? ReplicaState::kFinalized : static_cast<ReplicaState>(Draw(5))};
    it->second.replicas[number] = replica;
    map_.PutReplica(id, *map_.Find(id),
                    {storages_.Find(number), replica.generation, replica.length, replica.state});
  }
  void Remove(BlockId id) {
    const auto it = plain_.find(id);
    if (it == plain_.end()) return;
    const StorageNumber number = 1 + Draw(kStorages);
    EXPECT_EQ(map_.RemoveReplica(id, *map_.Find(id), *storages_.Find(number)),
              it->second.replicas.erase(number) > 0);
  }
  void Lose() {
    Storage& storage = *storages_.Find(1 + Draw(kStorages));
    storage.lost = !storage.lost;
    if (!storage.lost || Draw(2) > 0) return;
    for (const BlockId id : storage.blocks.From(0, 1'000)) {
      EXPECT_TRUE(map_.RemoveReplica(id, *map_.Find(id), storage));
      EXPECT_EQ(plain_.at(id).replicas.erase(storage.number), 1u);
    }
    EXPECT_TRUE(storage.blocks.empty());
  }

  void Check() {
    ASSERT_EQ(map_.size(), plain_.size());
    std::map<StorageNumber, std::set<BlockId>> on;
    size_t with_records = 0;
    for (const auto& [id, plain] : plain_) {
      const BlockEntry& entry = *map_.Find(id);
      ASSERT_EQ(
          std::tuple(entry.generation(), entry.length(), entry.inode(), entry.replication(),
                     entry.phase()),
          std::tuple(plain.generation, plain.length, plain.inode, plain.replication, plain.phase));
      CheckReplicas(id, entry, plain);
      size_t usual = 0;
      for (const auto& [number, replica] : plain.replicas) {
        on[number].insert(id);
        usual += replica.generation == plain.generation && replica.length == plain.length &&
                 (replica.state == ReplicaState::kFinalized ||
                  replica.state == ReplicaState::kProvisional);
      }
      with_records += usual < plain.replicas.size() || usual > 3;
    }
    ASSERT_EQ(map_.records(), with_records);
    for (StorageNumber number = 1; number <= kStorages; ++number) {
      const std::vector<BlockId> listed = storages_.Find(number)->blocks.From(0, 1'000);
      const std::set<BlockId>& held = on[number];
      ASSERT_TRUE(std::equal(listed.begin(), listed.end(), held.begin(), held.end()));
    }
  }
  void CheckReplicas(BlockId id, const BlockEntry& entry, const PlainBlock& plain) {
    std::map<StorageNumber, PlainReplica> found;
    map_.ForEachReplica(id, entry, [&](const Replica& replica) {
      const PlainReplica as_plain{replica.generation, replica.length, replica.state};
      ASSERT_TRUE(found.emplace(replica.storage->number, as_plain).second);
    });
    ASSERT_EQ(found.size(), plain.replicas.size());
    uint32_t bad = 0;
    uint32_t outdated = 0;
    std::set<DataNode*> good;
    for (const auto& [number, expected] : plain.replicas) {
      const PlainReplica& replica = found.at(number);
      ASSERT_EQ(std::tuple(replica.generation, replica.length, replica.state),
                std::tuple(expected.generation, expected.length, expected.state));
      Storage& storage = *storages_.Find(number);
      const auto one = map_.FindReplica(id, entry, storage);
      ASSERT_TRUE(one.has_value() && one->generation == expected.generation);
      const ReplicaWorth worth = WorthOf(entry, *one);
      bad += worth == ReplicaWorth::kBad;
      outdated += worth == ReplicaWorth::kOutdated;
      if (worth == ReplicaWorth::kGood) good.insert(storage.node);
    }
    const ReplicaCounts counts = map_.Count(id, entry);
    ASSERT_EQ(std::tuple(counts.good, counts.bad, counts.outdated),
              std::tuple(good.size(), bad, outdated));
    const Nodes nodes = map_.GoodNodes(id, entry);
    ASSERT_EQ(std::set<DataNode*>(nodes.begin(), nodes.end()), good);
    ASSERT_EQ(nodes.size(), good.size());
  }

  std::mt19937_64 random_;
  DataNode nodes_[kStorages];
  StorageTable storages_;
  BlockMap map_{&storages_};
  std::map<BlockId, PlainBlock> plain_;
};

TEST_P(BlockMapPropertyTest, IsAsIfNothingWerePacked) {
  for (int i = 0; i < 3'000; ++i) {
    SCOPED_TRACE(i);
    Step();
    if (i % 3 == 0) Check();
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, BlockMapPropertyTest, ::testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace cairn::namenode
