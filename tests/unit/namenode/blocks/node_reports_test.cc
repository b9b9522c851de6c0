// What DataNodes say, in every order in which it may arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "common/status.h"
#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class NodeReportsTest : public ::testing::Test {
 protected:
  absl::Status Piece(FakeNode& node, bool first, bool last, std::vector<Block> blocks) {
    std::vector<ReplicaRecord> records;
    for (const Block& block : blocks) records.push_back({block, false});
    return manager().FullReportPiece(node.registration.id, node.registration.incarnation,
                                     node.storage(), first, last, records);
  }
  BlockManager& manager() { return cluster_.manager(); }
  void ExpectCountsAreRight() { EXPECT_EQ(cluster_.Counts(), manager().Recount()); }

  FakeCluster cluster_;
};

TEST_F(NodeReportsTest, UnknownNodesMustRegister) {
  FakeNode& node = cluster_.AddNode();
  EXPECT_EQ(KindOf(manager().Heartbeat("stranger", 1, {}).status()), ErrorKind::kUnknownNode);
  EXPECT_EQ(KindOf(manager().Heartbeat("node-1", 99, {}).status()), ErrorKind::kUnknownNode);
  EXPECT_EQ(KindOf(manager().IncrementalReport("node-1", 99, 1, {})), ErrorKind::kUnknownNode);
  EXPECT_EQ(KindOf(manager().BadReplica("node-1", 99, 2, {})), ErrorKind::kUnknownNode);
  EXPECT_EQ(KindOf(manager().FullReportPiece("node-1", 99, 2, true, true, {})),
            ErrorKind::kUnknownNode);
  const int64_t before = cluster_.clock().SteadyMs();
  cluster_.clock().AdvanceMs(60'000);
  manager().RunHeartbeatCheck(before);  // nobody listened since
  EXPECT_NE(manager().Report().datanodes[0].state, NodeState::kFailed);
  manager().RunHeartbeatCheck();
  EXPECT_EQ(KindOf(cluster_.Beat(node)), ErrorKind::kUnknownNode);  // it was dead
  cluster_.Restart(node);
  EXPECT_TRUE(cluster_.Beat(node).ok());
}

TEST_F(NodeReportsTest, ACopyThatItsSourceCouldNotMakeIsOrderedAgainAtOnce) {
  cluster_.AddNode();
  cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 2);
  manager().RunReplicationRound();
  ASSERT_TRUE(cluster_.Beat(cluster_.node(1)).ok());
  cluster_.node(2).disk.clear();  // it failed on the way
  cluster_.node(2).unsent.clear();
  cluster_.node(2).heartbeat.failed_copies = {block.id};  // not its order: no word of its
  ASSERT_TRUE(cluster_.Beat(cluster_.node(2)).ok());
  manager().RunReplicationRound();
  ASSERT_TRUE(cluster_.Beat(cluster_.node(1)).ok());
  EXPECT_THAT(cluster_.node(1).copies, SizeIs(1));
  cluster_.node(1).heartbeat.failed_copies = {block.id, 999};
  cluster_.Run(9'000);
  EXPECT_THAT(cluster_.node(1).copies, SizeIs(2));
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2));
}

TEST_F(NodeReportsTest, AnotherSourceIsTakenAfterAFailedCopy) {
  for (int i = 0; i < 3; ++i) cluster_.AddNode();
  cluster_.AddBlock({1, 2}, 3);
  const auto source = [&] {
    manager().RunReplicationRound();
    for (const NodeNumber number : {1, 2}) {
      FakeNode& node = cluster_.node(number);
      node.disk.clear();  // nothing arrives
      node.copies.clear();
      EXPECT_TRUE(cluster_.Beat(node).ok());
      if (!node.copies.empty()) return number;
    }
    return NodeNumber{0};
  };
  const NodeNumber first = source();
  ASSERT_NE(first, 0u);
  cluster_.node(first).heartbeat.failed_copies = {1};
  ASSERT_TRUE(cluster_.Beat(cluster_.node(first)).ok());
  EXPECT_EQ(source(), 3 - first);
}

TEST_F(NodeReportsTest, SweepTakesWhatIsGone) {
  FakeNode& node = cluster_.AddNode();
  const Block kept = cluster_.AddBlock({1}, 1);
  const Block gone = cluster_.AddBlock({1}, 1);
  cluster_.clock().AdvanceMs(200'000);  // touches are forgotten
  ASSERT_TRUE(Piece(node, true, false, {kept}).ok());
  EXPECT_THAT(cluster_.Where(gone), ElementsAre(1));  // an unfinished report sweeps nothing
  ASSERT_TRUE(Piece(node, false, true, {}).ok());
  EXPECT_THAT(cluster_.Where(gone), IsEmpty());
  EXPECT_THAT(cluster_.Where(kept), ElementsAre(1));
  EXPECT_EQ(cluster_.Counts().missing, 1u);
  ExpectCountsAreRight();
}

TEST_F(NodeReportsTest, AnInterruptedReportIsBegunAnew) {
  FakeNode& node = cluster_.AddNode();
  const Block a = cluster_.AddBlock({1}, 1);
  const Block b = cluster_.AddBlock({1}, 1);
  cluster_.clock().AdvanceMs(200'000);
  ASSERT_TRUE(Piece(node, true, false, {a}).ok());  // and its stream broke
  ASSERT_TRUE(Piece(node, true, true, {b}).ok());
  EXPECT_THAT(cluster_.Where(a), IsEmpty());
  EXPECT_THAT(cluster_.Where(b), ElementsAre(1));
  EXPECT_EQ(Piece(node, false, true, {a}).code(), absl::StatusCode::kAborted);
}

TEST_F(NodeReportsTest, ChangesDuringAReportAreNewerThanIt) {
  FakeNode& node = cluster_.AddNode();
  const Block old = cluster_.AddBlock({1}, 1);
  cluster_.clock().AdvanceMs(200'000);
  ASSERT_TRUE(Piece(node, true, false, {}).ok());
  const Block added = cluster_.AddBlock({1}, 1);  // after the snapshot: the report lacks it
  const Block promised = cluster_.AddBlock({1}, 1, /*report=*/false);
  node.disk.erase(old.id);
  node.unsent = {{ReplicaChange::Kind::kDeleted, node.storage(), old}};
  ASSERT_TRUE(cluster_.SendIncremental(node).ok());
  ASSERT_TRUE(Piece(node, false, true, {old}).ok());  // the snapshot still has it
  EXPECT_THAT(cluster_.Where(old), IsEmpty());
  EXPECT_THAT(cluster_.Where(added), ElementsAre(1));
  EXPECT_THAT(cluster_.Where(promised), ElementsAre(1));
  ExpectCountsAreRight();
}

TEST_F(NodeReportsTest, ChangesJustBeforeAReportMayBeNewerThanItsSnapshot) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1);
  cluster_.clock().AdvanceMs(1'000);
  ASSERT_TRUE(Piece(node, true, true, {}).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
}

TEST_F(NodeReportsTest, ARestartedNodesReportIsTheTruth) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1);
  node.disk.clear();
  cluster_.Restart(node);
  EXPECT_THAT(cluster_.Where(block), IsEmpty());
}

TEST_F(NodeReportsTest, AFullReportConfirmsProvisionalReplicas) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1, /*report=*/false);
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  cluster_.clock().AdvanceMs(30'000);  // late: the writer's word alone would not do
  manager().RunHeartbeatCheck();
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
}

TEST_F(NodeReportsTest, ALateRepetitionOfAReportBringsNothingBack) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1);
  const std::vector<ReplicaChange> received = {
      {ReplicaChange::Kind::kReceived, node.storage(), block}};
  EXPECT_EQ(node.sequence, 1u);
  node.unsent = {{ReplicaChange::Kind::kDeleted, node.storage(), block}};
  ASSERT_TRUE(cluster_.SendIncremental(node).ok());
  for (const uint64_t sequence : {1, 2}) {
    EXPECT_TRUE(cluster_.Replay(node, sequence, received).ok());
    EXPECT_THAT(cluster_.Where(block), IsEmpty());
  }
  // The same start that registers again goes on counting; a new one begins anew.
  ASSERT_TRUE(cluster_.Register(node).ok());
  EXPECT_TRUE(cluster_.Replay(node, 2, received).ok());
  EXPECT_THAT(cluster_.Where(block), IsEmpty());
  cluster_.Restart(node);
  EXPECT_TRUE(cluster_.Replay(node, 1, received).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  ExpectCountsAreRight();
}

TEST_F(NodeReportsTest, ARefusedReportMayBeSentAgain) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1, /*report=*/false);
  const std::vector<ReplicaChange> received = {
      {ReplicaChange::Kind::kReceived, node.storage(), block}};
  cluster_.clock().AdvanceMs(60'000);
  manager().RunHeartbeatCheck();  // dead
  EXPECT_EQ(KindOf(cluster_.Replay(node, 1, received)), ErrorKind::kUnknownNode);
  ASSERT_TRUE(cluster_.Register(node).ok());
  EXPECT_TRUE(cluster_.Replay(node, 1, received).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
}

TEST_F(NodeReportsTest, ABusyNodesProvisionalReplicasStay) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1, /*report=*/false);
  const std::vector<ReplicaChange> held_back = std::exchange(node.unsent, {});
  cluster_.Run(150'000);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  EXPECT_THAT(node.asked, IsEmpty());
  node.unsent = held_back;
  ASSERT_TRUE(cluster_.SendIncremental(node).ok());
  cluster_.Run(600'000);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  EXPECT_THAT(node.asked, IsEmpty());
}

TEST_F(NodeReportsTest, AFullReportWithoutAProvisionalReplicaDropsIt) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1, /*report=*/false);
  node.unsent.clear();
  node.disk.clear();  // its word was not true
  cluster_.Run(30'000);
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));  // its snapshot may be older
  cluster_.Run(180'000);
  ASSERT_THAT(node.asked, SizeIs(1));
  EXPECT_THAT(node.asked[0].storages, ElementsAre(node.storage()));
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  EXPECT_THAT(cluster_.Where(block), IsEmpty());
  EXPECT_EQ(cluster_.Counts().missing, 1u);
  cluster_.Run(120'000);
  EXPECT_THAT(node.asked, SizeIs(1));
  ExpectCountsAreRight();
}

TEST_F(NodeReportsTest, ANodeThatReportsNewerBlocksWillNotConfirmOlderOnes) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1, /*report=*/false);
  node.unsent.clear();
  const Block newer = cluster_.AddBlock({1}, 1);
  cluster_.Run(6'000);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  cluster_.Run(3'000);
  EXPECT_THAT(cluster_.Where(block), IsEmpty());
  EXPECT_THAT(cluster_.Where(newer), ElementsAre(1));
}

TEST_F(NodeReportsTest, NoProvisionalReplicaStaysForEver) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1, /*report=*/false);
  node.unsent.clear();
  cluster_.Run(594'000);  // it beats, and reports nothing
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  cluster_.Run(18'000);
  EXPECT_THAT(cluster_.Where(block), IsEmpty());
}

TEST_F(NodeReportsTest, UnknownBlocksAreDeletedExactly) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1);
  const Block unknown = cluster_.NewBlock();
  const Block later = cluster_.AddBlock({1}, 1);  // the counters are above `unknown` now
  node.disk[unknown.id] = {unknown, false};
  const Block future = {later.id + 1, later.generation, kMiB};
  const Block future_generation = {unknown.id, later.generation + 1, kMiB};
  node.disk[future.id] = {future, false};
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  ASSERT_TRUE(Piece(node, true, true, {block, later, unknown, future, future_generation}).ok());
  ASSERT_TRUE(cluster_.Beat(node).ok());
  EXPECT_THAT(node.deleted, ElementsAre(unknown));
}

TEST_F(NodeReportsTest, ABadReplicaOfAnUnknownBlockIsDeletedToo) {
  FakeNode& node = cluster_.AddNode();
  const Block unknown = cluster_.NewBlock();
  const Block later = cluster_.AddBlock({1}, 1);
  const Block future = {later.id + 1, later.generation, kMiB};
  for (const Block& block : {unknown, future}) {
    ASSERT_TRUE(
        manager()
            .BadReplica(node.registration.id, node.registration.incarnation, node.storage(), block)
            .ok());
  }
  ASSERT_TRUE(cluster_.Beat(node).ok());
  EXPECT_THAT(node.deleted, ElementsAre(unknown));
}

TEST_F(NodeReportsTest, IdLimitsMayBeRaised) {
  FakeNode& node = cluster_.AddNode();
  const Block stray{500, 900, kMiB};
  ASSERT_TRUE(Piece(node, true, true, {stray}).ok());
  ASSERT_TRUE(cluster_.Beat(node).ok());
  EXPECT_THAT(node.deleted, IsEmpty());
  manager().SetIdLimits(500, 900);
  ASSERT_TRUE(Piece(node, true, true, {stray}).ok());
  ASSERT_TRUE(cluster_.Beat(node).ok());
  EXPECT_THAT(node.deleted, ElementsAre(stray));
}

TEST_F(NodeReportsTest, OutdatedGenerationsNeverCount) {
  FakeNode& node = cluster_.AddNode();
  cluster_.AddNode();
  cluster_.NewBlock();  // uses up a generation
  const Block block = cluster_.AddBlock({1}, 1);
  FakeNode& second = cluster_.node(2);
  const Block outdated{block.id, block.generation - 1, kMiB};
  cluster_.Receive(second, outdated);
  ASSERT_TRUE(cluster_.SendIncremental(second).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  EXPECT_EQ(cluster_.Counts().over_replicated, 0u);
  cluster_.Run(6'000);
  EXPECT_THAT(second.deleted, ElementsAre(outdated));
  EXPECT_THAT(node.deleted, IsEmpty());
  ExpectCountsAreRight();
}

TEST_F(NodeReportsTest, AnotherLengthIsCorrupt) {
  cluster_.AddNode();
  const Block block = cluster_.NewBlock();
  cluster_.Push({cluster_.Change(BlockChange::Kind::kOpened, block, 1)});
  cluster_.Receive(cluster_.node(1), {block.id, block.generation, block.length - 1});
  ASSERT_TRUE(cluster_.SendIncremental(cluster_.node(1)).ok());
  BlockChange finished = cluster_.Change(BlockChange::Kind::kFinished, block, 1);
  finished.storages = {cluster_.node(1).storage()};
  cluster_.Push({finished, cluster_.Change(BlockChange::Kind::kFileClosed, block, 1)});
  EXPECT_THAT(cluster_.Where(block), IsEmpty());
  EXPECT_EQ(cluster_.Counts().corrupt, 1u);
}

TEST_F(NodeReportsTest, OpenReplicasAreNotGood) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1, /*report=*/false);
  // A snapshot that still shows it being written does not contradict its writer.
  node.disk[block.id].open = true;
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  cluster_.Restart(node);
  EXPECT_EQ(cluster_.Counts().total, 1u);
  EXPECT_THAT(cluster_.Where(block), IsEmpty());  // but one taken later does
  cluster_.Receive(node, block);
  ASSERT_TRUE(cluster_.SendIncremental(node).ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
}

TEST_F(NodeReportsTest, ABadMarkStaysUntilTheReplicaIsGone) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1);
  ASSERT_TRUE(manager().BadReplica("node-1", 1, node.storage(), block).ok());
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  cluster_.Receive(node, block);  // a late repetition
  ASSERT_TRUE(cluster_.SendIncremental(node).ok());
  EXPECT_EQ(cluster_.Counts().corrupt, 1u);
  cluster_.Run(30'000);
  EXPECT_THAT(node.deleted, IsEmpty());  // never the last copy
  node.unsent = {{ReplicaChange::Kind::kDeleted, node.storage(), block}};
  ASSERT_TRUE(cluster_.SendIncremental(node).ok());
  EXPECT_EQ(cluster_.Counts().missing, 1u);
  cluster_.Receive(node, block);
  ASSERT_TRUE(cluster_.SendIncremental(node).ok());
  EXPECT_EQ(cluster_.Counts().Score(), 100);
}

TEST_F(NodeReportsTest, ADeletionUnderWayIsNotUndoneByAReport) {
  FakeNode& node = cluster_.AddNode();
  const Block block = cluster_.AddBlock({1}, 1);
  const Block other = cluster_.AddBlock({1}, 1);
  cluster_.Remove(block);
  ASSERT_TRUE(cluster_.Beat(node).ok());
  EXPECT_THAT(node.deleted, ElementsAre(block));
  ASSERT_TRUE(Piece(node, true, true, {block, other}).ok());  // taken before the deletion
  ASSERT_TRUE(cluster_.Beat(node).ok());
  EXPECT_THAT(node.deleted, SizeIs(1));
}

// Four replicas of a block that shall have three; the order that takes one away waits.
class ExcessTest : public NodeReportsTest {
 protected:
  ExcessTest() {
    for (int i = 0; i < 4; ++i) cluster_.AddNode();
    block_ = cluster_.AddBlock({1, 2, 3, 4}, 3);
    for (NodeNumber number = 1; number <= 4; ++number) {
      EXPECT_TRUE(cluster_.Beat(cluster_.node(number)).ok());
    }
    manager().RunReplicationRound();
    const std::vector<NodeNumber> left = cluster_.Where(block_);
    EXPECT_THAT(left, SizeIs(3));
    for (NodeNumber number = 1; number <= 4; ++number) {
      if (std::count(left.begin(), left.end(), number) == 0) excess_ = number;
    }
  }
  FakeNode& excess() { return cluster_.node(excess_); }
  FakeNode& other() { return cluster_.node(excess_ == 1 ? 2 : 1); }
  absl::Status TellBad(FakeNode& node) {
    return manager().BadReplica(node.registration.id, node.registration.incarnation, node.storage(),
                                block_);
  }

  Block block_;
  NodeNumber excess_ = 0;
};

TEST_F(ExcessTest, GoesWhereNothingHasChanged) {
  ASSERT_TRUE(cluster_.Beat(excess()).ok());
  EXPECT_THAT(excess().deleted, ElementsAre(block_));
}

TEST_F(ExcessTest, StaysWhereAnotherReplicaIsBad) {
  ASSERT_TRUE(TellBad(other()).ok());
  ASSERT_TRUE(cluster_.Beat(excess()).ok());
  EXPECT_THAT(excess().deleted, IsEmpty());
  EXPECT_THAT(cluster_.Where(block_), SizeIs(3));
  ExpectCountsAreRight();
  EXPECT_TRUE(cluster_.RunUntilSound());
  EXPECT_THAT(cluster_.Where(block_), SizeIs(3));
}

TEST_F(ExcessTest, StaysWhereTheTargetWasRaised) {
  cluster_.SetReplication(block_, 4);
  ASSERT_TRUE(cluster_.Beat(excess()).ok());
  EXPECT_THAT(excess().deleted, IsEmpty());
  EXPECT_THAT(cluster_.Where(block_), SizeIs(4));
  ExpectCountsAreRight();
}

TEST_F(ExcessTest, StaysWhereAnotherReplicaIsInDoubt) {
  other().registration.incarnation = 99;
  ASSERT_TRUE(cluster_.Register(other()).ok());  // has not reported yet
  ASSERT_TRUE(cluster_.Beat(excess()).ok());
  EXPECT_THAT(excess().deleted, IsEmpty());
  EXPECT_EQ(cluster_.Counts().over_replicated, 1u);
  ExpectCountsAreRight();
  ASSERT_TRUE(cluster_.FullReport(other()).ok());
  EXPECT_TRUE(cluster_.RunUntilSound());
  EXPECT_THAT(cluster_.Where(block_), SizeIs(3));
}

TEST_F(ExcessTest, StaysOnANodeThatLeavesAsASource) {
  cluster_.SetAdmin(excess(), AdminState::kDecommissioning);
  for (NodeNumber number = 1, bad = 0; bad < 2; ++number) {
    if (number == excess_) continue;
    ++bad;
    ASSERT_TRUE(TellBad(cluster_.node(number)).ok());
  }
  ASSERT_TRUE(cluster_.Beat(excess()).ok());
  EXPECT_THAT(excess().deleted, IsEmpty());
  EXPECT_THAT(cluster_.Where(block_), ::testing::Contains(excess_));
  ExpectCountsAreRight();
}

TEST_F(ExcessTest, ThatIsBadItselfGoesInAnyCase) {
  ASSERT_TRUE(TellBad(excess()).ok());
  ASSERT_TRUE(TellBad(other()).ok());
  ASSERT_TRUE(cluster_.Beat(excess()).ok());
  EXPECT_THAT(excess().deleted, ElementsAre(block_));
}

TEST_F(ExcessTest, OfARemovedFileGoes) {
  cluster_.Remove(block_);
  ASSERT_TRUE(cluster_.Beat(excess()).ok());
  EXPECT_THAT(excess().deleted, ElementsAre(block_));
}

TEST_F(ExcessTest, AReportUnderWayDoesNotTakeAwayWhatStays) {
  ASSERT_TRUE(Piece(excess(), true, false, {block_}).ok());
  cluster_.SetReplication(block_, 4);
  ASSERT_TRUE(cluster_.Beat(excess()).ok());
  ASSERT_TRUE(Piece(excess(), false, true, {}).ok());
  EXPECT_THAT(cluster_.Where(block_), SizeIs(4));
}

TEST_F(NodeReportsTest, StoragesWithoutAReportAreAskedForOne) {
  FakeNode& node = cluster_.AddNode("/r", /*report=*/false);
  cluster_.Run(27'000);
  EXPECT_THAT(node.asked, IsEmpty());
  cluster_.Run(6'000);
  ASSERT_THAT(node.asked, SizeIs(1));
  EXPECT_THAT(node.asked[0].storages, ElementsAre(2, 3));
  ASSERT_TRUE(cluster_.FullReport(node).ok());
  cluster_.Run(60'000);
  EXPECT_THAT(node.asked, SizeIs(1));
}

TEST_F(NodeReportsTest, ManyPieces) {
  FakeNode& node = cluster_.AddNode();
  for (int i = 0; i < 5'000; ++i) cluster_.AddBlock({1}, 1);
  cluster_.Restart(node);
  EXPECT_EQ(cluster_.Counts().Score(), 100);
  EXPECT_EQ(cluster_.Counts().total, 5'000u);
  for (BlockId id = 1; id <= 4'500; ++id) node.disk.erase(id);
  cluster_.Restart(node);
  EXPECT_EQ(cluster_.Counts().missing, 4'500u);
  ExpectCountsAreRight();
}

}  // namespace
}  // namespace cairn::namenode
