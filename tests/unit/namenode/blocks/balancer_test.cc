// The life of a move: a copy, then the removal of the replica that it leaves behind; and whatever
// may happen in between.
#include "namenode/blocks/balancer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/status.h"
#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int64_t kBeatMs = 3'000;

class BalancerTest : public ::testing::Test {
 protected:
  BalancerTest() { cluster_.CountSpace(); }
  ~BalancerTest() override { EXPECT_EQ(cluster_.refused_copies(), 0); }

  void AddNodes(int count, const std::string& rack = "/r") {
    for (int i = 0; i < count; ++i) cluster_.AddNode(rack);
  }
  // `count` blocks of 20 MiB, 1% of a node, with replicas on two of the first three nodes each.
  std::vector<Block> AddBlocks(int count, uint64_t length = 20 * kMiB) {
    std::vector<Block> blocks;
    for (NodeNumber i = 0; i < static_cast<NodeNumber>(count); ++i) {
      blocks.push_back(cluster_.AddBlock({1 + i % 3, 1 + (i + 1) % 3}, 2, true, length));
    }
    cluster_.Run(kBeatMs);  // space is reported
    return blocks;
  }
  void Start(double threshold = 10) {
    const absl::StatusOr<bool> started = cluster_.manager().StartBalancing(threshold);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_TRUE(*started);
  }
  BalanceReport Progress() { return cluster_.manager().BalanceProgress(); }
  size_t OnDisks(const Block& block) {
    size_t replicas = 0;
    for (NodeNumber n = 1; n <= cluster_.nodes(); ++n) {
      const auto it = cluster_.node(n).disk.find(block.id);
      replicas += it != cluster_.node(n).disk.end() && it->second.block == block ? 1 : 0;
    }
    return replicas;
  }
  // Until the run has ended; no block ever has less than `replicas` on disks.
  BalanceState RunToTheEnd(const std::vector<Block>& blocks, size_t replicas) {
    for (int i = 0; i < 1'000 && Progress().state == BalanceState::kRunning; ++i) {
      cluster_.Run(kBeatMs);
      for (const Block& block : blocks) EXPECT_GE(OnDisks(block), replicas) << block.id;
      EXPECT_EQ(cluster_.Counts(), cluster_.manager().Recount());
    }
    return Progress().state;
  }
  void ExpectReplicas(const std::vector<Block>& blocks, size_t replicas) {
    for (const Block& block : blocks) {
      EXPECT_THAT(cluster_.Where(block), SizeIs(replicas)) << block.id;
      EXPECT_EQ(OnDisks(block), replicas) << block.id;
    }
  }
  size_t CopiesOrdered() {
    size_t copies = 0;
    for (NodeNumber n = 1; n <= cluster_.nodes(); ++n) copies += cluster_.node(n).copies.size();
    return copies;
  }
  // Orders moves; no node has heard of them yet.
  void OrderMoves() {
    cluster_.manager().RunBalanceRound();
    ASSERT_GT(Progress().moves_in_flight, 0u);
  }

  FakeCluster cluster_;
};

TEST_F(BalancerTest, ANewNodeGetsItsShare) {
  AddNodes(3);
  const std::vector<Block> blocks = AddBlocks(60);  // 40% on each
  AddNodes(1);
  cluster_.Run(kBeatMs);
  EXPECT_EQ(Progress().state, BalanceState::kNone);
  Start();
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kBalanced);
  const BalanceReport report = Progress();
  EXPECT_EQ(report.reason, "every DataNode is within 10% of the mean");
  EXPECT_DOUBLE_EQ(report.mean_percent, 30);
  EXPECT_LE(report.most_over_percent, 10);
  EXPECT_LE(report.most_under_percent, 10);
  EXPECT_EQ(report.moves_done, 20u) << "20% of 2000 MiB, and no more";
  EXPECT_EQ(report.bytes_moved, 400 * kMiB);
  EXPECT_EQ(report.moves_failed, 0u);
  EXPECT_EQ(report.moves_in_flight, 0u);
  EXPECT_EQ(report.bytes_left, 0u);
  EXPECT_GT(report.elapsed_ms, 0);
  EXPECT_EQ(CopiesOrdered(), 20u);
  ExpectReplicas(blocks, 2);
  EXPECT_EQ(cluster_.Counts().over_replicated, 0u);
  cluster_.Run(120'000);
  EXPECT_EQ(CopiesOrdered(), 20u) << "it is over";
}

TEST_F(BalancerTest, SmallBlocksMoveWhenNoLargeOneCan) {
  AddNodes(3);
  std::vector<Block> blocks = AddBlocks(30);
  const std::vector<Block> small = AddBlocks(300, 2 * kMiB);
  AddNodes(1);
  cluster_.Run(kBeatMs);
  Start();
  EXPECT_EQ(RunToTheEnd(small, 2), BalanceState::kBalanced);
  for (const auto& [id, replica] : cluster_.node(4).disk) {
    EXPECT_EQ(replica.block.length, 20 * kMiB) << "the large ones are enough";
  }
  for (const Block& block : blocks) cluster_.Remove(block);
  for (NodeNumber n = 1; n <= 3; ++n) cluster_.AddBlock({n}, 1, true, 400 * kMiB);
  cluster_.Run(30'000);
  Start(2);
  EXPECT_EQ(RunToTheEnd(small, 2), BalanceState::kBalanced);
  EXPECT_GT(cluster_.node(4).disk.size(), 100u);
  ExpectReplicas(small, 2);
}

TEST_F(BalancerTest, ABalancedClusterIsLeftAlone) {
  AddNodes(3);
  AddBlocks(60);
  Start();
  const absl::StatusOr<bool> again = cluster_.manager().StartBalancing(10);
  EXPECT_FALSE(again.value());
  EXPECT_EQ(MessageOf(cluster_.manager().StartBalancing(5).status()),
            "the balancer runs already, with a threshold of 10%; stop it first");
  cluster_.manager().RunBalanceRound();
  EXPECT_EQ(Progress().state, BalanceState::kBalanced);
  EXPECT_EQ(Progress().moves_done, 0u);
  for (const double wrong : {0.0, -1.0, 100.5}) {
    EXPECT_EQ(cluster_.manager().StartBalancing(wrong).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(BalancerTest, RacksAreKept) {
  AddNodes(2, "/a");
  AddNodes(1, "/b");
  const std::vector<Block> blocks = AddBlocks(60);
  AddNodes(1, "/b");
  AddNodes(1, "/a");
  const auto racks = [&](const Block& block) {
    std::set<bool> racks;
    for (const NodeNumber n : cluster_.Where(block)) racks.insert(n == 3 || n == 4);
    return racks.size();
  };
  ASSERT_TRUE(cluster_.RunUntilSound());  // a third of them was in /a alone
  // Each has one replica in each rack: 30% in /b, 20% in /a, where there is one node more.
  Start(7);
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kBalanced);
  EXPECT_GT(Progress().moves_done, 0u);
  Start(5);
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kStuck);
  EXPECT_THAT(Progress().reason, HasSubstr("fewer racks"));
  for (const Block& block : blocks) EXPECT_EQ(racks(block), 2u);
  EXPECT_EQ(cluster_.Counts().misplaced, 0u);
  ExpectReplicas(blocks, 2);
}

TEST_F(BalancerTest, WhatCannotBeMovedIsSaid) {
  AddNodes(2);
  for (StorageReport& storage : cluster_.node(2).registration.storages) {
    storage.capacity_bytes = 4000 * kMiB;
  }
  cluster_.Run(kBeatMs);
  std::vector<Block> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(cluster_.AddBlock({1, 2}, 2, true, 20 * kMiB));
  cluster_.Run(kBeatMs);
  Start();
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kStuck);
  EXPECT_EQ(Progress().reason,
            "no other replica of the fuller DataNodes can be moved: the emptier ones have their "
            "blocks already");
  EXPECT_EQ(CopiesOrdered(), 0u);
  EXPECT_GT(Progress().bytes_left, 0u);
}

TEST_F(BalancerTest, BlocksThatLackReplicasAreLeftAlone) {
  AddNodes(3);
  const std::vector<Block> blocks = AddBlocks(60);
  AddNodes(1);
  cluster_.Run(kBeatMs);
  for (const Block& block : blocks) cluster_.SetReplication(block, 5);  // no node for the fifth
  cluster_.Run(120'000);
  const size_t repairs = CopiesOrdered();
  Start();
  EXPECT_EQ(RunToTheEnd(blocks, 4), BalanceState::kBalanced) << "repair has filled the new node";
  EXPECT_EQ(CopiesOrdered(), repairs);
}

TEST_F(BalancerTest, BlocksInDoubtAreLeftAlone) {
  AddNodes(4);
  std::vector<Block> blocks;
  for (int i = 0; i < 40; ++i) {  // so far only their writer says that they are there
    blocks.push_back(cluster_.AddBlock({1, 2}, 2, /*report=*/false, 20 * kMiB));
  }
  for (NodeNumber n = 1; n <= 4; ++n) ASSERT_TRUE(cluster_.Beat(cluster_.node(n)).ok());
  cluster_.manager().RunReplicationRound();
  Start();
  for (int i = 0; i < 3; ++i) cluster_.manager().RunBalanceRound();
  EXPECT_EQ(Progress().state, BalanceState::kRunning);
  EXPECT_EQ(Progress().nodes_over, 2u);
  EXPECT_EQ(Progress().moves_in_flight, 0u);
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kBalanced);
  ExpectReplicas(blocks, 2);
}

TEST_F(BalancerTest, StoppedItBringsMovesToTheirEnd) {
  AddNodes(3);
  const std::vector<Block> blocks = AddBlocks(60);
  AddNodes(1);
  cluster_.Run(kBeatMs);
  Start();
  OrderMoves();
  const uint64_t ordered = Progress().moves_in_flight;
  cluster_.manager().StopBalancing();
  EXPECT_EQ(Progress().state, BalanceState::kStopped);
  EXPECT_EQ(Progress().reason, "stopped by an administrator");
  cluster_.Run(60'000);
  EXPECT_EQ(Progress().moves_done, ordered);
  EXPECT_EQ(Progress().moves_in_flight, 0u);
  EXPECT_EQ(CopiesOrdered(), ordered);
  ExpectReplicas(blocks, 2);
  Start();
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kBalanced);
}

TEST_F(BalancerTest, ANodeHasSoManyBytesInFlight) {
  AddNodes(3);
  AddBlocks(60);
  AddNodes(1);
  cluster_.Run(kBeatMs);
  Start();
  OrderMoves();
  EXPECT_EQ(Progress().bytes_in_flight, 240 * kMiB) << "the taker has 256 MiB";
  cluster_.manager().RunBalanceRound();
  EXPECT_EQ(Progress().bytes_in_flight, 240 * kMiB);
}

TEST_F(BalancerTest, ItWaitsInSafeModeAndForReports) {
  AddNodes(3);
  const std::vector<Block> blocks = AddBlocks(60);
  AddNodes(1);
  cluster_.Run(kBeatMs);
  cluster_.manager().EnterSafeMode();
  Start();
  cluster_.Run(30'000);
  EXPECT_EQ(Progress().reason, "waits for the end of safe mode");
  EXPECT_EQ(CopiesOrdered(), 0u);
  ASSERT_TRUE(cluster_.manager().LeaveSafeMode().ok());
  cluster_.AddNode("/r", /*report=*/false);
  cluster_.Run(kBeatMs);
  EXPECT_EQ(Progress().reason, "waits until all DataNodes have reported");
  EXPECT_EQ(CopiesOrdered(), 0u);
  ASSERT_TRUE(cluster_.FullReport(cluster_.node(5)).ok());
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kBalanced);
}

TEST_F(BalancerTest, ANewNameNodeDoesNotBalance) {
  AddNodes(3);
  const std::vector<Block> blocks = AddBlocks(60);
  AddNodes(1);
  cluster_.Run(kBeatMs);
  Start();
  OrderMoves();
  cluster_.RestartNameNode();
  cluster_.Run(120'000);
  EXPECT_EQ(Progress().state, BalanceState::kNone);
  ExpectReplicas(blocks, 2);
  Start();
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kBalanced);
}

TEST_F(BalancerTest, LeavingNodesTakeNoPart) {
  AddNodes(3);
  const std::vector<Block> blocks = AddBlocks(60);
  AddNodes(2);
  cluster_.SetAdmin(cluster_.node(4), AdminState::kMaintenance);
  cluster_.Run(kBeatMs);
  Start();
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kBalanced);
  EXPECT_EQ(Progress().nodes, 4u);
  EXPECT_EQ(cluster_.node(4).disk.size(), 0u);
  EXPECT_GT(cluster_.node(5).disk.size(), 15u);
}

TEST_F(BalancerTest, ANodeThatIsLateIsWaitedFor) {
  AddNodes(3);
  const std::vector<Block> blocks = AddBlocks(60);
  AddNodes(1);
  cluster_.Run(kBeatMs);
  cluster_.node(4).up = false;
  cluster_.Run(12'000);
  Start();
  cluster_.Run(2 * kBeatMs);
  EXPECT_EQ(Progress().state, BalanceState::kRunning);
  EXPECT_EQ(Progress().reason, "waits for DataNodes that are late or degraded: 1");
  cluster_.node(4).up = true;
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kBalanced);
  EXPECT_GT(cluster_.node(4).disk.size(), 15u);
}

TEST_F(BalancerTest, ANodeThatStaysDegradedIsNotWaitedForForEver) {
  AddNodes(3);
  const std::vector<Block> blocks = AddBlocks(60);
  AddNodes(1);
  cluster_.Run(kBeatMs);
  cluster_.node(4).registration.storages[0].failed = true;
  cluster_.Run(kBeatMs);
  Start();
  EXPECT_EQ(RunToTheEnd(blocks, 2), BalanceState::kStuck);
  EXPECT_THAT(Progress().reason, HasSubstr("others are late or degraded: 1"));
  EXPECT_EQ(cluster_.node(4).disk.size(), 0u);
}

// --- What may happen to a move --------------------------------------------------------------

class MoveTest : public BalancerTest {
 protected:
  void SetUp() override {
    AddNodes(3);
    blocks_ = AddBlocks(60);
    AddNodes(1);
    cluster_.Run(kBeatMs);
    Start();
    OrderMoves();
  }
  // Those that have an order for a copy now; the orders are given out and carried out.
  std::vector<Block> GiveOut(NodeNumber source) {
    EXPECT_TRUE(cluster_.Beat(cluster_.node(source)).ok());
    std::vector<Block> moving;
    for (const CopyReplica& copy : cluster_.node(source).copies) {
      moving.push_back(blocks_.at(copy.block.id - 1));
    }
    EXPECT_FALSE(moving.empty());
    return moving;
  }

  std::vector<Block> blocks_;
};

TEST_F(MoveTest, TheReplicaThatIsLeftBehindGoesAtOnceAndNoOther) {
  const std::vector<Block> moving = GiveOut(1);
  for (const Block& block : moving) EXPECT_EQ(OnDisks(block), 3u);
  // Of any other block that is too much, these would lose theirs first: they are fuller now.
  for (const NodeNumber other : {2, 3}) {
    cluster_.AddBlock({other}, 1, true, 700 * kMiB);
    ASSERT_TRUE(cluster_.Beat(cluster_.node(other)).ok());
  }
  ASSERT_TRUE(cluster_.SendIncremental(cluster_.node(4)).ok());
  EXPECT_EQ(cluster_.Counts().over_replicated, 0u);
  for (const Block& block : moving) {
    EXPECT_THAT(cluster_.Where(block), SizeIs(2));
    EXPECT_THAT(cluster_.Where(block), Contains(4));
    EXPECT_THAT(cluster_.Where(block), Not(Contains(1)));
  }
  EXPECT_GE(Progress().moves_done, moving.size());  // node 2 has moved some, too
  EXPECT_EQ(Progress().moves_in_flight, 0u);
}

TEST_F(MoveTest, WhenItsTargetDiesItIsMadeElsewhereOrNotAtAll) {
  GiveOut(1);
  cluster_.node(4).up = false;  // before it has reported anything
  cluster_.Run(90'000);
  EXPECT_GT(Progress().moves_failed, 0u);
  ExpectReplicas({}, 2);
  EXPECT_EQ(RunToTheEnd(blocks_, 2), BalanceState::kBalanced) << "of those that are left";
  cluster_.Restart(cluster_.node(4));  // with copies that nobody waits for any more
  ASSERT_TRUE(cluster_.RunUntilSound());
  cluster_.Run(30'000);
  ExpectReplicas(blocks_, 2);
  Start();
  EXPECT_EQ(RunToTheEnd(blocks_, 2), BalanceState::kBalanced);
}

TEST_F(MoveTest, WhenItsSourceDiesNothingElseIsLost) {
  const std::vector<Block> moving = GiveOut(1);
  cluster_.node(1).up = false;
  ASSERT_TRUE(cluster_.SendIncremental(cluster_.node(4)).ok());
  for (const Block& block : moving) EXPECT_THAT(cluster_.Where(block), Contains(4));
  cluster_.Run(120'000);
  for (const Block& block : blocks_) {
    EXPECT_GE(cluster_.Where(block).size(), 2u);
    EXPECT_THAT(cluster_.Where(block), Not(Contains(1)));
  }
  EXPECT_NE(RunToTheEnd({}, 0), BalanceState::kRunning);
  cluster_.Restart(cluster_.node(1));
  ASSERT_TRUE(cluster_.RunUntilSound());
  cluster_.Run(30'000);
  ExpectReplicas(blocks_, 2);
}

// The copy stands in for what was lost meanwhile: then nothing is too much.
TEST_F(MoveTest, WhenAnotherReplicaIsLostTheSourceKeepsItsOwn) {
  const std::vector<Block> moving = GiveOut(1);
  const Block& block = moving.front();
  const NodeNumber other = cluster_.Where(block).at(1);
  FakeNode& bad = cluster_.node(other);
  ASSERT_TRUE(
      cluster_.manager()
          .BadReplica(bad.registration.id, bad.registration.incarnation, bad.storage(), block)
          .ok());
  ASSERT_TRUE(cluster_.SendIncremental(cluster_.node(4)).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 4));
  EXPECT_EQ(RunToTheEnd(moving, 2), BalanceState::kBalanced);
  EXPECT_GE(Progress().moves_failed, 1u);
  EXPECT_THAT(cluster_.Where(block), SizeIs(2));
}

TEST_F(MoveTest, ACopyThatIsLostIsGivenUpAndMadeAgain) {
  cluster_.node(4).up = false;  // not for long enough to be dead
  GiveOut(1);
  cluster_.clock().AdvanceMs(2'000);
  cluster_.node(4).up = true;
  cluster_.Run(kBeatMs);
  EXPECT_GT(Progress().moves_in_flight, 0u);
  const size_t before = CopiesOrdered();
  EXPECT_EQ(RunToTheEnd(blocks_, 2), BalanceState::kBalanced);
  EXPECT_GT(Progress().moves_failed, 0u);
  EXPECT_GT(CopiesOrdered(), before);
  ExpectReplicas(blocks_, 2);
}

TEST_F(MoveTest, ABlockThatIsRemovedMeanwhileIsGone) {
  const std::vector<Block> moving = GiveOut(1);
  for (const Block& block : moving) cluster_.Remove(block);
  EXPECT_NE(RunToTheEnd({}, 0), BalanceState::kRunning);
  cluster_.Run(30'000);
  for (const Block& block : moving) EXPECT_EQ(OnDisks(block), 0u);
}

TEST_F(MoveTest, ABlockThatIsAppendedToMeanwhileStaysWhereItIs) {
  const std::vector<Block> moving = GiveOut(1);
  const Block& block = moving.front();
  const std::vector<NodeNumber> pipeline = cluster_.Where(block);
  Block longer = block;
  longer.generation += 100'000;
  cluster_.manager().SetIdLimits(block.id, longer.generation);
  cluster_.Open(longer, pipeline, 2);
  ASSERT_TRUE(cluster_.SendIncremental(cluster_.node(4)).ok());  // of the old generation
  longer.length += kMiB;
  for (const NodeNumber n : pipeline) cluster_.Receive(cluster_.node(n), longer);
  cluster_.Run(30'000);
  for (const NodeNumber n : pipeline) {
    EXPECT_TRUE(cluster_.node(n).disk.at(block.id).block == longer) << "on " << n;
  }
  cluster_.Finish(longer, pipeline, 2);
  EXPECT_NE(RunToTheEnd({}, 0), BalanceState::kRunning);
  cluster_.Run(30'000);
  EXPECT_EQ(OnDisks(longer), 2u);
  EXPECT_THAT(cluster_.Where(longer), SizeIs(2));
}

TEST_F(MoveTest, NothingIsRemovedWhileTheTargetIsSilent) {
  const std::vector<Block> moving = GiveOut(1);
  cluster_.node(4).up = false;
  cluster_.Run(12'000);  // late
  FakeNode& target = cluster_.node(4);
  ASSERT_TRUE(cluster_.SendIncremental(target).ok());  // on its way all the time
  cluster_.Run(30'000);
  for (const Block& block : moving) {
    size_t elsewhere = 0;
    for (const NodeNumber n : {1, 2, 3}) {
      elsewhere += cluster_.node(static_cast<NodeNumber>(n)).disk.contains(block.id) ? 1 : 0;
    }
    EXPECT_EQ(elsewhere, 2u);
  }
}

}  // namespace
}  // namespace cairn::namenode
