// Files that are written by several, opened again, cut, and taken over: what each caller gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/namenode/namesystem/writing_fixture.h"

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

constexpr int64_t kSoftLimitMs = 60'000;

class WritingTest : public ::testing::Test {
 protected:
  WritingTest() : nodes_(w_.AddNodes()) {}

  Writing w_;
  const std::map<NodeNumber, Writing::Node> nodes_;
};

// --- Consistency ----------------------------------------------------------------------------

TEST(WritingConsistencyTest, OnlyAStrongFileNeedsMinReplicas) {
  Writing w;
  const Writing::Node node = w.AddNode("n1");
  CreateRequest request;
  request.path = "/f";
  request.with_block = true;
  EXPECT_EQ(MessageOf(w.Create(1, request).status()),
            "need 2 healthy DataNodes, 1 available; add one or use -r 1");
  for (const Consistency consistency : {Consistency::kEventual, Consistency::kWeak}) {
    request.path = std::string("/") + std::string(ToString(consistency));
    request.consistency = consistency;
    const absl::StatusOr<CreatedFile> file = w.Create(1, request);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->min_replicas, 1u);
    Block block = file->block->block;
    block.length = file->block_size;
    const absl::StatusOr<LocatedBlock> next = w.AddBlock(1, file->inode, {{block, {node.storage}}});
    ASSERT_TRUE(next.ok()) << next.status();
    block = next->block;
    block.length = 1;
    EXPECT_EQ(w.Complete(1, file->inode, {{block, {node.storage}}}), absl::OkStatus());
  }
}

// --- Pipelines ------------------------------------------------------------------------------

TEST_F(WritingTest, ANewStampComesWithOtherNodesThanTheWriterHas) {
  const Writing::Node fourth = w_.AddNode("n4");
  const CreatedFile file = w_.Create(1, "/f");
  const std::vector<NodeNumber> pipeline = Writing::Numbers(*file.block);
  ASSERT_THAT(pipeline, SizeIs(3));
  NodeNumber other = 0;
  for (const NodeNumber n : {1, 2, 3, 4}) {
    if (std::count(pipeline.begin(), pipeline.end(), n) == 0) other = n;
  }
  const std::vector<NodeNumber> survivors = {pipeline[0], pipeline[2]};
  const auto stamp = w_.NewStamp(1, file.inode, file.block->block, {survivors, {pipeline[1]}, 1});
  ASSERT_TRUE(stamp.ok()) << stamp.status();
  EXPECT_GT(stamp->generation, file.block->block.generation);
  ASSERT_THAT(stamp->additional, SizeIs(1));
  EXPECT_EQ(stamp->additional[0].number, other);
  // Where there is no other, the survivors go on.
  const auto again =
      w_.NewStamp(1, file.inode, file.block->block, {survivors, {pipeline[1], other}, 1});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->generation, stamp->generation);
  EXPECT_THAT(again->additional, IsEmpty());
}

TEST_F(WritingTest, ReadersFindAnOpenBlockWhereItsPipelineIsNow) {
  const CreatedFile file = w_.Create(1, "/f");
  const Block block = file.block->block;
  LocatedFile located = w_.Locate("/f");
  ASSERT_THAT(located.blocks, SizeIs(1));
  EXPECT_TRUE(located.blocks[0].open);
  EXPECT_THAT(Writing::Numbers(located.blocks[0]), UnorderedElementsAre(1, 2, 3));

  const auto stamp = w_.NewStamp(1, file.inode, block, {{1, 3}, {}, 0});
  ASSERT_TRUE(stamp.ok()) << stamp.status();
  located = w_.Locate("/f");
  EXPECT_EQ(located.blocks[0].block.generation, block.generation);  // not the block's yet
  EXPECT_EQ(w_.UpdatePipeline(1, file.inode, block, stamp->generation, {3, 1}), absl::OkStatus());
  located = w_.Locate("/f");
  EXPECT_EQ(located.blocks[0].block.generation, stamp->generation);
  EXPECT_THAT(Writing::Numbers(located.blocks[0]), UnorderedElementsAre(1, 3));

  EXPECT_FALSE(w_.NewStamp(1, file.inode, block, {}).ok());  // the stamp that it had
  EXPECT_EQ(KindOf(w_.NewStamp(2, file.inode, located.blocks[0].block, {}).status()),
            ErrorKind::kLeaseLost);
}

TEST_F(WritingTest, AReplicaWithAStampThatCameToNothingIsDeletedWithItsFile) {
  const CreatedFile file = w_.Create(1, "/f");
  Block block = file.block->block;
  const auto stamp = w_.NewStamp(1, file.inode, block, {});
  ASSERT_TRUE(stamp.ok());
  EXPECT_EQ(AwaitReply<absl::Status>([&](auto reply) {
              w_.door.operations.AbandonFile(w_.Call(1), {file.inode, {}}, std::move(reply));
            }),
            absl::OkStatus());
  ASSERT_EQ(w_.door.namesystem.Reclaim(64), absl::OkStatus());
  block.generation = stamp->generation;
  w_.Report(nodes_.at(1), ReplicaChange::Kind::kWaiting, block);
  bool deleted = false;
  for (const NodeCommand& command : w_.Beat(nodes_.at(1))) {
    const auto* deletes = std::get_if<DeleteReplicas>(&command);
    if (deletes == nullptr) continue;
    for (const Block& one : deletes->blocks) deleted |= one.generation == stamp->generation;
  }
  EXPECT_TRUE(deleted);
}

// --- Append ---------------------------------------------------------------------------------

TEST_F(WritingTest, AnAppendOpensTheLastBlockWhereItIs) {
  const LocatedBlock written = w_.WriteFile("/f", 1000, nodes_);
  const absl::StatusOr<AppendedFile> file = w_.Append(1, "/f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->length, 1000u);
  EXPECT_EQ(file->min_replicas, 2u);
  ASSERT_TRUE(file->block.has_value());
  EXPECT_EQ(file->block->block, written.block);
  EXPECT_THAT(Writing::Numbers(*file->block), UnorderedElementsAre(1, 2, 3));
  const LocatedFile open = w_.Locate("/f");
  EXPECT_TRUE(open.status.open);
  EXPECT_EQ(open.status.length, 1000u);
  EXPECT_TRUE(open.blocks[0].open);
  EXPECT_EQ(open.blocks[0].block.length, 1000u);
  EXPECT_EQ(w_.door.blocks.Report().blocks.total, 0u);

  // Nothing is written: it is what it was.
  EXPECT_EQ(w_.Complete(1, file->inode, {{written.block, {}}}), absl::OkStatus());
  const LocatedFile closed = w_.Locate("/f");
  EXPECT_FALSE(closed.status.open);
  EXPECT_THAT(Writing::Numbers(closed.blocks[0]), UnorderedElementsAre(1, 2, 3));
  EXPECT_EQ(w_.door.blocks.Report().blocks, w_.door.blocks.Recount());
}

TEST_F(WritingTest, AnAppendedBlockHasOnlyTheReplicasOfItsNewStamp) {
  const LocatedBlock written = w_.WriteFile("/f", 1000, nodes_);
  const absl::StatusOr<AppendedFile> file = w_.Append(1, "/f");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto stamp = w_.NewStamp(1, file->inode, written.block, {{1, 2}, {3}, 1});
  ASSERT_TRUE(stamp.ok());
  EXPECT_THAT(stamp->additional, IsEmpty());  // node 3 is no replacement for itself
  ASSERT_EQ(w_.UpdatePipeline(1, file->inode, written.block, stamp->generation, {1, 2}),
            absl::OkStatus());
  const Block appended{written.block.id, stamp->generation, 1500};
  // What it was before can no longer be its end.
  EXPECT_FALSE(w_.Complete(1, file->inode, {{written.block, {}}}).ok());
  ASSERT_EQ(w_.Complete(1, file->inode, {{appended, {nodes_.at(1).storage, nodes_.at(2).storage}}}),
            absl::OkStatus());
  const LocatedFile closed = w_.Locate("/f");
  EXPECT_EQ(closed.status.length, 1500u);
  EXPECT_THAT(Writing::Numbers(closed.blocks[0]), UnorderedElementsAre(1, 2));
}

TEST_F(WritingTest, AnAppendNeedsAReplicaOfTheLastBlock) {
  const CreatedFile file = w_.Create(1, "/f");
  Block block = file.block->block;
  block.length = 10;
  ASSERT_EQ(w_.Complete(1, file.inode, {{block, {nodes_.at(1).storage, nodes_.at(2).storage}}}),
            absl::OkStatus());
  w_.door.clock.AdvanceMs(60'000);
  w_.door.blocks.RunHeartbeatCheck();  // all dead
  const absl::Status refused = w_.Append(1, "/f").status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(MessageOf(refused), HasSubstr("no live replica"));
  EXPECT_FALSE(w_.Locate("/f").status.open);
}

TEST(WritingDurableTest, AnAppendRightBehindACompletionWaitsForIt) {
  Writing w;
  const std::map<NodeNumber, Writing::Node> nodes = w.AddNodes();
  const CreatedFile file = w.Create(1, "/f");
  w.door.journal.Hold();
  CompleteRequest complete;
  complete.inode = file.inode;
  Block block = file.block->block;
  block.length = 10;
  complete.finished = {{block, {nodes.at(1).storage, nodes.at(2).storage}}};
  Slot<absl::Status> completed;
  w.door.operations.Complete(w.Call(1), complete, completed.Reply());
  Slot<absl::StatusOr<AppendedFile>> appended;
  w.door.operations.Append(w.Call(2), {"/f", {}}, appended.Reply());
  EXPECT_FALSE(appended.came());
  w.door.journal.Flow();
  ASSERT_TRUE(appended.Await().has_value());
  ASSERT_TRUE(appended.Await()->ok()) << appended.Await()->status();
  EXPECT_THAT(Writing::Numbers(*(*appended.Await())->block), UnorderedElementsAre(1, 2));
}

TEST_F(WritingTest, ARetriedAppendGetsTheAnswerOfTheFirst) {
  const LocatedBlock written = w_.WriteFile("/f", 1000, nodes_);
  const CallContext call = w_.Call(1);
  const absl::StatusOr<AppendedFile> first = w_.Append(call, "/f");
  ASSERT_TRUE(first.ok());
  w_.door.clock.AdvanceMs(2 * kSoftLimitMs);  // it had no answer for long
  const absl::StatusOr<AppendedFile> retried = w_.Append(call, "/f");
  ASSERT_TRUE(retried.ok()) << retried.status();
  EXPECT_EQ(retried->inode, first->inode);
  EXPECT_EQ(retried->block->block, first->block->block);
  EXPECT_EQ(w_.Complete(1, first->inode, {{written.block, {}}}), absl::OkStatus());
}

// --- Two writers ----------------------------------------------------------------------------

TEST_F(WritingTest, AFileIsNotTakenFromAWriterThatLives) {
  const CreatedFile file = w_.Create(1, "/f");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(KindOf(w_.Append(2, "/f").status()), ErrorKind::kBeingWritten);
    EXPECT_EQ(KindOf(w_.Truncate(2, "/f", 0).status()), ErrorKind::kBeingWritten);
    w_.door.clock.AdvanceMs(kSoftLimitMs / 2);
    w_.Renew(1);
  }
  EXPECT_TRUE(w_.AddBlock(1, file.inode).ok());
}

TEST_F(WritingTest, AFileIsTakenFromAWriterThatFellSilent) {
  const CreatedFile file = w_.Create(1, "/f");
  int woken = 0;
  w_.door.namesystem.SetLeaseWaker([&] { ++woken; });
  EXPECT_EQ(KindOf(w_.Append(2, "/f").status()), ErrorKind::kBeingWritten);
  w_.door.clock.AdvanceMs(kSoftLimitMs + 1);
  EXPECT_EQ(KindOf(w_.Append(2, "/f").status()), ErrorKind::kRecoveryInProgress);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(KindOf(w_.Append(3, "/f").status()), ErrorKind::kRecoveryInProgress);
  // The first one comes back, and has lost it for good.
  w_.Renew(1);
  Block block = file.block->block;
  block.length = 10;
  const absl::Status late =
      w_.Complete(1, file.inode, {{block, {nodes_.at(1).storage, nodes_.at(2).storage}}});
  EXPECT_EQ(KindOf(late), ErrorKind::kLeaseLost);
  EXPECT_EQ(KindOf(w_.NewStamp(1, file.inode, block, {}).status()), ErrorKind::kLeaseLost);
  EXPECT_EQ(KindOf(w_.AddBlock(1, file.inode).status()), ErrorKind::kLeaseLost);
}

TEST_F(WritingTest, ASilentWriterThatLeftNothingOpenIsReplacedAtOnce) {
  const LocatedBlock written = w_.WriteFile("/f", 1000, nodes_);
  ASSERT_TRUE(w_.Append(1, "/f").ok());  // and never wrote
  w_.door.clock.AdvanceMs(kSoftLimitMs + 1);
  const absl::StatusOr<AppendedFile> second = w_.Append(2, "/f");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->block->block, written.block);
  EXPECT_THAT(Writing::Numbers(*second->block), UnorderedElementsAre(1, 2, 3));
}

TEST_F(WritingTest, RecoverLeaseTakesTheFileFromALiveWriter) {
  w_.Create(1, "/f");
  EXPECT_FALSE(*w_.RecoverLease(2, "/f"));
  EXPECT_FALSE(*w_.RecoverLease(2, "/f"));  // its block is still to be settled
  EXPECT_EQ(KindOf(w_.Append(1, "/f").status()), ErrorKind::kRecoveryInProgress);

  w_.WriteFile("/closed", 10, nodes_);
  EXPECT_TRUE(*w_.RecoverLease(2, "/closed"));
  CreateRequest request;
  request.path = "/empty";
  ASSERT_TRUE(w_.Create(1, request).ok());
  EXPECT_TRUE(*w_.RecoverLease(2, "/empty"));
  EXPECT_TRUE(w_.Exists("/empty"));
  request.path = "/f._COPYING_.1";
  request.unpublished = true;
  ASSERT_TRUE(w_.Create(1, request).ok());
  EXPECT_TRUE(*w_.RecoverLease(2, request.path));
  EXPECT_FALSE(w_.Exists(request.path));

  EXPECT_TRUE(absl::IsNotFound(w_.RecoverLease(2, "/none").status()));
  w_.Create(1, "/mine");
  EXPECT_TRUE(absl::IsPermissionDenied(w_.RecoverLease(2, "/mine", "alice").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(w_.Append(2, "/mine", "alice").status()));
  EXPECT_EQ(KindOf(w_.Append(2, "/mine").status()), ErrorKind::kBeingWritten);  // still
}

TEST_F(WritingTest, SafeModeKeepsLeasesAsTheyAre) {
  w_.Create(1, "/f");
  w_.door.clock.AdvanceMs(2 * kSoftLimitMs);
  w_.door.blocks.EnterSafeMode();
  EXPECT_EQ(KindOf(w_.Append(2, "/f").status()), ErrorKind::kSafeMode);
  EXPECT_EQ(KindOf(w_.RecoverLease(2, "/f").status()), ErrorKind::kSafeMode);
  ASSERT_EQ(w_.door.blocks.LeaveSafeMode(), absl::OkStatus());
  w_.Renew(1);
  EXPECT_EQ(KindOf(w_.Append(2, "/f").status()), ErrorKind::kBeingWritten);
}

// --- Truncate -------------------------------------------------------------------------------

TEST_F(WritingTest, ACutAtABlocksEndIsDoneAtOnceAndAnotherWaitsForItsNodes) {
  const LocatedBlock written = w_.WriteFile("/f", 8000, nodes_, 8192);
  int woken = 0;
  w_.door.namesystem.SetLeaseWaker([&] { ++woken; });
  EXPECT_TRUE(*w_.Truncate(1, "/f", 8000));
  EXPECT_TRUE(absl::IsInvalidArgument(w_.Truncate(1, "/f", 8001).status()));
  EXPECT_EQ(woken, 0);
  EXPECT_FALSE(*w_.Truncate(1, "/f", 5000));
  EXPECT_EQ(woken, 1);
  const LocatedFile cut = w_.Locate("/f");
  EXPECT_TRUE(cut.status.open);
  EXPECT_EQ(cut.status.length, 5000u);
  EXPECT_EQ(cut.blocks[0].block.length, 5000u);
  EXPECT_FALSE(cut.blocks[0].open);  // readers do not ask the nodes, which still have more
  EXPECT_THAT(Writing::Numbers(cut.blocks[0]), UnorderedElementsAre(1, 2, 3));
  EXPECT_EQ(KindOf(w_.Append(1, "/f").status()), ErrorKind::kRecoveryInProgress);

  const LocatedBlock whole = w_.WriteFile("/g", 8000, nodes_, 8192);
  EXPECT_TRUE(*w_.Truncate(1, "/g", 0));
  EXPECT_THAT(w_.Locate("/g").blocks, IsEmpty());
  bool deleted = false;
  for (const NodeCommand& command : w_.Beat(nodes_.at(1))) {
    const auto* deletes = std::get_if<DeleteReplicas>(&command);
    if (deletes == nullptr) continue;
    for (const Block& block : deletes->blocks) {
      deleted |= block.id == whole.block.id;
      EXPECT_NE(block.id, written.block.id);
    }
  }
  EXPECT_TRUE(deleted);
}

// --- The end of a recovery ------------------------------------------------------------------

TEST_F(WritingTest, OnlyTheNewestRecoveryIsCommittedAndOnlyByANodeThatIsKnown) {
  const CreatedFile file = w_.Create(1, "/f");
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  GenerationStamp stamps[2];
  for (GenerationStamp& stamp : stamps) {
    const auto begun = w_.door.namesystem.CommitAndWait(
        Origin::kInternal, std::nullopt,
        [&](const FsState& s) { return PlanBeginRecovery(s, file.inode); });
    ASSERT_TRUE(begun.ok());
    stamp = std::get<NewStampAnswer>(*begun).generation;
  }
  const Writing::Node& node = nodes_.at(1);
  const Block old{file.block->block.id, stamps[0], 10};
  const Block settled{file.block->block.id, stamps[1], 10};
  EXPECT_TRUE(absl::IsFailedPrecondition(w_.Commit(node, old, {node.storage})));
  EXPECT_EQ(KindOf(w_.Commit({9, 9, "stranger"}, settled, {node.storage})),
            ErrorKind::kUnknownNode);
  w_.door.blocks.EnterSafeMode();
  EXPECT_EQ(KindOf(w_.Commit(node, settled, {node.storage})), ErrorKind::kSafeMode);
  ASSERT_EQ(w_.door.blocks.LeaveSafeMode(), absl::OkStatus());
  int woken = 0;
  w_.door.namesystem.SetLeaseWaker([&] { ++woken; });
  EXPECT_EQ(w_.Commit(node, settled, {node.storage}), absl::OkStatus());
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(w_.Commit(node, settled, {node.storage}), absl::OkStatus());  // its answer was lost
  EXPECT_TRUE(absl::IsFailedPrecondition(w_.Commit(node, old, {node.storage})));
  const LocatedFile closed = w_.Locate("/f");
  EXPECT_FALSE(closed.status.open);
  EXPECT_EQ(closed.status.length, 10u);
  EXPECT_THAT(Writing::Numbers(closed.blocks[0]), ElementsAre(1));
}

// --- An older journal -----------------------------------------------------------------------

TEST(OlderJournalTest, AnAcceptedOneGoesOnBehindWhatNodesKnowAndDeletesNothing) {
  NamespaceConfig config;
  config.accept_older_journal = true;
  Writing w(FsState::Format("root", "supergroup", 0), config);
  const absl::StatusOr<RegisteredNode> registered = w.Register("n1", 500, 700, 9);
  ASSERT_TRUE(registered.ok()) << registered.status();
  EXPECT_FALSE(w.door.blocks.InSafeMode());
  EXPECT_GT(registered->epoch, 9u);
  EXPECT_EQ(w.cluster.epoch(), registered->epoch);
  const Writing::Node node{registered->number, registered->storages[0], "n1"};
  w.AddNode("n2");
  ASSERT_TRUE(w.Register("n2", 400, 600, 8).ok());  // below what was accepted

  const CreatedFile file = w.Create(1, "/f");
  EXPECT_EQ(file.block->block.id, 501u);
  EXPECT_EQ(file.block->block.generation, 701u);
  // Blocks whose files the journal has lost: they are not for this NameNode to judge.
  for (const Block& lost : {Block{500, 650, 10}, Block{3, 700, 10}}) {
    w.Report(node, ReplicaChange::Kind::kReceived, lost);
  }
  EXPECT_THAT(w.Beat(node), IsEmpty());
}

TEST(OlderJournalTest, CountersFarBeyondReasonAreRefusedAndTheNodeIsNotTaken) {
  NamespaceConfig config;
  config.accept_older_journal = true;
  Writing w(FsState::Format("root", "supergroup", 0), config);
  EXPECT_FALSE(w.Register("n1", UINT64_MAX).ok());
  EXPECT_EQ(w.door.blocks.Report().NodesTotal(), 0u);
}

TEST(OlderJournalTest, OneThatIsNotAcceptedSaysHowItCanBe) {
  Writing w;
  EXPECT_TRUE(w.Register("n1", 500).ok());
  EXPECT_TRUE(w.door.blocks.InSafeMode());
  EXPECT_THAT(w.door.blocks.SafeModeNow().reason, HasSubstr("--accept-older-journal"));
  EXPECT_FALSE(w.door.blocks.LeaveSafeMode().ok());
}

}  // namespace
}  // namespace cairn::namenode
