#include "namenode/blocks/block_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;

class BlockMapTest : public ::testing::Test {
 protected:
  BlockMapTest() {
    DataNode* const nodes[] = {&first_, &first_, &second_, &third_};
    for (DataNode* node : nodes) {
      const StorageNumber number = storages_.size() + 1;
      Storage& storage = *table_.Emplace(number).first;
      storage.number = number;
      storage.node = node;
      storage.lost = storage.stale = false;
      storages_.push_back(&storage);
    }
    block_ = &map_.Make(kId);
    map_.SetStamp(kId, *block_, 5, 100);
    block_->set_replication(2);
    block_->set_phase(BlockPhase::kClosed);
  }
  void Add(int storage, GenerationStamp generation, uint64_t length, ReplicaState state) {
    map_.PutReplica(kId, *block_, {storages_[storage], generation, length, state});
  }
  ReplicaCounts Count() const { return map_.Count(kId, *block_); }
  Redundancy State() const { return RedundancyOf(*block_, Count()); }

  static constexpr BlockId kId = 77;
  DataNode first_, second_, third_;
  StorageTable table_;
  std::vector<Storage*> storages_;
  BlockMap map_{&table_};
  BlockEntry* block_ = nullptr;
};

TEST_F(BlockMapTest, WorthOfReplicas) {
  Add(0, 5, 100, ReplicaState::kFinalized);
  const auto worth = [&](GenerationStamp generation, uint64_t length, ReplicaState state) {
    return WorthOf(*block_, {storages_[0], generation, length, state});
  };
  EXPECT_EQ(worth(5, 100, ReplicaState::kFinalized), ReplicaWorth::kGood);
  EXPECT_EQ(worth(5, 100, ReplicaState::kProvisional), ReplicaWorth::kGood);
  EXPECT_EQ(worth(5, 99, ReplicaState::kFinalized), ReplicaWorth::kBad);
  EXPECT_EQ(worth(5, 100, ReplicaState::kBad), ReplicaWorth::kBad);
  EXPECT_EQ(worth(5, 100, ReplicaState::kOpen), ReplicaWorth::kNothing);
  EXPECT_EQ(worth(4, 100, ReplicaState::kFinalized), ReplicaWorth::kOutdated);
  EXPECT_EQ(worth(4, 100, ReplicaState::kBad), ReplicaWorth::kOutdated);
  EXPECT_EQ(worth(6, 100, ReplicaState::kFinalized), ReplicaWorth::kNothing);
  // Left behind by a writer that is gone: no longer of use, whatever it holds.
  EXPECT_EQ(worth(5, 100, ReplicaState::kWaiting), ReplicaWorth::kOutdated);
  EXPECT_EQ(worth(4, 100, ReplicaState::kWaiting), ReplicaWorth::kOutdated);
  EXPECT_EQ(worth(6, 100, ReplicaState::kWaiting), ReplicaWorth::kNothing);
  storages_[0]->lost = true;
  EXPECT_EQ(worth(5, 100, ReplicaState::kFinalized), ReplicaWorth::kNothing);
  storages_[0]->lost = false;
  block_->set_phase(BlockPhase::kOpen);  // its length is not known yet
  EXPECT_EQ(worth(5, 99, ReplicaState::kFinalized), ReplicaWorth::kGood);
  EXPECT_EQ(worth(5, 99, ReplicaState::kWaiting), ReplicaWorth::kNothing);  // to be settled
  EXPECT_EQ(worth(4, 99, ReplicaState::kWaiting), ReplicaWorth::kOutdated);
}

TEST_F(BlockMapTest, UnsureWhileALaterGenerationIsThere) {
  Add(0, 5, 100, ReplicaState::kFinalized);
  Add(2, 6, 100, ReplicaState::kFinalized);
  EXPECT_EQ(Count().good, 1u);
  EXPECT_TRUE(Count().unsure);
}

TEST_F(BlockMapTest, GoodReplicasAreCountedByNode) {
  Add(0, 5, 100, ReplicaState::kFinalized);
  Add(1, 5, 100, ReplicaState::kFinalized);
  EXPECT_EQ(Count().good, 1u);
  EXPECT_THAT(map_.GoodNodes(kId, *block_), ElementsAre(&first_));
  EXPECT_EQ(State(), Redundancy::kUnder);
  Add(2, 5, 100, ReplicaState::kProvisional);
  EXPECT_EQ(State(), Redundancy::kSound);
  EXPECT_TRUE(Count().unsure);
  Add(3, 5, 100, ReplicaState::kFinalized);
  EXPECT_EQ(State(), Redundancy::kOver);
}

TEST_F(BlockMapTest, CorruptAndMissing) {
  EXPECT_EQ(State(), Redundancy::kMissing);
  Add(0, 4, 100, ReplicaState::kFinalized);
  EXPECT_EQ(State(), Redundancy::kMissing);
  Add(2, 5, 100, ReplicaState::kBad);
  EXPECT_EQ(State(), Redundancy::kCorrupt);
  Add(3, 5, 100, ReplicaState::kFinalized);
  EXPECT_EQ(State(), Redundancy::kUnder);
  block_->set_phase(BlockPhase::kFinished);
  EXPECT_EQ(State(), Redundancy::kUncounted);
}

TEST_F(BlockMapTest, UnsureWhileAReportIsAwaited) {
  Add(0, 5, 100, ReplicaState::kFinalized);
  EXPECT_FALSE(Count().unsure);
  storages_[0]->stale = true;
  EXPECT_TRUE(Count().unsure);
  storages_[0]->lost = true;
  EXPECT_FALSE(Count().unsure);
}

TEST_F(BlockMapTest, StoragesKnowTheirBlocks) {
  Add(0, 5, 100, ReplicaState::kFinalized);
  Add(2, 5, 100, ReplicaState::kFinalized);
  EXPECT_TRUE(storages_[0]->blocks.contains(kId));
  EXPECT_TRUE(map_.RemoveReplica(kId, *block_, *storages_[0]));
  EXPECT_FALSE(map_.RemoveReplica(kId, *block_, *storages_[0]));
  EXPECT_TRUE(storages_[0]->blocks.empty());
  map_.Erase(kId);
  EXPECT_TRUE(storages_[2]->blocks.empty());
  EXPECT_EQ(map_.Find(kId), nullptr);
}

}  // namespace
}  // namespace cairn::namenode
