// Losses and what brings the cluster back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/status.h"
#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RepairTest : public ::testing::Test {
 protected:
  ~RepairTest() override { EXPECT_EQ(cluster_.refused_copies(), 0); }

  void AddNodes(int count, const std::string& rack = "/r") {
    for (int i = 0; i < count; ++i) cluster_.AddNode(rack);
  }
  void Bad(NodeNumber number, const Block& block) {
    const FakeNode& node = cluster_.node(number);
    ASSERT_TRUE(
        cluster_.manager()
            .BadReplica(node.registration.id, node.registration.incarnation, node.storage(), block)
            .ok());
  }
  size_t CopiesOrdered() {
    size_t copies = 0;
    for (const DataNodeReport& node : cluster_.manager().Report().datanodes) {
      copies += cluster_.node(node.number).copies.size();
    }
    return copies;
  }
  void ExpectCountsAreRight() { EXPECT_EQ(cluster_.Counts(), cluster_.manager().Recount()); }

  FakeCluster cluster_;
};

TEST_F(RepairTest, DeadNodeIsReplacedAndWelcomedBack) {
  AddNodes(4);
  std::vector<Block> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(cluster_.AddBlock({1, 2, 3}, 3));
  cluster_.node(3).up = false;
  cluster_.Run(57'000);
  EXPECT_EQ(cluster_.Counts().under_replicated, 0u);
  EXPECT_EQ(CopiesOrdered(), 0u);
  cluster_.Run(3'000);
  EXPECT_EQ(cluster_.Counts().under_replicated, 20u);
  ASSERT_TRUE(cluster_.RunUntilSound());
  for (const Block& block : blocks) EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2, 4));
  ExpectCountsAreRight();

  cluster_.Restart(cluster_.node(3));
  EXPECT_EQ(cluster_.Counts().over_replicated, 20u);
  ASSERT_TRUE(cluster_.RunUntilSound());
  cluster_.Run(6'000);
  size_t replicas = 0;
  for (NodeNumber n = 1; n <= 4; ++n) {
    replicas += cluster_.node(n).disk.size();
    for (const Block& deleted : cluster_.node(n).deleted) {
      EXPECT_EQ(deleted.generation, blocks[deleted.id - 1].generation);
    }
  }
  EXPECT_EQ(replicas, 60u);
  ExpectCountsAreRight();
}

TEST_F(RepairTest, ReplicasOfOneRackAreSpreadOnceThereIsAnother) {
  AddNodes(4, "/a");
  std::vector<Block> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(cluster_.AddBlock({1, 2, 3}, 3));
  const Block single = cluster_.AddBlock({1}, 1);
  cluster_.Run(9'000);
  EXPECT_EQ(cluster_.Counts().misplaced, 0u);
  AddNodes(2, "/b");
  cluster_.Run(3'000);
  EXPECT_EQ(cluster_.Counts().misplaced + cluster_.Counts().over_replicated, 20u);
  ExpectCountsAreRight();
  EXPECT_DOUBLE_EQ(cluster_.Counts().Score(), 100);
  ASSERT_TRUE(cluster_.RunUntilSound());
  EXPECT_EQ(cluster_.Counts().misplaced, 0u);
  for (const Block& block : blocks) {
    EXPECT_THAT(cluster_.Where(block), SizeIs(3));
    EXPECT_THAT(cluster_.Where(block), AnyOf(Contains(5), Contains(6)));
  }
  EXPECT_THAT(cluster_.Where(single), ElementsAre(1));
  ExpectCountsAreRight();
}

TEST_F(RepairTest, MisplacedReplicasWaitForTheOtherRack) {
  AddNodes(3, "/a");
  AddNodes(1, "/b");
  cluster_.node(4).up = false;
  cluster_.Run(61'000);  // dead
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  cluster_.Run(130'000);
  EXPECT_EQ(cluster_.Counts().misplaced, 1u);
  EXPECT_EQ(CopiesOrdered(), 0u);
  cluster_.Restart(cluster_.node(4));
  cluster_.Run(130'000);
  EXPECT_EQ(cluster_.Counts().misplaced, 0u);
  EXPECT_THAT(cluster_.Where(block), SizeIs(3));
  EXPECT_THAT(cluster_.Where(block), Contains(4));
  ExpectCountsAreRight();
}

// After the loss of a rack its blocks are whole again in the other, and spread when it is back.
TEST_F(RepairTest, AMisplacedBlockIsRepairedFirstAndSpreadLater) {
  AddNodes(3, "/a");
  AddNodes(2, "/b");
  const Block block = cluster_.AddBlock({1, 2, 4}, 3);
  cluster_.node(4).up = cluster_.node(5).up = false;
  cluster_.Run(90'000);
  EXPECT_THAT(cluster_.Where(block), Contains(3));
  EXPECT_EQ(cluster_.Counts().misplaced, 1u);
  cluster_.Restart(cluster_.node(4));  // with its replica
  cluster_.Run(30'000);
  EXPECT_THAT(cluster_.Where(block), SizeIs(3));
  EXPECT_THAT(cluster_.Where(block), Contains(4));
  EXPECT_EQ(cluster_.Counts().misplaced, 0u);
  ExpectCountsAreRight();
}

TEST(RepairPlacementTest, OnlyRackAwarePlacementMovesReplicasBetweenRacks) {
  BlockManagerOptions options;
  options.placement = "random";
  FakeCluster cluster(options);
  for (const char* rack : {"/a", "/a", "/a", "/b"}) cluster.AddNode(rack);
  const Block block = cluster.AddBlock({1, 2, 3}, 3);
  cluster.Run(130'000);
  EXPECT_EQ(cluster.Counts().misplaced, 0u);
  EXPECT_THAT(cluster.Where(block), ElementsAre(1, 2, 3));
}

TEST_F(RepairTest, NothingIsDeletedWhileAReportIsAwaited) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2, 3}, 2);
  FakeNode& node = cluster_.node(3);
  node.registration.incarnation = 77;
  ASSERT_TRUE(cluster_.Register(node).ok());  // restarted; its report is to come
  cluster_.Run(21'000);
  EXPECT_THAT(cluster_.Where(block), SizeIs(3));
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  cluster_.Run(6'000);
  EXPECT_THAT(cluster_.Where(block), SizeIs(2));
}

TEST_F(RepairTest, NothingIsDeletedOnTheWordOfAWriterAlone) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2}, 2);
  cluster_.Push({cluster_.Change(BlockChange::Kind::kReplication, block, 1)});
  BlockChange finished = cluster_.Change(BlockChange::Kind::kFinished, block, 1);
  finished.storages = {cluster_.node(3).storage()};
  cluster_.Push({finished});
  cluster_.manager().RunReplicationRound();
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2, 3));
  cluster_.AddBlock({3}, 1);
  cluster_.Run(12'000);  // the third reported a newer block, and not this one
  EXPECT_THAT(cluster_.Where(block), SizeIs(1));
  EXPECT_THAT(cluster_.Where(block), ::testing::Not(Contains(3)));
}

TEST_F(RepairTest, ExcessKeepsTheRacks) {
  AddNodes(2, "/a");
  AddNodes(1, "/b");
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  cluster_.Push({cluster_.Change(BlockChange::Kind::kReplication, block, 2)});
  cluster_.Run(6'000);
  EXPECT_THAT(cluster_.Where(block), SizeIs(2));
  EXPECT_THAT(cluster_.Where(block), Contains(3));
}

TEST_F(RepairTest, BadReplicaIsReplacedThenDeleted) {
  AddNodes(4);
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  Bad(2, block);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 3));
  EXPECT_EQ(cluster_.Counts().under_replicated, 1u);
  cluster_.manager().RunReplicationRound();
  EXPECT_THAT(cluster_.node(2).deleted, IsEmpty());
  ASSERT_TRUE(cluster_.RunUntilSound());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 3, 4));
  cluster_.Run(6'000);
  EXPECT_THAT(cluster_.node(2).deleted, ElementsAre(block));
}

TEST_F(RepairTest, BadReplicaOnAFullHouseMakesRoom) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  Bad(2, block);
  ASSERT_TRUE(cluster_.RunUntilSound());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2, 3));
  EXPECT_THAT(cluster_.node(2).deleted, ElementsAre(block));
  ExpectCountsAreRight();
}

TEST_F(RepairTest, TheLastGoodCopyAndBadOnesBesideNoneStay) {
  AddNodes(2);
  const Block block = cluster_.AddBlock({1, 2}, 1);
  Bad(1, block);
  Bad(2, block);
  cluster_.Run(30'000);
  EXPECT_THAT(cluster_.node(1).deleted, IsEmpty());
  EXPECT_THAT(cluster_.node(2).deleted, IsEmpty());
  EXPECT_EQ(cluster_.Counts().corrupt, 1u);
  EXPECT_THAT(cluster_.manager().Health(10).corrupt, SizeIs(2));
}

TEST_F(RepairTest, AJoiningNodeTakesWhatFoundNoTarget) {
  AddNodes(2);
  const Block block = cluster_.AddBlock({1, 2}, 3);
  cluster_.Run(9'000);
  EXPECT_EQ(CopiesOrdered(), 0u);
  cluster_.AddNode();
  cluster_.Run(6'000);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2, 3));
}

TEST_F(RepairTest, TheMostEndangeredBlockGoesFirst) {
  BlockManagerOptions options;
  options.max_copy_bytes_in_flight = 1;  // one copy at a time
  FakeCluster cluster(options);
  for (int i = 0; i < 4; ++i) cluster.AddNode();
  cluster.AddBlock({1, 2}, 3);
  cluster.AddBlock({1, 2}, 3);
  const Block last = cluster.AddBlock({1}, 3);
  cluster.Run(6'000);
  ASSERT_FALSE(cluster.node(1).copies.empty());
  EXPECT_EQ(cluster.node(1).copies[0].block, last);
  EXPECT_THAT(cluster.node(1).copies[0].targets, SizeIs(2));
}

TEST_F(RepairTest, CopiesArePacedByBytesInFlight) {
  BlockManagerOptions options;
  options.max_copy_bytes_in_flight = 256 * kMiB;
  FakeCluster cluster(options);
  cluster.AddNode();
  cluster.AddNode();
  for (int i = 0; i < 20; ++i) cluster.AddBlock({1}, 2, true, 64 * kMiB);
  cluster.manager().RunReplicationRound();
  ASSERT_TRUE(cluster.Beat(cluster.node(1)).ok());
  EXPECT_THAT(cluster.node(1).copies, SizeIs(4));
  cluster.manager().RunReplicationRound();
  ASSERT_TRUE(cluster.Beat(cluster.node(1)).ok());
  EXPECT_THAT(cluster.node(1).copies, SizeIs(4));  // none has been reported yet
  ASSERT_TRUE(cluster.RunUntilSound());
  ASSERT_TRUE(cluster.SendIncremental(cluster.node(2)).ok());
  EXPECT_THAT(cluster.node(1).copies, SizeIs(20));
}

TEST_F(RepairTest, ByHandAtMostSoManyAndTheRestWaits) {
  AddNodes(2);
  for (int i = 0; i < 10; ++i) cluster_.AddBlock({1}, 2);
  RepairRound round = cluster_.manager().Repair(3);
  EXPECT_EQ(round.planned, 3u);
  EXPECT_EQ(round.in_flight, 3u);
  EXPECT_EQ(round.waiting, 7u);
  EXPECT_EQ(round.no_target, 0u);
  EXPECT_EQ(round.reason, "no more than 3 were asked for");
  round = cluster_.manager().Repair(100);
  EXPECT_EQ(round.planned, 7u);
  EXPECT_EQ(round.in_flight, 10u);
  EXPECT_EQ(round.waiting, 0u);
  EXPECT_EQ(round.reason, "");
  ASSERT_TRUE(cluster_.Beat(cluster_.node(1)).ok());
  EXPECT_EQ(CopiesOrdered(), 10u);
  EXPECT_EQ(cluster_.manager().Repair(100).planned, 0u);  // they are under way
  ASSERT_TRUE(cluster_.RunUntilSound());
  round = cluster_.manager().Repair(100);
  EXPECT_EQ(round.planned + round.in_flight + round.waiting, 0u);
}

TEST_F(RepairTest, ByHandGoesPastBlocksWhoseNodesAreBusy) {
  BlockManagerOptions options;
  options.max_copy_bytes_in_flight = 64 * kMiB;
  FakeCluster cluster(options);
  for (int i = 0; i < 8; ++i) cluster.AddNode();
  for (int i = 0; i < 5; ++i) cluster.AddBlock({1}, 2, true, 64 * kMiB);
  EXPECT_EQ(cluster.manager().Repair(1).planned, 1u);  // node 1 is busy from now on
  cluster.AddBlock({2, 3}, 3, true, 64 * kMiB);
  EXPECT_EQ(cluster.manager().Repair(1).planned, 1u);
}

TEST_F(RepairTest, ByHandSaysWhyNothingCanBePlanned) {
  AddNodes(2);
  cluster_.AddBlock({1, 2}, 3);
  const Block lost = cluster_.AddBlock({1}, 1);
  Bad(1, lost);
  RepairRound round = cluster_.manager().Repair(10);
  EXPECT_EQ(round.planned, 0u);
  EXPECT_EQ(round.waiting, 1u);
  EXPECT_EQ(round.no_target, 1u);
  EXPECT_EQ(round.reason,
            "for 1 no target qualifies: the other DataNodes hold a copy, are full, late, failed or "
            "out of service; 1 more have no good copy left");
  cluster_.AddNode();
  EXPECT_EQ(cluster_.manager().Repair(10).planned, 1u);  // what was set aside is tried again

  cluster_.manager().EnterSafeMode();
  cluster_.AddBlock({1, 2}, 3);
  round = cluster_.manager().Repair(10);
  EXPECT_EQ(round.planned, 0u);
  EXPECT_TRUE(round.reason.starts_with("the NameNode is in safe mode")) << round.reason;
}

TEST_F(RepairTest, ByHandKeepsThePacing) {
  BlockManagerOptions options;
  options.max_copy_bytes_in_flight = 256 * kMiB;
  FakeCluster cluster(options);
  cluster.AddNode();
  cluster.AddNode();
  for (int i = 0; i < 20; ++i) cluster.AddBlock({1}, 2, true, 64 * kMiB);
  const RepairRound round = cluster.manager().Repair(1'000);
  EXPECT_EQ(round.planned, 4u);
  EXPECT_EQ(round.waiting, 16u);
  EXPECT_EQ(round.busy, 16u);
  EXPECT_EQ(round.reason, "the nodes of 16 copy as much as they may (256M each) or are late");
}

TEST_F(RepairTest, ByHandWaitsForTheNodesOfTheStartToo) {
  AddNodes(3);
  cluster_.AddBlock({1, 2}, 2);
  cluster_.RestartNameNode();
  cluster_.Restart(cluster_.node(1));
  cluster_.Restart(cluster_.node(3));
  const RepairRound round = cluster_.manager().Repair(10);
  EXPECT_EQ(round.planned, 0u);
  EXPECT_EQ(round.waiting, 1u);
  EXPECT_EQ(round.reason,
            "DataNodes that were there before the NameNode's start may still come: it waits 60 s "
            "for them");
}

TEST_F(RepairTest, ACopyThatNeverArrivesIsOrderedAgain) {
  AddNodes(2);
  const Block block = cluster_.AddBlock({1}, 2);
  cluster_.manager().RunReplicationRound();
  ASSERT_TRUE(cluster_.Beat(cluster_.node(1)).ok());
  EXPECT_THAT(cluster_.node(1).copies, SizeIs(1));
  cluster_.node(2).disk.clear();  // it failed on the way
  cluster_.node(2).unsent.clear();
  cluster_.Run(117'000);
  EXPECT_THAT(cluster_.node(1).copies, SizeIs(1));
  ASSERT_TRUE(cluster_.RunUntilSound());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2));
}

TEST_F(RepairTest, ATargetThatDiesIsReplacedAtOnce) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1}, 2);
  cluster_.manager().RunReplicationRound();
  cluster_.node(2).up = cluster_.node(3).up = false;
  cluster_.Run(60'000);
  ASSERT_THAT(cluster_.node(1).copies, SizeIs(1));
  const NodeNumber target = cluster_.node(1).copies[0].targets[0].number;
  FakeNode& other = cluster_.node(target == 2 ? 3 : 2);
  cluster_.Restart(other);
  cluster_.Run(9'000);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, other.number()));
}

TEST_F(RepairTest, ACopyFromABadReplicaTakesAnotherSource) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2}, 3);
  cluster_.manager().RunReplicationRound();
  cluster_.node(1).disk.clear();  // neither can send
  cluster_.node(2).disk.clear();
  ASSERT_TRUE(cluster_.Beat(cluster_.node(1)).ok());
  ASSERT_TRUE(cluster_.Beat(cluster_.node(2)).ok());
  ASSERT_EQ(CopiesOrdered(), 1u);
  const NodeNumber first = cluster_.node(1).copies.empty() ? 2 : 1;
  const NodeNumber second = 3 - first;
  Bad(first, block);
  cluster_.node(second).disk[block.id] = {block, false};
  cluster_.Run(3'000);
  ASSERT_TRUE(cluster_.Beat(cluster_.node(second)).ok());
  EXPECT_THAT(cluster_.node(second).copies, SizeIs(1));
}

TEST_F(RepairTest, AFailedVolumeIsANodesPartialLoss) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2}, 2);
  FakeNode& node = cluster_.node(1);
  node.registration.storages[0].failed = true;
  ASSERT_TRUE(cluster_.Beat(node).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(2));
  EXPECT_EQ(cluster_.Counts().under_replicated, 1u);
  const ClusterReport report = cluster_.manager().Report();
  EXPECT_EQ(report.nodes_degraded, 1u);
  EXPECT_EQ(report.datanodes[0].reason, "volume /disk2 failed");
  ASSERT_TRUE(cluster_.RunUntilSound());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(2, 3));
}

TEST_F(RepairTest, ARestartedNameNodeWaitsForItsNodes) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2}, 2);
  cluster_.RestartNameNode();
  cluster_.node(2).up = false;
  cluster_.Restart(cluster_.node(1));
  cluster_.Restart(cluster_.node(3));
  EXPECT_FALSE(cluster_.manager().InSafeMode());
  cluster_.Run(57'000);
  EXPECT_EQ(CopiesOrdered(), 0u);
  cluster_.Run(9'000);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 3));
}

TEST_F(RepairTest, RemovedBlocksAreDeletedOnNodesThatComeBackToo) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2}, 2);
  cluster_.node(2).up = false;
  cluster_.Run(60'000);
  cluster_.Remove(block);
  cluster_.AddBlock({1}, 1);
  cluster_.Restart(cluster_.node(2));
  cluster_.Run(6'000);
  EXPECT_THAT(cluster_.node(1).deleted, ElementsAre(block));
  EXPECT_THAT(cluster_.node(2).deleted, Contains(block));
  EXPECT_FALSE(cluster_.node(2).disk.contains(block.id));
}

TEST_F(RepairTest, ADeletionLostOnItsWayIsOrderedAgain) {
  AddNodes(3);
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  cluster_.Push({cluster_.Change(BlockChange::Kind::kReplication, block, 2)});
  cluster_.manager().RunReplicationRound();
  for (NodeNumber n = 1; n <= 3; ++n) {  // the answers get lost
    const NodeRegistration& self = cluster_.node(n).registration;
    HeartbeatReport report;
    report.storages = self.storages;
    ASSERT_TRUE(cluster_.manager().Heartbeat(self.id, self.incarnation, report).ok());
  }
  const std::vector<NodeNumber> left = cluster_.Where(block);
  ASSERT_THAT(left, SizeIs(2));
  FakeNode& node = cluster_.node(6 - left[0] - left[1]);
  cluster_.Run(297'000);
  EXPECT_THAT(node.asked, IsEmpty());
  cluster_.Run(6'000);
  ASSERT_THAT(node.asked, SizeIs(1));
  EXPECT_THAT(node.asked[0].storages, Contains(node.storage()));
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  cluster_.Run(60'000);
  EXPECT_THAT(node.asked, SizeIs(1));
  EXPECT_THAT(cluster_.Where(block), SizeIs(2));
  size_t replicas = 0;
  for (NodeNumber n = 1; n <= 3; ++n) replicas += cluster_.node(n).disk.size();
  EXPECT_EQ(replicas, 2u);
  ExpectCountsAreRight();
}

TEST_F(RepairTest, ADiskMayMoveToAnotherNode) {
  AddNodes(2);
  const Block block = cluster_.AddBlock({1}, 1);
  FakeNode& from = cluster_.node(1);
  FakeNode& to = cluster_.node(2);
  std::swap(from.disk, to.disk);
  std::swap(from.registration.storages, to.registration.storages);
  cluster_.Restart(to);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(2));
  ExpectCountsAreRight();
}

// After a start nothing is queued until repairs may begin; then all of it is, in slices.
TEST(RepairAfterAStartTest, AllThatWasShortAtTheStartIsRepaired) {
  FakeCluster cluster;
  for (int i = 0; i < 3; ++i) cluster.AddNode();
  std::vector<Block> blocks;
  for (int i = 0; i < 4'100; ++i) blocks.push_back(cluster.AddBlock({1}, 2, true, 1'000));
  cluster.RestartNameNode();
  for (NodeNumber n = 1; n <= 3; ++n) {
    EXPECT_TRUE(cluster.Register(cluster.node(n)).ok());
    EXPECT_TRUE(cluster.FullReport(cluster.node(n)).ok());
  }
  EXPECT_EQ(cluster.Counts().under_replicated, blocks.size());
  EXPECT_TRUE(cluster.RunUntilSound());
  EXPECT_EQ(cluster.Counts().total, blocks.size());
  EXPECT_EQ(cluster.refused_copies(), 0);
}

}  // namespace
}  // namespace cairn::namenode
