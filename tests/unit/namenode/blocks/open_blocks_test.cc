// Blocks that are written, reopened, cut and recovered: what counts, what may be deleted, who is
// asked.
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

class OpenBlocksTest : public ::testing::Test {
 protected:
  OpenBlocksTest() {
    for (int i = 0; i < 3; ++i) cluster_.AddNode();
  }
  BlockManager& manager() { return cluster_.manager(); }
  FakeNode& node(NodeNumber number) { return cluster_.node(number); }
  void Send(NodeNumber number) { EXPECT_TRUE(cluster_.SendIncremental(node(number)).ok()); }
  void ExpectCountsAreRight() { EXPECT_EQ(cluster_.Counts(), manager().Recount()); }
  static Block Stamped(const Block& block, GenerationStamp generation, uint64_t length) {
    return {block.id, generation, length};
  }
  // Uses up a stamp, as NewStamp and block recoveries do.
  GenerationStamp NewStamp() { return cluster_.NewBlock().generation; }
  TargetRequest Join(BlockId block, std::vector<NodeNumber> survivors) {
    TargetRequest request;
    request.count = 1;
    request.min_required = 0;
    request.block = block;
    request.existing = std::move(survivors);
    request.block_size = kMiB;
    return request;
  }
  std::vector<NodeNumber> Alive(const std::vector<NodeNumber>& pipeline) {
    std::vector<NodeNumber> numbers;
    for (const NodeAddress& member : manager().FindMembers(pipeline).alive) {
      numbers.push_back(member.number);
    }
    return numbers;
  }
  RecoverBlock Order(const Block& block, GenerationStamp recovery) {
    return {block, recovery, manager().NodeAddresses({1, 2}), false};
  }

  FakeCluster cluster_;
};

TEST_F(OpenBlocksTest, AReopenedBlockIsUncountedAndNothingOfItIsDeletedOrCopied) {
  const Block block = cluster_.AddBlock({1, 2, 3}, 2);  // one too many
  EXPECT_EQ(cluster_.Counts().over_replicated, 1u);
  cluster_.Open(block, {1, 2, 3}, 2);
  EXPECT_EQ(cluster_.Counts().total, 0u);
  ExpectCountsAreRight();
  cluster_.Run(30'000);
  for (NodeNumber n = 1; n <= 3; ++n) EXPECT_THAT(node(n).deleted, IsEmpty());
  // Finished as it was: its replicas are what they were.
  cluster_.Finish(block, {}, 3);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2, 3));
  EXPECT_EQ(cluster_.Counts().total, 1u);
  ExpectCountsAreRight();
}

TEST_F(OpenBlocksTest, ACopyUnderWayEndsWhenItsBlockIsReopened) {
  const Block block = cluster_.AddBlock({1}, 2);
  manager().RunReplicationRound();  // the order waits for a heartbeat
  cluster_.Open(block, {1}, 2);
  ASSERT_TRUE(cluster_.Beat(node(1)).ok());
  EXPECT_THAT(node(1).copies, IsEmpty());
  cluster_.Finish(block, {}, 2);
  cluster_.Run(6'000);
  EXPECT_THAT(cluster_.Where(block), SizeIs(2));
}

TEST_F(OpenBlocksTest, ReplicasOfTheStampBeforeAreNeverLocatedAndGoOnceEnoughAreGood) {
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  cluster_.Open(block, {1, 2, 3}, 3);
  const Block appended = Stamped(block, NewStamp(), 2 * kMiB);
  cluster_.Open(Stamped(appended, appended.generation, block.length), {1, 2}, 3);  // 3 has failed
  cluster_.Receive(node(1), appended);
  cluster_.Receive(node(2), appended);
  Send(1);
  cluster_.Finish(appended, {1, 2}, 3);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2));
  EXPECT_EQ(cluster_.Counts().under_replicated, 1u);
  manager().RunReplicationRound();
  ASSERT_TRUE(cluster_.Beat(node(3)).ok());
  EXPECT_THAT(node(3).deleted, IsEmpty());  // that of node 2 is its writer's word only
  Send(2);
  cluster_.Run(30'000);
  EXPECT_THAT(node(3).deleted, ElementsAre(block));
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2, 3));
  ExpectCountsAreRight();
}

TEST_F(OpenBlocksTest, AWaitingReplicaOfAFinishedBlockIsUselessButKeptUntilEnoughAreGood) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 1);
  cluster_.Write(node(2), {block.id, block.generation, 100});
  cluster_.Leave(node(2), block.id);
  Send(2);
  cluster_.Finish(block, {1}, 1);  // weak: the first node alone, and no report yet
  cluster_.Run(3'000);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  EXPECT_THAT(node(2).deleted, IsEmpty());
  cluster_.Receive(node(1), block);
  cluster_.Run(9'000);
  EXPECT_THAT(node(2).deleted, SizeIs(1));
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  ExpectCountsAreRight();
}

TEST_F(OpenBlocksTest, AWaitingReplicaIsNotDeletedWhereTheGoodOneWasLost) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 1);
  cluster_.Write(node(2), {block.id, block.generation, 100});
  cluster_.Finish(block, {1}, 1);
  node(1).up = false;
  cluster_.Leave(node(2), block.id);
  Send(2);
  cluster_.Run(120'000);
  EXPECT_EQ(cluster_.Counts().missing, 1u);
  EXPECT_THAT(node(2).deleted, IsEmpty());
  ExpectCountsAreRight();
}

TEST_F(OpenBlocksTest, TheWritersWordDoesNotStandAgainstAWaitingReplica) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 2);
  cluster_.Write(node(2), {block.id, block.generation, 100});
  cluster_.Leave(node(2), block.id);
  Send(2);
  cluster_.Receive(node(1), block);
  Send(1);
  cluster_.Finish(block, {1, 2}, 2);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  EXPECT_EQ(cluster_.Counts().under_replicated, 1u);
}

TEST_F(OpenBlocksTest, AWaitingReplicaTakesItsWritersWordBack) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 2);
  cluster_.Finish(block, {1, 2}, 2);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2));
  cluster_.Write(node(2), {block.id, block.generation, 100});
  cluster_.Leave(node(2), block.id);
  Send(2);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
}

TEST_F(OpenBlocksTest, AReplicaOfALaterStampCountsForNothingUntilTheBlockHasIt) {
  const Block block = cluster_.AddBlock({1, 2}, 2);
  cluster_.Open(block, {1, 2}, 2);
  const Block settled = Stamped(block, NewStamp(), kMiB);
  for (const NodeNumber n : {1, 2}) {  // recovered; the commit comes later than the reports
    cluster_.Receive(node(n), settled);
    Send(n);
  }
  cluster_.Run(30'000);
  EXPECT_THAT(node(1).deleted, IsEmpty());
  cluster_.Finish(settled, {1, 2}, 2);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2));
  cluster_.Run(30'000);  // no report is awaited any more
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2));
  ExpectCountsAreRight();
}

TEST_F(OpenBlocksTest, NothingIsDeletedBesideAReplicaOfAStampThatIsNotKnown) {
  const Block block = cluster_.AddBlock({1, 2}, 1);
  cluster_.Receive(node(3), Stamped(block, block.generation + 50, kMiB));
  Send(3);
  cluster_.Run(30'000);
  for (NodeNumber n = 1; n <= 3; ++n) EXPECT_THAT(node(n).deleted, IsEmpty());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2));
}

TEST_F(OpenBlocksTest, OnlyWhatIsMissingIsPromisedOfAReopenedBlock) {
  const Block block = cluster_.AddBlock({1}, 1, true, 100 * kMiB);  // of 128
  TargetRequest request;
  request.min_required = 1;
  request.excluded = {2, 3};
  request.block_size = (2000 - 28) * kMiB;
  cluster_.Open(block, {1}, 1);
  EXPECT_TRUE(manager().ChooseTargets(request).ok());
  ++request.block_size;
  EXPECT_FALSE(manager().ChooseTargets(request).ok());
  cluster_.Open(Stamped(block, NewStamp(), block.length), {2}, 1);  // another pipeline
  EXPECT_TRUE(manager().ChooseTargets(request).ok());
  request.excluded = {1, 3};
  EXPECT_FALSE(manager().ChooseTargets(request).ok());
  cluster_.Finish(Stamped(block, block.generation + 1, block.length), {}, 1);
  EXPECT_TRUE(manager().ChooseTargets(request).ok());
}

TEST_F(OpenBlocksTest, ARemovedOpenBlockIsDeletedWhereItWasNeverReportedToo) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 2);
  cluster_.Write(node(1), {block.id, block.generation, 5});
  cluster_.Remove(block);
  for (const NodeNumber n : {1, 2, 3}) ASSERT_TRUE(cluster_.Beat(node(n)).ok());
  ASSERT_THAT(node(1).deleted, SizeIs(1));
  EXPECT_EQ(node(1).deleted[0].generation, block.generation);
  EXPECT_THAT(node(1).disk, IsEmpty());
  EXPECT_THAT(node(2).deleted, SizeIs(1));
  EXPECT_THAT(node(3).deleted, IsEmpty());
  // Node 2 had none and says nothing of it: that is no reason to ask it for all that it has.
  node(2).unsent.clear();
  for (int i = 0; i < 120; ++i) cluster_.Run(3'000);
  EXPECT_THAT(node(2).asked, IsEmpty());
}

TEST_F(OpenBlocksTest, AnUnknownWaitingReplicaIsDeleted) {
  const Block unknown = cluster_.NewBlock();
  cluster_.AddBlock({1}, 1);
  cluster_.Write(node(2), unknown);
  cluster_.Leave(node(2), unknown.id);
  Send(2);
  ASSERT_TRUE(cluster_.Beat(node(2)).ok());
  EXPECT_THAT(node(2).deleted, ElementsAre(unknown));
}

TEST_F(OpenBlocksTest, SparedIdsAreNeverDeleted) {
  cluster_.AddBlock({1}, 1);
  const Block lost_id{50, 1, kMiB};  // of a journal that ended later
  const Block lost_stamp{2, 1050, kMiB};
  const Block ours{3, 1, kMiB};
  manager().SpareIds(40, 60, 1040, 1060);
  manager().SetIdLimits(100, 2000);
  for (const Block& block : {lost_id, ours}) cluster_.Receive(node(1), block);
  cluster_.Receive(node(2), lost_stamp);
  Send(1);
  Send(2);
  ASSERT_TRUE(cluster_.Beat(node(1)).ok());
  ASSERT_TRUE(cluster_.Beat(node(2)).ok());
  EXPECT_THAT(node(1).deleted, ElementsAre(ours));
  EXPECT_THAT(node(2).deleted, IsEmpty());
}

TEST_F(OpenBlocksTest, GoodNodesAreThoseOfExactlyThisBlock) {
  const Block block = cluster_.AddBlock({1, 2, 3}, 3);
  EXPECT_THAT(*manager().GoodNodes(block), UnorderedElementsAre(1, 2, 3));
  EXPECT_EQ(manager().GoodNodes(Stamped(block, block.generation + 1, kMiB)), std::nullopt);
  EXPECT_EQ(manager().GoodNodes(Stamped(block, block.generation, 5)), std::nullopt);
  EXPECT_EQ(manager().GoodNodes({999, 1, 1}), std::nullopt);
  node(1).up = false;
  cluster_.Run(15'000);
  EXPECT_EQ(manager().GoodNodes(block)->back(), 1u);  // late: it may hold the only good one
  cluster_.Open(block, {1, 2, 3}, 3);
  EXPECT_EQ(manager().GoodNodes(block), std::nullopt);
  cluster_.Finish(block, {}, 3);
  EXPECT_THAT(*manager().GoodNodes(block), SizeIs(3));
  for (NodeNumber n = 1; n <= 3; ++n) node(n).up = false;
  cluster_.Run(70'000);
  EXPECT_THAT(*manager().GoodNodes(block), IsEmpty());
}

TEST_F(OpenBlocksTest, AnOpenBlockIsReadFromTheNearestNodeOfItsPipelineThatLives) {
  const auto locate = [&](std::string_view host) {
    std::vector<NodeNumber> numbers;
    for (const NodeAddress& node : manager().LocateOpen({1, 2, 3}, host, "")) {
      if (!node.addresses.empty()) numbers.push_back(node.number);
    }
    return numbers;
  };
  EXPECT_THAT(locate(""), UnorderedElementsAre(1, 2, 3));
  for (NodeNumber n = 1; n <= 3; ++n) {
    EXPECT_EQ(locate(node(n).registration.host).front(), n);
  }
  node(2).up = false;
  cluster_.Run(15'000);
  EXPECT_EQ(locate("host2").back(), 2u);  // late
  cluster_.Run(60'000);
  EXPECT_THAT(locate("host2"), UnorderedElementsAre(1, 3));
  // The dead one is named: it may have what the others have not.
  const auto all = manager().LocateOpen({1, 2, 3}, "", "");
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all.back().number, 2u);
  EXPECT_THAT(all.back().addresses, IsEmpty());
}

TEST_F(OpenBlocksTest, NodesThatHoldAReplicaCannotJoinThePipeline) {
  const Block block = cluster_.AddBlock({1, 3}, 2);
  cluster_.Open(block, {1}, 2);  // node 3 has failed and holds what it had
  EXPECT_THAT(*manager().ChooseTargets(Join(block.id, {1})), ElementsAre(2));
  EXPECT_THAT(*manager().ChooseTargets(Join(block.id, {1, 2})), IsEmpty());
}

TEST_F(OpenBlocksTest, ANodeWithAStaleReplicaJoinsWhereThereIsNoOther) {
  const Block block = cluster_.AddBlock({1, 3}, 2);
  cluster_.Open(Stamped(block, NewStamp(), kMiB), {1}, 2);  // node 3 has what was before
  EXPECT_THAT(*manager().ChooseTargets(Join(block.id, {1})), ElementsAre(2));
  EXPECT_THAT(*manager().ChooseTargets(Join(block.id, {1, 2})), ElementsAre(3));
  TargetRequest both = Join(block.id, {1});
  both.count = 5;
  EXPECT_THAT(*manager().ChooseTargets(both), ElementsAre(2, 3));
  // One that it was to write, and whose writer is gone, is no reason either; a later one is.
  cluster_.Write(node(3), Stamped(block, block.generation + 1, 5));
  cluster_.Leave(node(3), block.id);
  Send(3);
  EXPECT_THAT(*manager().ChooseTargets(Join(block.id, {1, 2})), ElementsAre(3));
  cluster_.Receive(node(3), Stamped(block, block.generation + 2, 5));
  Send(3);
  EXPECT_THAT(*manager().ChooseTargets(Join(block.id, {1, 2})), IsEmpty());
}

TEST_F(OpenBlocksTest, FinishedBlocksOfAnOpenFileAreKeptAtTheirTargetToo) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 2);
  BlockChange finished = cluster_.Change(Kind::kFinished, block, 2);
  for (const NodeNumber n : {1, 2}) {
    cluster_.Receive(node(n), block);
    Send(n);
    finished.storages.push_back(node(n).storage());
  }
  cluster_.Push({finished});
  node(1).up = false;
  cluster_.Run(90'000);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(2, 3));
  EXPECT_EQ(cluster_.Counts().total, 0u);
  ExpectCountsAreRight();
}

TEST_F(OpenBlocksTest, MembersAreAwaitedAfterAStartUntilTheyAreDead) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 2);
  cluster_.RestartNameNode();
  EXPECT_THAT(manager().FindMembers({1, 2}).awaited, ElementsAre(1, 2));
  EXPECT_FALSE(manager().OrderRecovery(1, Order(block, NewStamp())));
  cluster_.Restart(node(2));
  EXPECT_THAT(Alive({1, 2}), ElementsAre(2));
  EXPECT_THAT(manager().FindMembers({1, 2}).awaited, ElementsAre(1));
  node(1).up = false;
  cluster_.Run(60'000);
  EXPECT_THAT(Alive({1, 2}), ElementsAre(2));
  EXPECT_THAT(manager().FindMembers({1, 2}).awaited, IsEmpty());
  cluster_.Restart(node(1));
  EXPECT_THAT(Alive({1, 2}), ElementsAre(1, 2));
  node(1).up = false;
  cluster_.Run(12'000);
  EXPECT_THAT(Alive({1, 2}), ElementsAre(2, 1));  // late, and still to be asked
  cluster_.Run(60'000);
  EXPECT_THAT(Alive({1, 2}), ElementsAre(2));  // dead: it was heard of, and is not awaited
  EXPECT_THAT(manager().FindMembers({1, 2}).awaited, IsEmpty());
}

TEST_F(OpenBlocksTest, ARecoveryIsOrderedOnceAndOnlyWhileItsBlockIsOpen) {
  Block block = cluster_.NewBlock();
  block.length = 0;
  cluster_.Open(block, {1, 2}, 2);
  const GenerationStamp first = NewStamp();
  const GenerationStamp second = NewStamp();
  EXPECT_TRUE(manager().OrderRecovery(1, Order(block, first)));
  EXPECT_TRUE(manager().OrderRecovery(2, Order(block, second)));  // a later one: node 1's goes
  for (const NodeNumber n : {1, 2, 1, 2}) ASSERT_TRUE(cluster_.Beat(node(n)).ok());
  EXPECT_THAT(node(1).recoveries, IsEmpty());
  ASSERT_THAT(node(2).recoveries, SizeIs(1));
  EXPECT_EQ(node(2).recoveries[0].recovery, second);
  EXPECT_EQ(node(2).recoveries[0].block, block);
  EXPECT_THAT(node(2).recoveries[0].members, SizeIs(2));

  EXPECT_TRUE(manager().OrderRecovery(1, Order(block, NewStamp())));
  cluster_.Open(Stamped(block, NewStamp(), 0), {1}, 2);  // its stamp is another one now
  ASSERT_TRUE(cluster_.Beat(node(1)).ok());
  EXPECT_THAT(node(1).recoveries, IsEmpty());
}

TEST_F(OpenBlocksTest, OrdersGoWithTheRegistrationTheyWereGivenFor) {
  Block block = cluster_.NewBlock();
  block.length = 0;
  cluster_.Open(block, {1}, 1);
  EXPECT_TRUE(manager().OrderRecovery(1, Order(block, NewStamp())));
  cluster_.Restart(node(1));
  ASSERT_TRUE(cluster_.Beat(node(1)).ok());
  EXPECT_THAT(node(1).recoveries, IsEmpty());
}

TEST_F(OpenBlocksTest, SpeakersAreRegisteredAndAlive) {
  EXPECT_EQ(manager().CheckSpeaker("node-1", node(1).registration.incarnation), absl::OkStatus());
  EXPECT_EQ(KindOf(manager().CheckSpeaker("node-1", 99)), ErrorKind::kUnknownNode);
  EXPECT_EQ(KindOf(manager().CheckSpeaker("stranger", 1)), ErrorKind::kUnknownNode);
}

// --- Reports that cross ---------------------------------------------------------------------

TEST_F(OpenBlocksTest, AnOlderFullReportDoesNotMakeAReceivedReplicaWaitAgain) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1}, 1);
  cluster_.Write(node(1), {block.id, block.generation, 5});
  cluster_.Leave(node(1), block.id);
  Send(1);
  const Block settled = Stamped(block, NewStamp(), 5);
  const FakeReplica old = node(1).disk.at(block.id);
  cluster_.Receive(node(1), settled);
  Send(1);
  cluster_.Finish(settled, {1}, 1);
  const NodeRegistration& self = node(1).registration;
  ASSERT_TRUE(manager()
                  .FullReportPiece(self.id, self.incarnation, node(1).storage(), true, true,
                                   {{old.block, true, true}})
                  .ok());
  EXPECT_THAT(cluster_.Where(block), ElementsAre(1));
  ExpectCountsAreRight();
}

TEST_F(OpenBlocksTest, AnOlderFullReportDoesNotSweepAWaitingReplica) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 1);
  cluster_.clock().AdvanceMs(200'000);
  for (const NodeNumber n : {1, 2, 3}) ASSERT_TRUE(cluster_.Beat(node(n)).ok());
  const NodeRegistration& self = node(2).registration;
  const auto piece = [&](bool first, bool last) {
    return manager().FullReportPiece(self.id, self.incarnation, node(2).storage(), first, last, {});
  };
  ASSERT_TRUE(piece(true, false).ok());
  cluster_.Write(node(2), {block.id, block.generation, 5});
  cluster_.Leave(node(2), block.id);
  Send(2);
  ASSERT_TRUE(piece(false, true).ok());  // taken before the replica came
  cluster_.Receive(node(1), block);
  Send(1);
  cluster_.Finish(block, {1}, 1);
  cluster_.Run(6'000);
  EXPECT_THAT(node(2).deleted, SizeIs(1));  // so it was still known
}

TEST_F(OpenBlocksTest, ADeletionOfTheOldStampLeavesTheRestampedReplicaAlone) {
  const Block block = cluster_.AddBlock({1, 2, 3}, 2);
  manager().RunReplicationRound();  // one of them is to go; the order waits for its heartbeat
  ASSERT_THAT(cluster_.Where(block), SizeIs(2));
  NodeNumber going = 1;
  for (const NodeNumber n : cluster_.Where(block)) going += n == going;
  // Meanwhile the block was reopened there, on an older list of its nodes.
  const Block appended = Stamped(block, NewStamp(), 2 * kMiB);
  cluster_.Open(block, {going}, 2);
  cluster_.Write(node(going), appended);
  cluster_.Open(Stamped(appended, appended.generation, kMiB), {going}, 2);
  ASSERT_TRUE(cluster_.Beat(node(going)).ok());
  EXPECT_THAT(node(going).deleted, ElementsAre(block));
  EXPECT_EQ(node(going).disk.at(block.id).block, appended);
  Send(going);  // "deleted" of the old stamp
  cluster_.Receive(node(going), appended);
  Send(going);
  cluster_.Finish(appended, {going}, 2);
  EXPECT_THAT(cluster_.Where(block), ElementsAre(going));
  cluster_.Run(12'000);
  EXPECT_THAT(cluster_.Where(block), SizeIs(2));
  ExpectCountsAreRight();
}

TEST_F(OpenBlocksTest, AWaitingReportDuringItsDeletionBringsNothingBack) {
  const Block block = cluster_.NewBlock();
  cluster_.Open({block.id, block.generation, 0}, {1, 2}, 1);
  cluster_.Write(node(2), {block.id, block.generation, 5});
  cluster_.Leave(node(2), block.id);
  Send(2);
  cluster_.Receive(node(1), block);
  Send(1);
  cluster_.Finish(block, {1}, 1);
  manager().RunReplicationRound();  // node 2's is to be deleted
  const FakeReplica before = node(2).disk.at(block.id);
  const NodeRegistration& self = node(2).registration;
  ASSERT_TRUE(manager()
                  .FullReportPiece(self.id, self.incarnation, node(2).storage(), true, true,
                                   {{before.block, true, true}})
                  .ok());
  cluster_.Run(9'000);
  EXPECT_THAT(node(2).deleted, SizeIs(1));
  EXPECT_EQ(manager().Report().datanodes[1].blocks, 0u);
}

TEST_F(OpenBlocksTest, ALateSyncIsWaitedForEvenWithQuickHeartbeats) {
  BlockManagerOptions options;
  options.heartbeat_interval_ms = 200;
  FakeCluster quick(options);
  FakeNode& node = quick.AddNode();
  const Block eventual = quick.AddBlock({1}, 1, /*report=*/false);
  node.unsent.clear();     // it syncs within five seconds
  quick.AddBlock({1}, 1);  // strong, and reported first
  quick.Run(6'000);
  EXPECT_THAT(quick.Where(eventual), ElementsAre(1));
  quick.Run(2'000);
  EXPECT_THAT(quick.Where(eventual), IsEmpty());
}

}  // namespace
}  // namespace cairn::namenode
