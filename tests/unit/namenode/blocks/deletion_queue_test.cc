#include "namenode/blocks/deletion_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<NodeNumber> Expire(DeletionQueue& deletions, int64_t now_ms) {
  bool done = false;
  std::vector<NodeNumber> nodes = deletions.Expire(now_ms, 100, &done);
  EXPECT_TRUE(done);
  return nodes;
}

TEST(DeletionQueueTest, GivenOnceRememberedUntilDone) {
  DeletionQueue deletions;
  deletions.Add(1, {7, 3, 100});
  deletions.Add(1, {7, 3, 100});
  deletions.Add(1, {7, 4, 100});
  deletions.Add(2, {7, 3, 100});
  EXPECT_THAT(deletions.Take(1, 10, 1000), SizeIs(2));
  EXPECT_THAT(deletions.Take(1, 10, 1000), IsEmpty());
  EXPECT_TRUE(deletions.Contains(1, 7, 3));
  deletions.Add(1, {7, 3, 100});
  EXPECT_THAT(deletions.Take(1, 10, 1000), IsEmpty());
  deletions.Done(1, 7, 3);
  EXPECT_FALSE(deletions.Contains(1, 7, 3));
  EXPECT_TRUE(deletions.Contains(1, 7));  // generation 4
  deletions.Done(1, 7, 4);
  EXPECT_FALSE(deletions.Contains(1, 7));
  EXPECT_TRUE(deletions.Contains(2, 7));
}

TEST(DeletionQueueTest, ExcessIsAskedForOnceMore) {
  DeletionQueue deletions;
  const Block wanted{7, 3, 100};
  const Block excess{8, 3, 100};
  deletions.AddExcess(1, 11, wanted);
  deletions.AddExcess(1, 12, excess);
  EXPECT_TRUE(deletions.Contains(1, 7, 3));
  EXPECT_TRUE(deletions.Contains(1, 7));
  EXPECT_EQ(deletions.size(), 2u);
  EXPECT_THAT(deletions.Take(1, 10, 1000), IsEmpty());
  const auto keep = [&](StorageNumber storage, const Block& block) {
    EXPECT_EQ(storage, block == wanted ? 11u : 12u);
    return block == wanted;
  };
  EXPECT_THAT(deletions.TakeExcess(1, 10, 1000, keep), ElementsAre(excess));
  EXPECT_FALSE(deletions.Contains(1, 7));
  EXPECT_TRUE(deletions.Contains(1, 8));  // under way
  EXPECT_THAT(Expire(deletions, 1000), ElementsAre(1));
  EXPECT_EQ(deletions.size(), 0u);
}

TEST(DeletionQueueTest, WhatMustGoIsNoExcess) {
  DeletionQueue deletions;
  const Block block{7, 3, 100};
  deletions.AddExcess(1, 11, block);
  deletions.AddUntracked(1, block);  // but the node has it: its report is awaited
  deletions.AddExcess(1, 11, block);
  const auto keep = [](StorageNumber, const Block&) { return true; };
  EXPECT_THAT(deletions.TakeExcess(1, 10, 1000, keep), IsEmpty());
  EXPECT_THAT(deletions.Take(1, 10, 1000), ElementsAre(block));
  deletions.AddExcess(1, 11, block);
  EXPECT_THAT(deletions.TakeExcess(1, 10, 1000, keep), IsEmpty());
  EXPECT_TRUE(deletions.Contains(1, 7, 3));
  deletions.Done(1, 7, 3);
  deletions.AddExcess(1, 11, block);
  deletions.Done(1, 7, 3);  // it went by itself
  EXPECT_EQ(deletions.size(), 0u);
}

TEST(DeletionQueueTest, ExcessHasALimitToo) {
  DeletionQueue deletions;
  for (BlockId id = 1; id <= 5; ++id) deletions.AddExcess(1, 11, {id, 1, 0});
  const auto keep = [](StorageNumber, const Block& block) { return block.id == 2; };
  EXPECT_THAT(deletions.TakeExcess(1, 3, 1000, keep), SizeIs(3));  // 1, 3, 4
  EXPECT_EQ(deletions.size(), 4u);
  EXPECT_THAT(deletions.TakeExcess(1, 3, 1000, keep), SizeIs(1));
}

TEST(DeletionQueueTest, Limits) {
  DeletionQueue deletions;
  for (BlockId id = 1; id <= 5; ++id) deletions.Add(1, {id, 1, 0});
  EXPECT_THAT(deletions.Take(1, 3, 1000), SizeIs(3));
  EXPECT_THAT(Expire(deletions, 999), IsEmpty());
  EXPECT_EQ(deletions.size(), 5u);
  EXPECT_THAT(Expire(deletions, 1000), ElementsAre(1));
  EXPECT_EQ(deletions.size(), 2u);
  EXPECT_THAT(deletions.Take(1, 3, 2000), SizeIs(2));
}

TEST(DeletionQueueTest, AnEarlierOrderOfTheSameDoesNotEndALaterOne) {
  DeletionQueue deletions;
  const Block block{7, 3, 100};
  deletions.Add(1, block);
  EXPECT_THAT(deletions.Take(1, 10, 1000), SizeIs(1));
  deletions.Done(1, 7, 3);
  deletions.Add(1, block);  // still queued when the first would be due
  EXPECT_THAT(Expire(deletions, 1500), IsEmpty());
  EXPECT_TRUE(deletions.Contains(1, 7, 3));
  EXPECT_THAT(deletions.Take(1, 10, 3000), SizeIs(1));
  EXPECT_THAT(Expire(deletions, 2999), IsEmpty());
  EXPECT_THAT(Expire(deletions, 3000), ElementsAre(1));
  EXPECT_EQ(deletions.size(), 0u);
}

TEST(DeletionQueueTest, AnOrderIsGivenOnceEvenIfItStandsInTheQueueTwice) {
  DeletionQueue deletions;
  deletions.Add(1, {7, 3, 100});
  deletions.Done(1, 7, 3);
  deletions.Add(1, {7, 3, 100});
  EXPECT_THAT(deletions.Take(1, 10, 1000), SizeIs(1));
}

TEST(DeletionQueueTest, AnUntrackedOrderIsGivenOnceAndForgotten) {
  DeletionQueue deletions;
  deletions.AddUntracked(1, {7, 3, 100});
  deletions.AddUntracked(1, {7, 3, 100});
  EXPECT_TRUE(deletions.Contains(1, 7));
  EXPECT_THAT(deletions.Take(1, 10, 1000), SizeIs(1));
  EXPECT_EQ(deletions.size(), 0u);
  EXPECT_THAT(Expire(deletions, 2000), IsEmpty());

  // Of a replica that is known, in either order, a report is awaited.
  deletions.AddUntracked(1, {7, 3, 100});
  deletions.Add(1, {7, 3, 100});
  deletions.Add(2, {7, 3, 100});
  deletions.AddUntracked(2, {7, 3, 100});
  EXPECT_THAT(deletions.Take(1, 10, 3000), SizeIs(1));
  EXPECT_THAT(deletions.Take(2, 10, 3000), SizeIs(1));
  EXPECT_EQ(Expire(deletions, 3000), (std::vector<NodeNumber>{1, 2}));
}

TEST(DeletionQueueTest, DropNode) {
  DeletionQueue deletions;
  deletions.Add(1, {1, 1, 0});
  deletions.Add(1, {2, 1, 0});
  deletions.Add(2, {1, 1, 0});
  EXPECT_THAT(deletions.Take(1, 1, 1000), SizeIs(1));
  deletions.DropNode(1);
  EXPECT_EQ(deletions.size(), 1u);
  EXPECT_THAT(deletions.Take(1, 9, 1000), IsEmpty());
  EXPECT_THAT(deletions.Take(2, 9, 1000), SizeIs(1));
  EXPECT_THAT(deletions.TakeDropped(), SizeIs(1));
  EXPECT_THAT(deletions.TakeDropped(), IsEmpty());
}

TEST(DeletionQueueTest, ExpiresInSlices) {
  DeletionQueue deletions;
  for (BlockId id = 1; id <= 4; ++id) deletions.Add(1, {id, 1, 0});
  EXPECT_THAT(deletions.Take(1, 9, 1000), SizeIs(4));
  bool done = true;
  EXPECT_THAT(deletions.Expire(1000, 3, &done), ElementsAre(1));
  EXPECT_FALSE(done);
  EXPECT_EQ(deletions.size(), 1u);
  EXPECT_THAT(deletions.Expire(1000, 3, &done), ElementsAre(1));
  EXPECT_TRUE(done);
  EXPECT_EQ(deletions.size(), 0u);
}

}  // namespace
}  // namespace cairn::namenode
