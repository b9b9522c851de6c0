#include "namenode/blocks/block_manager.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using Kind = BlockChange::Kind;

TargetRequest Want(uint32_t count, uint32_t min_required) {
  TargetRequest request;
  request.count = count;
  request.min_required = min_required;
  request.block_size = 128 * kMiB;
  return request;
}

TEST(BlockManagerTest, EmptyClusterIsOutOfSafeModeAndSound) {
  FakeCluster cluster;
  EXPECT_FALSE(cluster.manager().InSafeMode());
  EXPECT_EQ(cluster.manager().SafeModeNow().reason, "");
  EXPECT_EQ(cluster.Counts(), BlockCounts{});
  EXPECT_EQ(cluster.Counts().Score(), 100);
}

TEST(BlockManagerTest, TargetsAndTheErrorWhenThereAreTooFew) {
  FakeCluster cluster;
  EXPECT_EQ(MessageOf(cluster.manager().ChooseTargets(Want(3, 2)).status()),
            "need 2 healthy DataNodes, 0 available; add 2");
  cluster.AddNode();
  const absl::Status status = cluster.manager().ChooseTargets(Want(3, 2)).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kNotEnoughDataNodes);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(MessageOf(status), "need 2 healthy DataNodes, 1 available; add one or use -r 1");
  cluster.AddNode();
  EXPECT_THAT(*cluster.manager().ChooseTargets(Want(3, 2)), UnorderedElementsAre(1, 2));
  TargetRequest without = Want(3, 1);
  without.excluded = {2};
  EXPECT_THAT(*cluster.manager().ChooseTargets(without), ElementsAre(1));
  TargetRequest huge = Want(1, 1);
  huge.block_size = 5000 * kMiB;
  EXPECT_EQ(
      MessageOf(cluster.manager().ChooseTargets(huge).status()),
      "need 1 healthy DataNode with 5242880000 bytes free, 0 available; add one or free space");
}

TEST(BlockManagerTest, SpaceIsPromisedToOpenBlocksAndGivenBack) {
  FakeCluster cluster;
  cluster.AddNode();
  std::vector<Block> blocks;
  for (int i = 0; i < 15; ++i) {  // 15 * 128 MiB of 2000 MiB
    blocks.push_back(cluster.NewBlock());
    BlockChange opened = cluster.Change(Kind::kOpened, blocks.back(), 1);
    opened.pipeline = {1};
    cluster.Push({opened});
  }
  EXPECT_FALSE(cluster.manager().ChooseTargets(Want(1, 1)).ok());
  cluster.Push({cluster.Change(Kind::kRemoved, blocks[0], 0)});  // abandoned
  EXPECT_TRUE(cluster.manager().ChooseTargets(Want(1, 1)).ok());
  BlockChange again = cluster.Change(Kind::kOpened, cluster.NewBlock(), 1);
  again.pipeline = {1};
  cluster.Push({again});
  EXPECT_FALSE(cluster.manager().ChooseTargets(Want(1, 1)).ok());
  cluster.Push({cluster.Change(Kind::kFinished, blocks[1], 1)});
  EXPECT_TRUE(cluster.manager().ChooseTargets(Want(1, 1)).ok());
}

TEST(BlockManagerTest, ChangesCountOnceTheirEditsAreDurable) {
  FakeCluster cluster;
  cluster.AddNode();
  const Block block = cluster.AddBlock({1}, 1);
  const TxId removed = cluster.Push({cluster.Change(Kind::kRemoved, block, 0)}, false);
  EXPECT_THAT(cluster.Where(block), ElementsAre(1));
  ASSERT_TRUE(cluster.Beat(cluster.node(1)).ok());
  EXPECT_THAT(cluster.node(1).deleted, IsEmpty());
  EXPECT_EQ(cluster.Counts().total, 1u);

  cluster.MakeDurable(removed);
  EXPECT_THAT(cluster.Where(block), IsEmpty());
  EXPECT_EQ(cluster.Counts().total, 0u);
  ASSERT_TRUE(cluster.Beat(cluster.node(1)).ok());
  EXPECT_THAT(cluster.node(1).deleted, ElementsAre(block));
  ASSERT_TRUE(cluster.Beat(cluster.node(1)).ok());
  EXPECT_THAT(cluster.node(1).deleted, SizeIs(1));  // once
}

TEST(BlockManagerTest, OnlyClosedFilesCount) {
  FakeCluster cluster;
  cluster.AddNode();
  const Block block = cluster.NewBlock();
  cluster.Push({cluster.Change(Kind::kOpened, block, 3)});
  EXPECT_EQ(cluster.Counts().total, 0u);
  BlockChange finished = cluster.Change(Kind::kFinished, block, 3);
  finished.storages = {cluster.node(1).storage()};
  cluster.Push({finished});
  EXPECT_EQ(cluster.Counts().total, 0u);
  EXPECT_THAT(cluster.Where(block), ElementsAre(1));  // but it can be read
  cluster.Push({cluster.Change(Kind::kFileClosed, block, 3)});
  EXPECT_EQ(cluster.Counts().total, 1u);
  EXPECT_EQ(cluster.Counts().under_replicated, 1u);
  cluster.Push({cluster.Change(Kind::kReplication, block, 1)});
  EXPECT_EQ(cluster.Counts().under_replicated, 0u);
}

TEST(BlockManagerTest, ProvisionalReplicasCountUntilTheyAreDue) {
  FakeCluster cluster;
  cluster.AddNode();
  cluster.AddNode();
  const Block block = cluster.AddBlock({1, 2}, 2, /*report=*/false);
  EXPECT_THAT(cluster.Where(block), ElementsAre(1, 2));
  EXPECT_EQ(cluster.Counts().under_replicated, 0u);
  ASSERT_TRUE(cluster.SendIncremental(cluster.node(2)).ok());
  cluster.clock().AdvanceMs(9'000);
  cluster.manager().RunHeartbeatCheck();
  EXPECT_THAT(cluster.Where(block), ElementsAre(1, 2));
  cluster.clock().AdvanceMs(8'000);  // the nodes are late now
  cluster.manager().RunHeartbeatCheck();
  EXPECT_THAT(cluster.Where(block), ElementsAre(2));
  EXPECT_EQ(cluster.Counts().under_replicated, 1u);
  ASSERT_TRUE(cluster.SendIncremental(cluster.node(1)).ok());  // late, but true
  EXPECT_THAT(cluster.Where(block), ElementsAre(1, 2));
  EXPECT_EQ(cluster.Counts(), cluster.manager().Recount());
}

TEST(BlockManagerTest, AnAbsurdCountOfTargetsIsAnsweredWithWhatThereIs) {
  FakeCluster cluster;
  cluster.AddNode();
  cluster.AddNode();
  TargetRequest request;
  request.count = 4'000'000'000u;
  const auto targets = cluster.manager().ChooseTargets(request);
  ASSERT_TRUE(targets.ok());
  EXPECT_THAT(*targets, UnorderedElementsAre(1, 2));
  request.min_required = request.count;
  EXPECT_EQ(KindOf(cluster.manager().ChooseTargets(request).status()),
            ErrorKind::kNotEnoughDataNodes);
}

TEST(BlockManagerTest, NearestReplicaFirst) {
  FakeCluster cluster;
  for (const char* rack : {"/a", "/a", "/b", "/b", "/c"}) cluster.AddNode(rack);
  const Block block = cluster.AddBlock({1, 3, 5}, 3);
  const auto first = [&](std::string_view host, std::string_view rack) {
    return cluster.manager().Locate(block.id, host, rack).nodes.at(0).number;
  };
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(first("host3", "/b"), 3u);
    EXPECT_EQ(first("host4", "/b"), 3u);
    EXPECT_EQ(first("elsewhere", "/c"), 5u);
  }
  std::set<NodeNumber> seen;
  for (int i = 0; i < 100; ++i) seen.insert(first("elsewhere", ""));
  EXPECT_THAT(seen, SizeIs(3));
  // A late node is the last choice, even the nearest one.
  cluster.node(3).up = false;
  cluster.Run(12'000);
  EXPECT_EQ(cluster.manager().Locate(block.id, "host3", "/b").nodes.at(2).number, 3u);
  EXPECT_THAT(cluster.manager().Locate(999, "", "").nodes, IsEmpty());
}

TEST(BlockManagerTest, TheReadersRegionBeforeOthers) {
  FakeCluster cluster;
  for (const char* rack : {"/eu/a", "/us/a", "/us/b", "/c"}) cluster.AddNode(rack);
  const Block block = cluster.AddBlock({1, 2, 4}, 3);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(cluster.manager().Locate(block.id, "elsewhere", "/us/c").nodes.at(0).number, 2u);
  }
}

TEST(BlockManagerTest, AddressesOfNodes) {
  FakeCluster cluster;
  cluster.AddNode("/a");
  cluster.AddNode("");
  const std::vector<NodeAddress> nodes = cluster.manager().NodeAddresses({2, 9, 1});
  ASSERT_THAT(nodes, SizeIs(2));
  EXPECT_EQ(nodes[0].id, "node-2");
  EXPECT_EQ(nodes[0].rack, "/default-rack");
  EXPECT_EQ(nodes[1].addresses[0], "host1:9866");
}

TEST(BlockManagerTest, HealthListsAndLimits) {
  FakeCluster cluster;
  for (int i = 0; i < 3; ++i) cluster.AddNode();
  const Block under = cluster.AddBlock({1}, 3);
  const Block over = cluster.AddBlock({1, 2, 3}, 2);
  const Block corrupt = cluster.AddBlock({2}, 1);
  const Block missing = cluster.AddBlock({}, 1);
  ASSERT_TRUE(cluster.manager().BadReplica("node-2", 2, cluster.node(2).storage(), corrupt).ok());

  const HealthReport health = cluster.manager().Health(10);
  ASSERT_THAT(health.under_replicated, SizeIs(1));
  EXPECT_EQ(health.under_replicated[0].block, under.id);
  EXPECT_EQ(health.under_replicated[0].inode, under.id + 10'000);
  EXPECT_EQ(health.under_replicated[0].current_replicas, 1u);
  EXPECT_EQ(health.under_replicated[0].target_replicas, 3u);
  EXPECT_THAT(health.under_replicated[0].nodes, ElementsAre("node-1"));
  ASSERT_THAT(health.over_replicated, SizeIs(1));
  EXPECT_EQ(health.over_replicated[0].block, over.id);
  ASSERT_THAT(health.corrupt, SizeIs(1));
  EXPECT_EQ(health.corrupt[0].node, "node-2");
  ASSERT_THAT(health.missing, SizeIs(1));
  EXPECT_EQ(health.missing[0].block, missing.id);
  EXPECT_EQ(health.totals.total, 4u);
  EXPECT_EQ(health.totals.Score(), 100 - 50.0 / 4 - 200.0 / 4);
  EXPECT_FALSE(health.truncated);
  EXPECT_TRUE(cluster.manager().Locate(corrupt.id, "", "").corrupt);
  EXPECT_FALSE(cluster.manager().Locate(missing.id, "", "").corrupt);

  cluster.AddBlock({}, 1);
  const HealthReport cut = cluster.manager().Health(1);
  EXPECT_THAT(cut.missing, SizeIs(1));
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.totals.missing, 2u);
}

TEST(BlockManagerTest, ReportOfNodes) {
  FakeCluster cluster;
  cluster.AddNode();
  cluster.AddNode("/r", /*report=*/false);
  cluster.AddBlock({1}, 1);
  cluster.clock().AdvanceMs(1'500);
  ClusterReport report = cluster.manager().Report();
  EXPECT_EQ(report.nodes_healthy, 1u);
  EXPECT_EQ(report.nodes_recovering, 1u);
  EXPECT_EQ(report.capacity_bytes, 4000 * kMiB);
  EXPECT_EQ(report.blocks.total, 1u);
  ASSERT_THAT(report.datanodes, SizeIs(2));
  EXPECT_EQ(report.datanodes[0].blocks, 1u);
  EXPECT_EQ(report.datanodes[0].last_heartbeat_ms_ago, 1'500);
  EXPECT_EQ(report.datanodes[1].reason, "its full block report is awaited");
  cluster.clock().AdvanceMs(60'000);
  cluster.manager().RunHeartbeatCheck();
  report = cluster.manager().Report();
  EXPECT_EQ(report.nodes_failed, 2u);
  EXPECT_EQ(report.NodesTotal(), 2u);
  EXPECT_EQ(report.capacity_bytes, 0u);
  EXPECT_EQ(report.blocks.missing, 1u);
  EXPECT_EQ(report.datanodes[0].blocks, 0u);
}

TEST(BlockManagerTest, SafeModeAfterARestart) {
  FakeCluster cluster;
  cluster.AddNode();
  cluster.AddNode();
  for (int i = 0; i < 5; ++i) cluster.AddBlock({1}, 1);
  for (int i = 0; i < 5; ++i) cluster.AddBlock({2}, 1);
  cluster.RestartNameNode();
  EXPECT_TRUE(cluster.manager().InSafeMode());
  EXPECT_EQ(cluster.manager().SafeModeNow().reason,
            "safe mode: 0 of 10 blocks reported, 99.9% needed");
  cluster.Restart(cluster.node(1));
  EXPECT_EQ(cluster.manager().SafeModeNow().reason,
            "safe mode: 5 of 10 blocks reported, 99.9% needed");
  EXPECT_TRUE(cluster.manager().Report().safe_mode);
  cluster.Restart(cluster.node(2));
  EXPECT_FALSE(cluster.manager().InSafeMode());
}

// Clients try again what is only unavailable.
TEST(BlockManagerTest, AfterARestartNodesAreAwaitedUntilTheyWouldBeDead) {
  FakeCluster cluster;
  for (int i = 0; i < 3; ++i) cluster.AddNode();
  cluster.RestartNameNode();
  cluster.Restart(cluster.node(1));
  cluster.clock().AdvanceMs(BlockManagerOptions().dead_after_ms - 1);
  ASSERT_TRUE(cluster.Beat(cluster.node(1)).ok());
  const absl::Status early = cluster.manager().ChooseTargets(Want(3, 2)).status();
  EXPECT_TRUE(absl::IsUnavailable(early)) << early;
  EXPECT_EQ(
      MessageOf(early),
      "need 2 healthy DataNodes, 1 available; the NameNode has just started, and 2 known to it "
      "are yet to register");
  cluster.clock().AdvanceMs(1);
  EXPECT_EQ(KindOf(cluster.manager().ChooseTargets(Want(3, 2)).status()),
            ErrorKind::kNotEnoughDataNodes);
}

// It takes the one back that it left out.
TEST(BlockManagerTest, AWriterWhoCouldDoWithoutThemDoesNotWaitSoLong) {
  FakeCluster cluster;
  for (int i = 0; i < 3; ++i) cluster.AddNode();
  cluster.RestartNameNode();
  for (const int node : {1, 2}) cluster.Restart(cluster.node(node));
  TargetRequest without = Want(3, 2);
  without.excluded = {2};
  EXPECT_TRUE(absl::IsUnavailable(cluster.manager().ChooseTargets(without).status()));
  cluster.clock().AdvanceMs(BlockManagerOptions().stale_after_ms);
  for (const int node : {1, 2}) ASSERT_TRUE(cluster.Beat(cluster.node(node)).ok());
  EXPECT_EQ(KindOf(cluster.manager().ChooseTargets(without).status()),
            ErrorKind::kNotEnoughDataNodes);
  without.excluded = {3};  // that is away: no help
  without.min_required = 3;
  EXPECT_TRUE(absl::IsUnavailable(cluster.manager().ChooseTargets(without).status()));
}

TEST(BlockManagerTest, NothingIsDeletedOrCopiedInSafeMode) {
  FakeCluster cluster;
  for (int i = 0; i < 4; ++i) cluster.AddNode();
  const Block removed = cluster.AddBlock({1}, 1);
  cluster.AddBlock({2}, 2);
  cluster.AddBlock({1, 2, 3}, 1);
  cluster.Run(9'000);
  cluster.AddBlock({3, 4}, 1);
  cluster.AddBlock({4}, 2);
  cluster.manager().EnterSafeMode();
  for (NodeNumber n = 1; n <= 4; ++n) {
    cluster.node(n).copies.clear();
    cluster.node(n).deleted.clear();
  }
  cluster.Remove(removed);
  cluster.Run(30'000);
  for (NodeNumber n = 1; n <= 4; ++n) {
    EXPECT_THAT(cluster.node(n).copies, IsEmpty());
    EXPECT_THAT(cluster.node(n).deleted, IsEmpty());
  }
  ASSERT_TRUE(cluster.manager().LeaveSafeMode().ok());
  EXPECT_TRUE(cluster.RunUntilSound());
  cluster.Run(6'000);
  EXPECT_THAT(cluster.node(1).deleted, ::testing::Contains(removed));
}

// More than one hold takes in: a deleted tree, say.
TEST(BlockManagerTest, AnEditOfManyChangesIsTakenInWholly) {
  FakeCluster cluster;
  for (int i = 0; i < 3; ++i) cluster.AddNode();
  std::vector<Block> blocks;
  std::vector<BlockChange> closed;
  for (int i = 0; i < 3'000; ++i) {
    blocks.push_back(cluster.NewBlock());
    closed.push_back(cluster.Change(BlockChange::Kind::kFileClosed, blocks.back(), 1));
  }
  cluster.Push(closed);
  for (const Block& block : blocks) cluster.Receive(cluster.node(1), block);
  EXPECT_TRUE(cluster.SendIncremental(cluster.node(1)).ok());
  EXPECT_EQ(cluster.Counts().total, 3'000u);
  EXPECT_EQ(cluster.Counts().missing, 0u);
  std::vector<BlockChange> removed;
  for (const Block& block : blocks) {
    removed.push_back(cluster.Change(BlockChange::Kind::kRemoved, block, 0));
  }
  const TxId txid = cluster.Push(removed, /*durable=*/false);
  EXPECT_EQ(cluster.Counts().total, 3'000u);
  cluster.MakeDurable(txid);
  EXPECT_EQ(cluster.Counts().total, 0u);
  EXPECT_EQ(cluster.Counts(), cluster.manager().Recount());
  cluster.Run(6'000);
  EXPECT_TRUE(cluster.node(1).disk.empty());
}

}  // namespace
}  // namespace cairn::namenode
