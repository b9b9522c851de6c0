// Nodes that an administrator takes out of service, for good or for a while, and that come back.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/status.h"
#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class LeavingNodesTest : public ::testing::Test {
 protected:
  ~LeavingNodesTest() override { EXPECT_EQ(cluster_.refused_copies(), 0); }

  void AddNodes(int count) {
    for (int i = 0; i < count; ++i) cluster_.AddNode();
  }
  void Set(NodeNumber number, AdminState admin) { cluster_.SetAdmin(cluster_.node(number), admin); }
  DataNodeReport Report(NodeNumber number) { return cluster_.ReportOf(cluster_.node(number)); }
  bool RunUntil(NodeNumber number, AdminState admin) {
    for (int i = 0; i < 100; ++i) {
      if (Report(number).admin_state == admin) return true;
      cluster_.Run(3'000);
      EXPECT_EQ(cluster_.Counts(), cluster_.manager().Recount());
    }
    return false;
  }
  size_t CopiesOrdered() {
    size_t copies = 0;
    for (NodeNumber n = 1; n <= cluster_.nodes(); ++n) copies += cluster_.node(n).copies.size();
    return copies;
  }
  // On disks of nodes in service.
  size_t Staying(const Block& block) {
    size_t staying = 0;
    for (NodeNumber n = 1; n <= cluster_.nodes(); ++n) {
      const FakeNode& node = cluster_.node(n);
      staying += node.admin == AdminState::kInService && node.disk.contains(block.id) ? 1 : 0;
    }
    return staying;
  }
  absl::StatusOr<std::vector<NodeNumber>> Choose(uint32_t count, uint32_t min_required) {
    TargetRequest request;
    request.count = count;
    request.min_required = min_required;
    request.writer_host = "host1";
    return cluster_.manager().ChooseTargets(request);
  }

  FakeCluster cluster_;
};

TEST_F(LeavingNodesTest, ADecommissionedNodeIsReplacedWhileItStillCounts) {
  AddNodes(5);
  std::vector<Block> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(cluster_.AddBlock({1, 2, 3}, 3));
  Set(1, AdminState::kDecommissioning);
  EXPECT_EQ(Report(1).blocks_left, 20u);
  EXPECT_EQ(Report(1).admin_reason, "waits for 20 blocks");
  EXPECT_EQ(cluster_.Counts().leaving, 20u);
  EXPECT_EQ(cluster_.Counts().under_replicated, 0u);
  EXPECT_DOUBLE_EQ(cluster_.Counts().Score(), 100);
  EXPECT_EQ(cluster_.Counts().total, 20u);
  for (int i = 0; i < 20 && Report(1).admin_state == AdminState::kDecommissioning; ++i) {
    for (const Block& block : blocks) EXPECT_GE(cluster_.Where(block).size(), 3u);
    cluster_.Run(3'000);
  }
  EXPECT_EQ(Report(1).admin_state, AdminState::kDecommissioned);
  EXPECT_EQ(Report(1).blocks_left, 0u);
  EXPECT_EQ(Report(1).admin_reason, "");
  EXPECT_EQ(cluster_.node(1).disk.size(), 20u) << "it keeps what it has";
  for (const Block& block : blocks) {
    EXPECT_EQ(Staying(block), 3u);
    EXPECT_THAT(cluster_.Where(block), Not(Contains(1)));
  }
  EXPECT_EQ(cluster_.Counts().over_replicated, 0u);
  cluster_.Run(90'000);
  EXPECT_EQ(CopiesOrdered(), 20u) << "each block was copied once";
}

TEST_F(LeavingNodesTest, TwoOfFiveLeaveAtOnce) {
  AddNodes(5);
  std::vector<Block> blocks;
  for (NodeNumber n = 0; n < 30; ++n) {
    blocks.push_back(cluster_.AddBlock({1 + n % 5, 1 + (n + 1) % 5, 1 + (n + 2) % 5}, 3));
  }
  Set(1, AdminState::kDecommissioning);
  Set(2, AdminState::kDecommissioning);
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
  ASSERT_TRUE(RunUntil(2, AdminState::kDecommissioned));
  cluster_.node(1).up = cluster_.node(2).up = false;
  cluster_.Run(90'000);
  EXPECT_DOUBLE_EQ(cluster_.Counts().Score(), 100);
  for (const Block& block : blocks) EXPECT_THAT(cluster_.Where(block), ElementsAre(3, 4, 5));
}

TEST_F(LeavingNodesTest, ALeavingNodeIsNoTargetAndTheLastChoiceOfReaders) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  for (const AdminState admin : {AdminState::kDecommissioning, AdminState::kMaintenance}) {
    Set(1, admin);
    EXPECT_THAT(*Choose(3, 1), UnorderedElementsAre(2, 3));
    EXPECT_EQ(MessageOf(Choose(3, 3).status()),
              "need 3 healthy DataNodes, 2 available; add one or use -r 2");
    const BlockLocations located = cluster_.manager().Locate(block.id, "host1", "/r");
    ASSERT_THAT(located.nodes, SizeIs(3));
    EXPECT_EQ(located.nodes.back().number, 1u);
    EXPECT_EQ(cluster_.manager().LocateOpen({1, 2}, "host1", "/r").back().number, 1u);
    EXPECT_THAT(*cluster_.manager().GoodNodes(block), Contains(1)) << "an append needs it";
  }
}

TEST_F(LeavingNodesTest, WhyItCannotLeaveIsSaid) {
  AddNodes(3);
  for (int i = 0; i < 12; ++i) cluster_.AddBlock({1, 2, 3}, 3);
  Set(1, AdminState::kDecommissioning);
  cluster_.Run(300'000);
  EXPECT_EQ(Report(1).admin_state, AdminState::kDecommissioning);
  EXPECT_EQ(Report(1).admin_reason, "waits for 12 blocks: need 3 other DataNodes, 2 available");
  cluster_.AddNode();
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
}

TEST_F(LeavingNodesTest, ThatNoOtherNodeHasRoomIsSaid) {
  AddNodes(4);
  const Block block = cluster_.AddBlock({1, 2, 3}, 3, true, 100 * kMiB);
  for (StorageReport& storage : cluster_.node(4).registration.storages) {
    storage.remaining_bytes = 10 * kMiB;
  }
  cluster_.Run(3'000);
  Set(1, AdminState::kDecommissioning);
  cluster_.Run(9'000);
  EXPECT_EQ(Report(1).admin_reason,
            "waits for 1 block: no other DataNode has room for them; add one, or space");
  cluster_.Remove(block);
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
}

TEST_F(LeavingNodesTest, AnOpenBlockIsFinishedFirst) {
  AddNodes(4);
  Block block = cluster_.NewBlock(0);
  cluster_.Open(block, {1, 2}, 2);
  for (const NodeNumber n : {1, 2}) cluster_.Write(cluster_.node(n), block);
  Set(1, AdminState::kDecommissioning);
  cluster_.Run(90'000);
  EXPECT_EQ(Report(1).admin_reason, "waits for 1 block: 1 being written");
  block.length = kMiB;
  for (const NodeNumber n : {1, 2}) cluster_.Receive(cluster_.node(n), block);
  cluster_.Finish(block, {1, 2}, 2);
  EXPECT_EQ(Report(1).blocks_left, 1u);
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
  EXPECT_EQ(Staying(block), 2u);
}

// With a target that nodes in service meet, too: one of these may turn out to have lost its
// replica.
TEST_F(LeavingNodesTest, AnAppendTakesALeavingNodesReplicaAlong) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2}, 2);
  Set(1, AdminState::kDecommissioning);
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
  EXPECT_THAT(cluster_.Where(block), ElementsAre(2, 3));
  EXPECT_THAT(*cluster_.manager().GoodNodes(block), ElementsAre(2, 3, 1));
}

// It was opened before the node began to leave.
TEST_F(LeavingNodesTest, AnOpenBlockThatMovedAwayIsNotWaitedFor) {
  AddNodes(4);
  const Block block = cluster_.NewBlock(0);
  cluster_.Open(block, {1, 2}, 2);
  Set(1, AdminState::kDecommissioning);
  cluster_.Open({block.id, cluster_.NewBlock().generation, 0}, {2, 3}, 2);
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
}

TEST_F(LeavingNodesTest, TheLeavingNodeIsASource) {
  AddNodes(2);
  const Block block = cluster_.AddBlock({1}, 1);
  Set(1, AdminState::kDecommissioning);
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
  EXPECT_THAT(cluster_.node(1).copies, SizeIs(1));
  EXPECT_THAT(cluster_.Where(block), ElementsAre(2));
}

TEST_F(LeavingNodesTest, ACopyCountsOnceItsNodeHasConfirmedIt) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2}, 2, /*report=*/false);  // provisional at 2
  ASSERT_TRUE(cluster_.SendIncremental(cluster_.node(1)).ok());
  cluster_.node(2).unsent.clear();
  Set(1, AdminState::kDecommissioning);
  cluster_.SetReplication(block, 1);
  EXPECT_EQ(Report(1).blocks_left, 1u);
  EXPECT_THAT(cluster_.manager().FindDecommissioned(), IsEmpty());
  ASSERT_TRUE(cluster_.FullReport(cluster_.node(2)).ok());
  EXPECT_EQ(Report(1).blocks_left, 0u);
  EXPECT_THAT(cluster_.manager().FindDecommissioned(), ElementsAre(1));
}

TEST_F(LeavingNodesTest, RecommissionMakesASurplusThatGoesTheNormalWay) {
  AddNodes(4);
  std::vector<Block> blocks;
  for (int i = 0; i < 10; ++i) blocks.push_back(cluster_.AddBlock({1, 2, 3}, 3));
  Set(1, AdminState::kDecommissioning);
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
  Set(1, AdminState::kInService);
  EXPECT_EQ(cluster_.Counts().over_replicated, 10u);
  ASSERT_TRUE(cluster_.RunUntilSound());
  cluster_.Run(6'000);
  for (const Block& block : blocks) EXPECT_EQ(Staying(block), 3u);
  EXPECT_THAT(*Choose(4, 4), Contains(1));
}

TEST_F(LeavingNodesTest, WhatWasLostIsRepairedBeforeWhatLeaves) {
  BlockManagerOptions options;
  options.max_copy_bytes_in_flight = 1;  // one copy at a time for each node
  FakeCluster cluster(options);
  for (int i = 0; i < 3; ++i) cluster.AddNode();
  const Block leaving = cluster.AddBlock({1, 2}, 2);
  const Block only_leaving = cluster.AddBlock({1}, 1);
  const Block at_risk = cluster.AddBlock({1}, 2);
  cluster.SetAdmin(cluster.node(1), AdminState::kDecommissioning);
  std::vector<BlockId> order;
  for (int i = 0; i < 20; ++i) {
    cluster.Run(3'000);
    for (NodeNumber n = 1; n <= 3; ++n) {
      for (const CopyReplica& copy : std::exchange(cluster.node(n).copies, {})) {
        order.push_back(copy.block.id);
      }
    }
  }
  // Two nodes can take copies: the one at risk takes both.
  ASSERT_THAT(order, SizeIs(3));
  EXPECT_EQ(order[0], at_risk.id);
  EXPECT_THAT(order, Contains(leaving.id));
  EXPECT_THAT(order, Contains(only_leaving.id));
  EXPECT_EQ(cluster.ReportOf(cluster.node(1)).admin_state, AdminState::kDecommissioned);
}

TEST_F(LeavingNodesTest, ANodeThatDiesOnItsWayOutIsRepairedLikeAnyOther) {
  AddNodes(5);
  std::vector<Block> blocks;
  for (int i = 0; i < 5; ++i) blocks.push_back(cluster_.AddBlock({1, 2, 3}, 3));
  Set(1, AdminState::kDecommissioning);
  cluster_.node(1).up = false;
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
  for (const Block& block : blocks) EXPECT_EQ(Staying(block), 3u);
}

TEST_F(LeavingNodesTest, ADeadNodeWithTheOnlyReplicaIsWaitedFor) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1}, 1);
  cluster_.node(1).up = false;
  cluster_.Run(90'000);
  Set(1, AdminState::kDecommissioning);
  cluster_.Run(90'000);
  EXPECT_EQ(Report(1).admin_state, AdminState::kDecommissioning);
  EXPECT_EQ(Report(1).admin_reason, "it is silent; waits for 1 block that may have been on it");
  cluster_.Restart(cluster_.node(1));
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
  EXPECT_EQ(Staying(block), 1u);
}

// Its writer has said that it is there, and no report has: that is forgotten while it is silent.
TEST_F(LeavingNodesTest, ASilentNodeMayHoldWhatItDidNotConfirm) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1}, 1, /*report=*/false);
  cluster_.node(1).up = false;
  Set(1, AdminState::kDecommissioning);
  cluster_.Run(30'000);
  EXPECT_EQ(cluster_.Counts().missing, 1u);
  EXPECT_EQ(Report(1).admin_state, AdminState::kDecommissioning);
  cluster_.node(1).up = true;
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));
  EXPECT_EQ(Staying(block), 1u);
}

TEST_F(LeavingNodesTest, ARestartedNameNodeGoesOn) {
  AddNodes(5);
  std::vector<Block> blocks;
  for (int i = 0; i < 10; ++i) blocks.push_back(cluster_.AddBlock({1, 2, 3}, 3));
  Set(1, AdminState::kDecommissioning);
  cluster_.RestartNameNode();
  EXPECT_EQ(Report(1).admin_reason, "waits for the end of safe mode");
  EXPECT_THAT(cluster_.manager().FindDecommissioned(), IsEmpty());
  for (NodeNumber n = 2; n <= 5; ++n) cluster_.Restart(cluster_.node(n));
  EXPECT_THAT(cluster_.manager().FindDecommissioned(), IsEmpty()) << "it may come with more";
  cluster_.Restart(cluster_.node(1));
  EXPECT_EQ(Report(1).blocks_left, 10u);
  ASSERT_TRUE(RunUntil(1, AdminState::kDecommissioned));

  // It is off for good: nobody waits for it after the next start.
  cluster_.node(1).up = false;
  cluster_.RestartNameNode();
  for (NodeNumber n = 2; n <= 5; ++n) cluster_.Restart(cluster_.node(n));
  EXPECT_EQ(Report(1).admin_state, AdminState::kDecommissioned);
  cluster_.SetReplication(blocks[0], 4);
  cluster_.Run(6'000);
  EXPECT_EQ(Staying(blocks[0]), 4u) << "repairs began without it";
}

TEST_F(LeavingNodesTest, NodesAreFoundByIdPrefixOrAddress) {
  AddNodes(12);
  BlockManager& manager = cluster_.manager();
  EXPECT_EQ(manager.FindNode("node-3")->number, 3u);
  EXPECT_EQ(manager.FindNode("node-1")->number, 1u) << "itself, though others begin so";
  EXPECT_EQ(manager.FindNode("node-12")->id, "node-12");
  EXPECT_EQ(manager.FindNode("host7:9866")->number, 7u);
  EXPECT_EQ(MessageOf(manager.FindNode("node-").status()),
            "'node-' may be 12 DataNodes, node-1 and node-2 among them; give more of the id");
  for (const char* name : {"", "host7", "x"}) {
    EXPECT_TRUE(absl::IsNotFound(manager.FindNode(name).status())) << name;
  }
}

// --- Maintenance ------------------------------------------------------------------------------

TEST_F(LeavingNodesTest, ANodeInMaintenanceMayGoWithoutCopies) {
  AddNodes(5);
  std::vector<Block> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(cluster_.AddBlock({1, 2, 3}, 3));
  Set(1, AdminState::kMaintenance);
  EXPECT_EQ(Report(1).blocks_left, 0u);
  EXPECT_EQ(Report(1).admin_reason, "");
  cluster_.node(1).up = false;
  cluster_.Run(300'000);
  EXPECT_EQ(Report(1).state, NodeState::kFailed);
  EXPECT_EQ(CopiesOrdered(), 0u);
  EXPECT_DOUBLE_EQ(cluster_.Counts().Score(), 100);
  EXPECT_EQ(cluster_.Counts(), cluster_.manager().Recount());
  for (const Block& block : blocks) EXPECT_THAT(cluster_.Where(block), ElementsAre(2, 3));

  cluster_.Restart(cluster_.node(1));
  cluster_.Run(6'000);
  EXPECT_THAT(cluster_.Where(blocks[0]), ElementsAre(1, 2, 3));
  Set(1, AdminState::kInService);
  cluster_.Run(90'000);
  EXPECT_EQ(CopiesOrdered(), 0u);
  EXPECT_EQ(cluster_.Counts().over_replicated, 0u);
  for (NodeNumber n = 1; n <= 5; ++n) EXPECT_THAT(cluster_.node(n).deleted, IsEmpty());
}

TEST_F(LeavingNodesTest, WhatNoOtherNodeHasIsCopiedBeforeMaintenance) {
  AddNodes(3);
  const Block single = cluster_.AddBlock({1}, 1);
  const Block twice = cluster_.AddBlock({1, 2}, 2);
  Set(1, AdminState::kMaintenance);
  EXPECT_EQ(Report(1).blocks_left, 1u);
  EXPECT_EQ(Report(1).admin_reason, "waits for 1 block");
  cluster_.Run(9'000);
  EXPECT_EQ(Report(1).blocks_left, 0u);
  EXPECT_EQ(Report(1).admin_reason, "");
  EXPECT_EQ(Staying(single), 1u);
  EXPECT_EQ(Staying(twice), 1u);
  Set(1, AdminState::kInService);
  ASSERT_TRUE(cluster_.RunUntilSound());
  cluster_.Run(6'000);
  EXPECT_EQ(Staying(single), 1u);
}

TEST_F(LeavingNodesTest, BlocksOfTwoNodesInMaintenanceKeepOneElsewhere) {
  AddNodes(4);
  const Block block = cluster_.AddBlock({1, 2}, 2);
  Set(1, AdminState::kMaintenance);
  EXPECT_EQ(Report(1).blocks_left, 0u);
  Set(2, AdminState::kMaintenance);
  EXPECT_EQ(Report(1).blocks_left, 1u);
  EXPECT_EQ(Report(2).blocks_left, 1u);
  cluster_.Run(9'000);
  EXPECT_EQ(Staying(block), 1u);
  EXPECT_EQ(Report(1).blocks_left + Report(2).blocks_left, 0u);
}

TEST_F(LeavingNodesTest, ALossBesideMaintenanceIsRepaired) {
  AddNodes(5);
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  Set(1, AdminState::kMaintenance);
  cluster_.node(1).up = cluster_.node(2).up = false;
  cluster_.Run(120'000);
  EXPECT_THAT(cluster_.Where(block), SizeIs(2));
  EXPECT_EQ(Staying(block), 3u) << "with what is on the dead node's disk";
  EXPECT_EQ(cluster_.Counts().under_replicated, 0u);
  EXPECT_EQ(cluster_.Counts(), cluster_.manager().Recount());
}

TEST_F(LeavingNodesTest, MaintenanceThatEndsWithoutTheNodeIsALoss) {
  AddNodes(4);
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  Set(1, AdminState::kMaintenance);
  cluster_.node(1).up = false;
  cluster_.Run(90'000);
  Set(1, AdminState::kInService);
  EXPECT_EQ(cluster_.Counts().under_replicated, 1u);
  ASSERT_TRUE(cluster_.RunUntilSound());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(2, 3, 4));
  cluster_.Restart(cluster_.node(1));
  ASSERT_TRUE(cluster_.RunUntilSound());
  EXPECT_EQ(cluster_.Counts(), cluster_.manager().Recount());
}

TEST_F(LeavingNodesTest, BlocksThatWereRemovedOrRewrittenMeanwhileGoWhenTheNodeIsBack) {
  AddNodes(4);
  const Block removed = cluster_.AddBlock({1, 2}, 2);
  const Block rewritten = cluster_.AddBlock({1, 2}, 2);
  Set(1, AdminState::kMaintenance);
  cluster_.node(1).up = false;
  cluster_.Run(90'000);
  cluster_.Remove(removed);
  const Block again{rewritten.id, cluster_.NewBlock().generation, 2 * kMiB};
  cluster_.Open(again, {2, 3}, 2);
  for (const NodeNumber n : {2, 3}) cluster_.Receive(cluster_.node(n), again);
  cluster_.Finish(again, {2, 3}, 2);
  cluster_.Restart(cluster_.node(1));
  cluster_.Run(30'000);
  EXPECT_THAT(cluster_.node(1).disk, IsEmpty());
  EXPECT_EQ(Report(1).admin_state, AdminState::kMaintenance);
  EXPECT_THAT(cluster_.Where(again), ElementsAre(2, 3));
}

}  // namespace
}  // namespace cairn::namenode
