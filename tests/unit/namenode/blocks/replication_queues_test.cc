#include "namenode/blocks/replication_queues.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<BlockId> All(const ReplicationQueues& queues) {
  ReplicationQueues::Cursor cursor;
  return queues.NextRepairs(cursor, 100);
}

TEST(ReplicationQueuesTest, MostEndangeredFirstThenInOrder) {
  ReplicationQueues queues;
  queues.PutRepair(9, RepairPriority::kOther);
  queues.PutRepair(5, RepairPriority::kHasBad);
  queues.PutRepair(7, RepairPriority::kLastReplica);
  queues.PutRepair(3, RepairPriority::kLastReplica);
  EXPECT_THAT(All(queues), ElementsAre(7, 3, 5, 9));
  queues.PutRepair(9, RepairPriority::kLastReplica);
  queues.PutRepair(7, RepairPriority::kLastReplica);  // keeps its place
  EXPECT_THAT(All(queues), ElementsAre(7, 3, 9, 5));
  queues.RemoveRepair(3);
  queues.RemoveRepair(1000);
  EXPECT_THAT(All(queues), ElementsAre(7, 9, 5));
}

TEST(ReplicationQueuesTest, WhatWasLostComesBeforeWhatLeaves) {
  ReplicationQueues queues;
  queues.PutRepair(1, RepairPriority::kMisplaced);
  queues.PutRepair(2, RepairPriority::kLeaving);
  queues.PutRepair(3, RepairPriority::kLeavingAll);
  queues.PutRepair(4, RepairPriority::kOther);
  EXPECT_THAT(All(queues), ElementsAre(4, 3, 2, 1));
  queues.SetRepairAside(3);
  EXPECT_TRUE(queues.RepairAside(3));
  EXPECT_FALSE(queues.RepairAside(2));
}

TEST(ReplicationQueuesTest, CursorGoesOnWhileBlocksComeAndGo) {
  ReplicationQueues queues;
  for (BlockId id = 1; id <= 5; ++id) queues.PutRepair(id, RepairPriority::kOther);
  ReplicationQueues::Cursor cursor;
  EXPECT_THAT(queues.NextRepairs(cursor, 2), ElementsAre(1, 2));
  queues.RemoveRepair(1);
  queues.RemoveRepair(3);
  queues.PutRepair(6, RepairPriority::kOther);
  EXPECT_THAT(queues.NextRepairs(cursor, 2), ElementsAre(4, 5));
  EXPECT_THAT(queues.NextRepairs(cursor, 2), ElementsAre(6));
  EXPECT_THAT(queues.NextRepairs(cursor, 2), IsEmpty());
}

TEST(ReplicationQueuesTest, AsideUntilRequeued) {
  ReplicationQueues queues;
  queues.PutRepair(1, RepairPriority::kOther);
  queues.PutRepair(2, RepairPriority::kOther);
  queues.SetRepairAside(1);
  queues.SetRepairAside(2);
  EXPECT_THAT(All(queues), IsEmpty());
  EXPECT_EQ(queues.repairs(), 2u);
  queues.PutRepair(2, RepairPriority::kOther);  // something about it changed
  EXPECT_THAT(All(queues), ElementsAre(2));
  EXPECT_TRUE(queues.RequeueRepairs(1));
  EXPECT_THAT(All(queues), ElementsAre(2, 1));
  queues.SetRepairAside(1);
  queues.RemoveRepair(1);
  EXPECT_EQ(queues.repairs_aside(), 0u);
}

TEST(ReplicationQueuesTest, RequeuedInSlices) {
  ReplicationQueues queues;
  for (BlockId id = 1; id <= 5; ++id) {
    queues.PutRepair(id, RepairPriority::kOther);
    queues.SetRepairAside(id);
  }
  EXPECT_FALSE(queues.RequeueRepairs(2));
  EXPECT_THAT(All(queues), ElementsAre(1, 2));
  EXPECT_EQ(queues.repairs_aside(), 3u);
  EXPECT_TRUE(queues.RequeueRepairs(3));
  EXPECT_THAT(All(queues), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(queues.repairs(), 5u);
}

TEST(ReplicationQueuesTest, Surplus) {
  ReplicationQueues queues;
  for (const BlockId id : {4, 2, 8}) queues.PutSurplus(id);
  EXPECT_THAT(queues.NextSurplus(0, 2), ElementsAre(2, 4));
  EXPECT_THAT(queues.NextSurplus(5, 2), ElementsAre(8));
  queues.SetSurplusAside(4);
  queues.SetSurplusAside(2);
  EXPECT_THAT(queues.NextSurplus(0, 9), ElementsAre(8));
  queues.PutSurplus(2);
  EXPECT_THAT(queues.NextSurplus(0, 9), ElementsAre(2, 8));
  queues.RequeueSurplus();
  EXPECT_THAT(queues.NextSurplus(0, 9), ElementsAre(2, 4, 8));
  queues.RemoveSurplus(8);
  EXPECT_EQ(queues.surplus(), 2u);
}

}  // namespace
}  // namespace cairn::namenode
