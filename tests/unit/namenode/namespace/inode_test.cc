// The packed records: every field alone and at its limits; a file's blocks against a vector.
#include "namenode/namespace/inode.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

#include "namenode/namespace/touch_table.h"

namespace cairn::namenode {
namespace {

class INodeTest : public testing::Test {
 protected:
  NamePool names_;
};

TEST_F(INodeTest, FieldsHoldTheirLimitsAndDoNotTouchEachOther) {
  INode inode(names_.Add("n", kMaxId));
  const auto expect = [&](uint64_t all) {
    const bool on = all != 0;
    EXPECT_EQ(inode.id(), kMaxId);
    EXPECT_EQ(inode.name(), "n");
    EXPECT_EQ(inode.parent(), on ? kMaxId : 0);
    EXPECT_EQ(inode.mtime_ms(), on ? kMaxTimeMs : 0);
    EXPECT_EQ(inode.atime_ms(), 0);
    EXPECT_EQ(inode.owner(), on ? kMaxPrincipals - 1 : 0);
    EXPECT_EQ(inode.group(), 0u);
    EXPECT_EQ(inode.mode(), on ? kMaxMode : 0);
    EXPECT_EQ(inode.replication(), on ? kMaxReplication : 0);
    EXPECT_EQ(inode.block_size(), on ? kMaxBlockSize : kChunkBytes);
    EXPECT_EQ(inode.length(), on ? kMaxBlocksPerFile * kMaxBlockSize : 0);
    EXPECT_EQ(inode.is_open(), on);
    EXPECT_FALSE(inode.is_directory());
  };
  expect(0);
  for (const bool on : {true, false}) {
    inode.set_parent(on ? kMaxId : 0);
    inode.set_mtime_ms(on ? kMaxTimeMs : 0);
    inode.set_owner(on ? kMaxPrincipals - 1 : 0);
    inode.set_mode(on ? kMaxMode : 0);
    inode.set_replication(on ? kMaxReplication : 0);
    inode.set_block_size(on ? kMaxBlockSize : kChunkBytes);
    inode.set_length(on ? kMaxBlocksPerFile * kMaxBlockSize : 0);
    inode.set_open(on);
    expect(on ? 1 : 0);
  }
  inode.set_atime_ms(kMaxTimeMs);
  inode.set_group(kMaxPrincipals - 1);
  EXPECT_EQ(inode.atime_ms(), kMaxTimeMs);
  EXPECT_EQ(inode.group(), kMaxPrincipals - 1);
  EXPECT_EQ(inode.mtime_ms(), 0);
  EXPECT_EQ(inode.owner(), 0u);
}

TEST_F(INodeTest, ABlockHoldsItsLimits) {
  BlockMeta meta(kMaxId, kMaxId, kMaxBlockSize, kMaxBlocksPerFile - 1);
  EXPECT_FALSE(meta.is_open());
  meta.set_open(true);
  EXPECT_EQ(meta.inode(), kMaxId);
  EXPECT_EQ(meta.generation(), kMaxId);
  EXPECT_EQ(meta.length(), kMaxBlockSize);
  EXPECT_EQ(meta.index(), kMaxBlocksPerFile - 1);
  EXPECT_TRUE(meta.is_open());
  meta.set_generation(1);
  meta.set_length(0);
  EXPECT_EQ(meta.inode(), kMaxId);
  EXPECT_EQ(meta.generation(), 1u);
  EXPECT_EQ(meta.index(), kMaxBlocksPerFile - 1);
}

TEST_F(INodeTest, BlocksBehaveLikeAVector) {
  INode inode(names_.Add("n", 2));
  std::vector<BlockId> model;
  std::mt19937_64 random(3);
  // Grows past several chunks and shrinks to nothing, again and again.
  for (int round = 0; round < 40; ++round) {
    const size_t target = round % 4 == 3 ? 0 : random() % (round % 2 == 0 ? 4 : 2500);
    while (model.size() < target) {
      model.push_back(1 + random() % kMaxId);
      inode.PushBlock(model.back());
      ASSERT_EQ(inode.blocks().back(), model.back());
    }
    while (model.size() > target) {
      model.pop_back();
      inode.PopBlock();
      ASSERT_EQ(inode.blocks().size(), model.size());
    }
    const BlockIds blocks = inode.blocks();
    ASSERT_EQ(std::vector<BlockId>(blocks.begin(), blocks.end()), model);
    for (size_t i = 0; i < model.size(); ++i) ASSERT_EQ(blocks[i], model[i]);
    ASSERT_EQ(blocks.empty(), model.empty());
  }
}

TEST(TouchTableTest, AnUpperBoundAndExactForNeighbours) {
  TouchTable table;
  std::map<std::pair<Aspect, INodeId>, TxId> model;
  std::mt19937_64 random(4);
  const auto aspect = [&] { return static_cast<Aspect>(random() % 3); };
  for (TxId txid = 1; txid <= 100'000; ++txid) {
    const Aspect touched = aspect();
    const INodeId id = random() % 300'000;
    table.Touch(touched, id, txid);
    model[{touched, id}] = txid;
  }
  for (const auto& [key, txid] : model) ASSERT_GE(table.Find(key.first, key.second), txid);

  TouchTable few;
  for (INodeId id = 1'000'000; id < 1'020'000; ++id) {
    few.Touch(Aspect::kINode, id, 3 * id);
    few.Touch(Aspect::kChildren, id, 3 * id + 1);
    few.Touch(Aspect::kTotals, id, 3 * id + 2);
  }
  for (INodeId id = 1'000'000; id < 1'020'000; ++id) {
    ASSERT_EQ(few.Find(Aspect::kINode, id), 3 * id);
    ASSERT_EQ(few.Find(Aspect::kChildren, id), 3 * id + 1);
    ASSERT_EQ(few.Find(Aspect::kTotals, id), 3 * id + 2);
  }
}

}  // namespace
}  // namespace cairn::namenode
