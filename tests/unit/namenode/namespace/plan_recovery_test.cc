// Files whose writers are gone: take-over, block recovery, and the counters of a lost journal.
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PlanRecoveryTest : public FsTest {
 protected:
  PlanRecoveryTest() { RegisterNodes(3); }

  INodeId Open(const std::string& path) {
    EXPECT_THAT(Create(path), Succeeds());
    return std::get<CreatedAnswer>(last.answer).inode;
  }
  NewBlock Add(INodeId inode, std::vector<FinishedBlock> finished = {}) {
    EXPECT_THAT(AddBlock(inode, std::move(finished)), Succeeds());
    const auto* answer = std::get_if<NewBlockAnswer>(&last.answer);
    return answer != nullptr ? answer->block : NewBlock{};
  }
  absl::Status TakeOver(INodeId inode) { return Do(PlanTakeOver(state, inode, holder)); }
};

TEST_F(PlanRecoveryTest, TakeOverOfAFileWithoutUnfinishedBlocksClosesIt) {
  const INodeId inode = Open("/f");
  ASSERT_THAT(TakeOver(inode), Succeeds());
  EXPECT_FALSE(Stat("/f")->open);
  ASSERT_THAT(Put("/g", {4096}), Succeeds());
  ASSERT_THAT(Append("/g"), Succeeds());
  ASSERT_THAT(TakeOver(IdOf("/g")), Succeeds());
  EXPECT_FALSE(Stat("/g")->open);
  EXPECT_EQ(Count(BlockEffect::Kind::kFileClosed), 1);
  EXPECT_EQ(state.open_files(), 0u);
  EXPECT_THAT(FilesInRecovery(state), IsEmpty());
}

TEST_F(PlanRecoveryTest, TakeOverOfAnUnpublishedFileRemovesIt) {
  unpublished = true;
  const INodeId inode = Open("/f");
  Add(inode);
  ASSERT_THAT(TakeOver(inode), Succeeds());
  EXPECT_FALSE(Exists("/f"));
  EXPECT_TRUE(state.HasReclaimWork());
  EXPECT_THAT(FilesInRecovery(state), IsEmpty());
}

TEST_F(PlanRecoveryTest, TakeOverOfWhatAnAppendDidNotTouchClosesIt) {
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  ASSERT_THAT(Append("/f"), Succeeds());
  const Block block = std::get<AppendedAnswer>(last.answer).block_length == 904
                          ? Block{std::get<AppendedAnswer>(last.answer).block->id,
                                  std::get<AppendedAnswer>(last.answer).block->generation, 904}
                          : Block{};
  const INodeId inode = IdOf("/f");
  const NewBlock behind = Add(inode);  // opened ahead of the first byte
  ASSERT_THAT(TakeOver(inode), Succeeds());
  EXPECT_FALSE(Stat("/f")->open);
  EXPECT_EQ(Stat("/f")->length, 904u);
  EXPECT_EQ(state.FindBlock(behind.id), nullptr);
  EXPECT_EQ(Count(BlockEffect::Kind::kRemoved), 1);
  EXPECT_EQ(Count(BlockEffect::Kind::kFinished), 1);
  EXPECT_EQ(Count(BlockEffect::Kind::kFileClosed), 1);
  EXPECT_EQ(state.FindBlockInfo(block.id)->block, block);
}

TEST_F(PlanRecoveryTest, TakeOverFencesTheWriter) {
  const INodeId inode = Open("/f");
  const NewBlock block = Add(inode);
  EXPECT_FALSE(PlanTakeOver(state, inode, Client(2)).edit.has_value()) << "not its lease";
  ASSERT_THAT(TakeOver(inode), Succeeds());
  EXPECT_FALSE(PlanTakeOver(state, inode, holder).edit.has_value());
  EXPECT_FALSE(PlanTakeOver(state, inode, kNameNodeHolder).edit.has_value());
  EXPECT_TRUE(Stat("/f")->open);
  EXPECT_FALSE(state.HasLease(holder));
  EXPECT_THAT(state.OpenFilesOf(kNameNodeHolder), ElementsAre(inode));
  EXPECT_EQ(state.open_files(), 1u);
  // Neither the old writer nor one that takes the NameNode's name may do anything.
  for (const ClientId& writer : {Client(1), kNameNodeHolder}) {
    holder = writer;
    EXPECT_THAT(AddBlock(inode), Fails(kFailedPrecondition, "being recovered"));
    EXPECT_EQ(KindOf(last.status), ErrorKind::kLeaseLost);
    EXPECT_EQ(KindOf(Complete(inode, {Done(block, 1)})), ErrorKind::kLeaseLost);
    EXPECT_EQ(KindOf(NewStamp(inode, block.id)), ErrorKind::kLeaseLost);
    EXPECT_EQ(KindOf(UpdatePipeline(inode, block.id, 2, {1})), ErrorKind::kLeaseLost);
    EXPECT_EQ(KindOf(Do(PlanAbandonFile(state, caller, {inode, holder}, facts))),
              ErrorKind::kLeaseLost);
  }
  EXPECT_THAT(Create("/g"), Fails(kInvalidArgument, "reserved"));
}

TEST_F(PlanRecoveryTest, BlocksAreSettledInOrder) {
  const INodeId inode = Open("/f");
  const NewBlock a = Add(inode);
  const NewBlock b = Add(inode, {Done(a, 4096)});
  const NewBlock c = Add(inode);
  ASSERT_THAT(TakeOver(inode), Succeeds());
  auto files = FilesInRecovery(state);
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].inode, inode);
  EXPECT_EQ(files[0].block.block, (Block{b.id, b.generation, 0}));
  EXPECT_THAT(files[0].block.pipeline, ElementsAre(1, 2, 3));
  EXPECT_EQ(files[0].block.recovery, 0u);

  const GenerationStamp first = BeginRecovery(inode);
  EXPECT_EQ(first, c.generation + 1);
  EXPECT_EQ(FilesInRecovery(state)[0].block.recovery, first);
  const GenerationStamp second = BeginRecovery(inode);  // its primary did not answer
  EXPECT_THAT(CommitRecovery(b.id, first, 4096), Fails(kFailedPrecondition, "not its newest"));
  EXPECT_THAT(CommitRecovery(c.id, second, 4096), Fails(kFailedPrecondition, "not its newest"));
  ASSERT_THAT(CommitRecovery(b.id, second, 4096, {2, 5}), Succeeds());
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].kind, BlockEffect::Kind::kFinished);
  EXPECT_EQ(effects[0].info.block, (Block{b.id, second, 4096}));
  EXPECT_THAT(effects[0].storages, ElementsAre(2, 5));
  EXPECT_TRUE(Stat("/f")->open) << "there is another";
  EXPECT_EQ(Stat("/f")->length, 8192u);
  EXPECT_THAT(CommitRecovery(b.id, second, 4096), Succeeds()) << "said twice";
  EXPECT_FALSE(last.edit.has_value());
  EXPECT_THAT(CommitRecovery(b.id, second, 4095), Fails(kFailedPrecondition, "is settled"));

  EXPECT_EQ(FilesInRecovery(state)[0].block.block.id, c.id);
  const GenerationStamp third = BeginRecovery(inode);
  ASSERT_THAT(CommitRecovery(c.id, third, 7), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kFinished), 1);
  EXPECT_EQ(Count(BlockEffect::Kind::kFileClosed), 3);
  EXPECT_EQ(Stat("/f")->length, 8199u);
  EXPECT_FALSE(Stat("/f")->open);
  EXPECT_FALSE(state.HasLease(kNameNodeHolder));
  EXPECT_EQ(state.open_files(), 0u);
  EXPECT_EQ(BeginRecovery(inode), 0u) << "nothing is left to recover";
}

TEST_F(PlanRecoveryTest, AShortBlockEndsTheFile) {
  const INodeId inode = Open("/f");
  const NewBlock a = Add(inode);
  const NewBlock b = Add(inode);
  const NewBlock c = Add(inode, {Done(b, 4096)});
  ASSERT_THAT(TakeOver(inode), Succeeds());
  EXPECT_EQ(ReadContentSummary(state, caller, "/", facts).value->length, 4096u);
  ASSERT_THAT(CommitRecovery(a.id, BeginRecovery(inode), 5), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kRemoved), 2);
  EXPECT_EQ(Count(BlockEffect::Kind::kFinished), 1);
  EXPECT_EQ(Count(BlockEffect::Kind::kFileClosed), 1);
  EXPECT_EQ(state.FindBlock(b.id), nullptr);
  EXPECT_EQ(state.FindBlock(c.id), nullptr);
  EXPECT_EQ(Stat("/f")->length, 5u);
  EXPECT_EQ(ReadContentSummary(state, caller, "/", facts).value->length, 5u);
  EXPECT_THAT(CommitRecovery(b.id, 1, 5), Fails(kNotFound, "of no file"));
}

TEST_F(PlanRecoveryTest, AnEmptyBlockGoes) {
  const INodeId inode = Open("/f");
  const NewBlock a = Add(inode);
  const NewBlock b = Add(inode, {Done(a, 4096)});
  Add(inode);
  ASSERT_THAT(TakeOver(inode), Succeeds());
  ASSERT_THAT(CommitRecovery(b.id, BeginRecovery(inode), 0, {}), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kRemoved), 2);
  EXPECT_EQ(Stat("/f")->length, 4096u);
  EXPECT_EQ(Stat("/f")->blocks, 1u);
  EXPECT_FALSE(Stat("/f")->open);
}

TEST_F(PlanRecoveryTest, CommitRefusals) {
  const INodeId inode = Open("/f");
  const NewBlock block = Add(inode);
  EXPECT_THAT(CommitRecovery(block.id, block.generation, 1), Fails(kFailedPrecondition));
  EXPECT_THAT(CommitRecovery(block.id, 0, 1), Fails(kFailedPrecondition)) << "none ever began";
  ASSERT_THAT(TakeOver(inode), Succeeds());
  const GenerationStamp stamp = BeginRecovery(inode);
  EXPECT_THAT(CommitRecovery(block.id, stamp, 4097), Fails(kInvalidArgument, "more than its size"));
  EXPECT_THAT(CommitRecovery(block.id, stamp, 1, {}), Fails(kUnavailable));
  EXPECT_THAT(CommitRecovery(block.id, stamp, 1, {99}), Fails(kInvalidArgument, "not known"));
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(Rename("/f", "/d/f"), Succeeds()) << "a rename does not hinder it";
  ASSERT_THAT(Delete("/d", true), Succeeds());
  EXPECT_THAT(FilesInRecovery(state), IsEmpty());
  EXPECT_EQ(BeginRecovery(inode), 0u);
  EXPECT_THAT(CommitRecovery(block.id, stamp, 1), Fails(kNotFound, "of no file"));
  while (state.HasReclaimWork()) ASSERT_THAT(Do(PlanReclaim(state, 1)), Succeeds());
  EXPECT_EQ(state.open_files(), 0u);
  EXPECT_FALSE(state.HasLease(kNameNodeHolder));
}

TEST_F(PlanRecoveryTest, AnAppendedBlockIsRecoveredFromWhatItHad) {
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  const BlockId block = state.FindINode(IdOf("/f"))->blocks()[0];
  ASSERT_THAT(Append("/f"), Succeeds());
  ASSERT_THAT(NewStamp(IdOf("/f"), block), Succeeds());
  ASSERT_THAT(TakeOver(IdOf("/f")), Succeeds());
  EXPECT_EQ(FilesInRecovery(state)[0].block.block.length, 904u);
  const GenerationStamp stamp = BeginRecovery(IdOf("/f"));
  EXPECT_THAT(CommitRecovery(block, stamp, 903), Fails(kFailedPrecondition, "held 904 bytes"));
  EXPECT_THAT(CommitRecovery(block, stamp, 0, {}), Fails(kFailedPrecondition, "held 904 bytes"));
  ASSERT_THAT(CommitRecovery(block, stamp, 1000), Succeeds());
  EXPECT_EQ(Stat("/f")->length, 1000u);
  // And it can be appended to again: the recovery left nothing behind.
  ASSERT_THAT(Append("/f"), Succeeds());
  EXPECT_EQ(std::get<AppendedAnswer>(last.answer).block_length, 1000u);
  EXPECT_EQ(state.FindOpenBlock(block)->recovery, 0u);
}

TEST_F(PlanRecoveryTest, CountersJumpPastALostJournal) {
  const auto raise = [&](BlockId block, GenerationStamp generation, uint64_t epoch) {
    return Do(PlanRaiseCounters(state, block, generation, epoch));
  };
  ASSERT_THAT(Do(PlanStart(state)), Succeeds());
  const Counters before = state.counters();
  ASSERT_THAT(raise(before.next_block - 1, before.next_generation - 1, before.epoch), Succeeds());
  EXPECT_FALSE(last.edit.has_value());
  ASSERT_THAT(raise(100, 0, 0), Succeeds());
  EXPECT_EQ(state.next_block(), 101u);
  EXPECT_EQ(state.next_generation(), before.next_generation);
  ASSERT_THAT(raise(5, 200, 7), Succeeds());
  EXPECT_EQ(state.next_block(), 101u);
  EXPECT_EQ(state.next_generation(), 201u);
  EXPECT_EQ(state.epoch(), 8u);
  EXPECT_THAT(raise(UINT64_MAX, 0, 0), Fails(kFailedPrecondition, "no NameNode gave"));
  EXPECT_THAT(raise(0, 1ull << 62, 0), Fails(kFailedPrecondition));
  EXPECT_THAT(raise(0, 0, UINT64_MAX), Fails(kFailedPrecondition));
  EXPECT_EQ(Add(Open("/f")).id, 101u);
  ASSERT_THAT(Do(PlanStart(state)), Succeeds());
  EXPECT_EQ(state.epoch(), 9u);
}

}  // namespace
}  // namespace cairn::namenode
