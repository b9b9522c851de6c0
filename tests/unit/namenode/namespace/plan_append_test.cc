// Files that have content already: append, truncate, consistency, the pipeline of an open block.
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PlanAppendTest : public FsTest {
 protected:
  PlanAppendTest() { RegisterNodes(3); }

  INodeId Open(const std::string& path) {
    EXPECT_THAT(Create(path), Succeeds());
    return std::get<CreatedAnswer>(last.answer).inode;
  }
  NewBlock Add(INodeId inode, std::vector<FinishedBlock> finished = {}) {
    EXPECT_THAT(AddBlock(inode, std::move(finished)), Succeeds());
    const auto* answer = std::get_if<NewBlockAnswer>(&last.answer);
    return answer != nullptr ? answer->block : NewBlock{};
  }
  // The block that the last append opened again.
  Block Reopened() {
    const auto* answer = std::get_if<AppendedAnswer>(&last.answer);
    if (answer == nullptr || !answer->block) return {};
    return {answer->block->id, answer->block->generation, answer->block_length};
  }
  GenerationStamp Stamp(INodeId inode, BlockId block) {
    EXPECT_THAT(NewStamp(inode, block), Succeeds());
    const auto* answer = std::get_if<NewStampAnswer>(&last.answer);
    return answer != nullptr ? answer->generation : 0;
  }
  uint64_t Sum(const std::string& path) {
    return ReadContentSummary(state, caller, path, facts).value->length;
  }
};

TEST_F(PlanAppendTest, AppendOpensTheShortLastBlockAgain) {
  ASSERT_THAT(Put("/f", {4096, 904}), Succeeds());
  facts.targets = {3, 1};
  const GenerationStamp next = state.next_generation();
  ASSERT_THAT(Append("/f"), Succeeds());
  const auto answer = std::get<AppendedAnswer>(last.answer);
  EXPECT_EQ(answer.inode, IdOf("/f"));
  EXPECT_EQ(answer.length, 5000u);
  EXPECT_EQ(answer.replication, 3u);
  EXPECT_EQ(answer.block_size, 4096u);
  EXPECT_EQ(answer.min_replicas, 2u);
  ASSERT_TRUE(answer.block.has_value());
  EXPECT_EQ(answer.block->offset, 4096u);
  EXPECT_THAT(answer.block->targets, ElementsAre(3, 1));
  EXPECT_EQ(answer.block_length, 904u);
  EXPECT_EQ(state.next_generation(), next) << "the writer takes a stamp when it writes";

  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].kind, BlockEffect::Kind::kOpened);
  EXPECT_EQ(effects[0].info.block, Reopened());
  EXPECT_TRUE(effects[0].info.open);
  EXPECT_THAT(effects[0].info.pipeline, ElementsAre(3, 1));
  EXPECT_TRUE(Stat("/f")->open);
  EXPECT_EQ(Stat("/f")->length, 5000u) << "readers still see what was there";
  EXPECT_EQ(Sum("/"), 5000u);
  EXPECT_THAT(state.OpenFilesOf(holder), ElementsAre(answer.inode));
}

TEST_F(PlanAppendTest, WritingTheReopenedBlockGrowsTheFile) {
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  ASSERT_THAT(Append("/f"), Succeeds());
  const Block block = Reopened();
  const INodeId inode = IdOf("/f");
  EXPECT_THAT(Complete(inode, {{{block.id, block.generation, 905}, {1, 3}}}),
              Fails(kFailedPrecondition, "no generation stamp was taken"));
  const GenerationStamp stamp = Stamp(inode, block.id);
  ASSERT_THAT(UpdatePipeline(inode, block.id, stamp, {2, 3}), Succeeds());
  EXPECT_THAT(Complete(inode, {DoneById(block.id, 904, {})}), Fails(kUnavailable))
      << "it was touched";
  EXPECT_THAT(Complete(inode, {DoneById(block.id, 903)}),
              Fails(kInvalidArgument, "has 904 bytes and cannot be finished with 903"));
  EXPECT_THAT(Complete(inode, {DoneById(block.id, 0, {})}), Fails(kInvalidArgument));
  const NewBlock second = Add(inode, {DoneById(block.id, 4096)});
  EXPECT_EQ(second.offset, 4096u);
  EXPECT_EQ(Stat("/f")->length, 4096u);
  ASSERT_THAT(Complete(inode, {Done(second, 1)}), Succeeds());
  EXPECT_EQ(Stat("/f")->length, 4097u);
  EXPECT_EQ(Sum("/"), 4097u);
  EXPECT_EQ(state.FindBlock(block.id)->generation(), stamp);
}

TEST_F(PlanAppendTest, NothingWrittenFinishesTheBlockAsItWas) {
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  ASSERT_THAT(Append("/f"), Succeeds());
  const Block block = Reopened();
  ASSERT_THAT(Complete(IdOf("/f"), {{block, {}}}), Succeeds());
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(effects[0].kind, BlockEffect::Kind::kFinished);
  EXPECT_EQ(effects[0].info.block, block);
  EXPECT_THAT(effects[0].storages, IsEmpty());
  EXPECT_EQ(effects[1].kind, BlockEffect::Kind::kFileClosed);
  EXPECT_FALSE(Stat("/f")->open);
  EXPECT_EQ(Stat("/f")->length, 904u);
}

TEST_F(PlanAppendTest, FullOrEmptyFilesOpenNoBlock) {
  ASSERT_THAT(Put("/full", {4096}), Succeeds());
  ASSERT_THAT(Put("/empty", {}), Succeeds());
  facts.targets.clear();
  for (const char* path : {"/full", "/empty"}) {
    ASSERT_THAT(Append(path), Succeeds()) << path;
    EXPECT_FALSE(std::get<AppendedAnswer>(last.answer).block.has_value()) << path;
    EXPECT_THAT(effects, IsEmpty());
  }
  facts.targets = {1, 2};
  const NewBlock block = Add(IdOf("/full"));
  EXPECT_EQ(block.offset, 4096u);
  ASSERT_THAT(Complete(IdOf("/full"), {Done(block, 4)}), Succeeds());
  EXPECT_EQ(Stat("/full")->length, 4100u);
  ASSERT_THAT(Complete(IdOf("/empty")), Succeeds());
}

TEST_F(PlanAppendTest, AppendRefusals) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  EXPECT_THAT(Append("/none"), Fails(kNotFound));
  EXPECT_THAT(Append("/d"), Fails(kFailedPrecondition, "Is a directory"));
  caller = User("bob");
  EXPECT_THAT(Append("/f"), Fails(kPermissionDenied));
  caller = Superuser();
  facts.targets.clear();
  EXPECT_THAT(Append("/f"), Fails(kUnavailable, "has no live replica"));
  facts.targets = {1};
  // The nodes were looked up for another state of the file.
  LookUpLast("/f", kToAppend);
  ++facts.targets_block.generation;
  EXPECT_THAT(Do(PlanAppend(state, caller, {"/f", holder}, facts)), Fails(kUnavailable));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kRecoveryInProgress) << "tried again by the client";
  EXPECT_THAT(Do(PlanAppend(state, caller, {"/f", kNameNodeHolder}, facts)),
              Fails(kInvalidArgument, "reserved"));

  ASSERT_THAT(Append("/f"), Succeeds());
  EXPECT_THAT(Append("/f"), Fails(kFailedPrecondition, "being written by another client"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kBeingWritten);
  EXPECT_EQ(KindOf(Truncate("/f", 1)), ErrorKind::kBeingWritten);
  EXPECT_EQ(KindOf(ReadLastBlock(state, caller, "/f", 1, facts).value.status()),
            ErrorKind::kBeingWritten);
  ASSERT_THAT(NewStamp(IdOf("/f"), state.FindINode(IdOf("/f"))->blocks()[0]), Succeeds());
  ASSERT_THAT(Do(PlanTakeOver(state, IdOf("/f"), holder)), Succeeds());
  EXPECT_THAT(Append("/f"), Fails(kUnavailable, "being recovered"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kRecoveryInProgress);
  EXPECT_EQ(KindOf(Truncate("/f", 1)), ErrorKind::kRecoveryInProgress);
}

TEST_F(PlanAppendTest, AnAppendedFileThatIsGivenUpStays) {
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  const INodeId inode = IdOf("/f");
  ASSERT_THAT(Append("/f"), Succeeds());
  ASSERT_THAT(Do(PlanAbandonFile(state, caller, {inode, holder}, facts)), Succeeds());
  EXPECT_FALSE(Stat("/f")->open) << "nobody touched it";
  EXPECT_EQ(Stat("/f")->length, 904u);
  ASSERT_THAT(Append("/f"), Succeeds());
  ASSERT_THAT(NewStamp(inode, Reopened().id), Succeeds());
  ASSERT_THAT(Do(PlanAbandonFile(state, caller, {inode, holder}, facts)), Succeeds());
  EXPECT_EQ(FilesInRecovery(state).size(), 1u);
  EXPECT_EQ(KindOf(Do(PlanAbandonFile(state, caller, {inode, holder}, facts))),
            ErrorKind::kLeaseLost);
}

TEST_F(PlanAppendTest, AppendedFilesAreNotTheirWritersToMove) {
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  ASSERT_THAT(Chown("/f", "ann", "staff"), Succeeds());
  ASSERT_THAT(Chmod("/f", 0666), Succeeds());
  caller = User("bob");
  ASSERT_THAT(Append("/f"), Succeeds());
  const Block block = Reopened();
  const INodeId inode = IdOf("/f");
  EXPECT_THAT(Do(PlanAbandonBlock(state, caller, {inode, holder, block.id}, facts)),
              Fails(kFailedPrecondition, "904 bytes"));
  EXPECT_THAT(Complete(inode, {{block, {}}}, "/g"), Fails(kInvalidArgument, "keeps its name"));
  CompleteRequest request{.inode = inode, .holder = holder, .finished = {{block, {}}}};
  request.mode = 0777;
  EXPECT_THAT(Do(PlanComplete(state, caller, request, facts)), Fails(kPermissionDenied, "owner"));
  request.mode.reset();
  request.mtime_ms = 5;
  EXPECT_THAT(Do(PlanComplete(state, caller, request, facts)), Fails(kPermissionDenied, "owner"));
  request.mtime_ms = 0;
  facts.now_ms = 9000;
  EXPECT_THAT(Do(PlanComplete(state, caller, request, facts)), Succeeds());
  EXPECT_EQ(Stat("/f")->mtime_ms, 9000);
  // A block that the append itself added is its own.
  ASSERT_THAT(Append("/f"), Succeeds());
  const NewBlock added = Add(inode);
  EXPECT_THAT(Do(PlanAbandonBlock(state, caller, {inode, holder, added.id}, facts)), Succeeds());
}

TEST_F(PlanAppendTest, ConsistencySetsTheReplicasThatABlockNeeds) {
  struct Case {
    Consistency consistency;
    uint32_t replication;
    uint32_t needed;
  };
  for (const auto& [level, copies, needed] :
       {Case{Consistency::kStrong, 3, 2}, Case{Consistency::kStrong, 1, 1},
        Case{Consistency::kEventual, 3, 1}, Case{Consistency::kWeak, 3, 1}}) {
    consistency = level;
    replication = copies;
    const INodeId inode = Open("/f");
    EXPECT_EQ(std::get<CreatedAnswer>(last.answer).min_replicas, needed);
    EXPECT_EQ(ReadOpenFile(state, inode, holder).value->min_replicas, needed);
    const NewBlock block = Add(inode);
    if (needed == 2) EXPECT_THAT(Complete(inode, {Done(block, 1, {1})}), Fails(kUnavailable));
    facts.min_replicas = 3;  // what holds is what held when the file was opened
    EXPECT_THAT(Complete(inode, {Done(block, 1,
                                      needed == 2 ? std::vector<StorageNumber>{1, 3}
                                                  : std::vector<StorageNumber>{1})}),
                Succeeds());
    facts.min_replicas = 2;
    ASSERT_THAT(Append("/f"), Succeeds());
    EXPECT_EQ(std::get<AppendedAnswer>(last.answer).min_replicas, needed);
    ASSERT_THAT(Delete("/f"), Succeeds());
  }
}

TEST_F(PlanAppendTest, LoweredReplicationLowersTheNeed) {
  const INodeId inode = Open("/f");
  const NewBlock block = Add(inode);
  ASSERT_THAT(Do(PlanSetReplication(state, caller, "/f", 1, facts)), Succeeds());
  EXPECT_EQ(ReadOpenFile(state, inode, holder).value->min_replicas, 1u);
  EXPECT_THAT(Complete(inode, {Done(block, 1, {1})}), Succeeds());
}

TEST_F(PlanAppendTest, StampsAndPipelines) {
  const INodeId inode = Open("/f");
  const NewBlock block = Add(inode);
  facts.targets = {2};
  const GenerationStamp first = Stamp(inode, block.id);
  EXPECT_EQ(first, block.generation + 1);
  EXPECT_THAT(std::get<NewStampAnswer>(last.answer).targets, ElementsAre(2));
  EXPECT_THAT(effects, IsEmpty());
  EXPECT_EQ(state.FindBlock(block.id)->generation(), block.generation) << "not yet";
  facts.targets.clear();
  const GenerationStamp second = Stamp(inode, block.id);  // the first one's nodes failed too
  EXPECT_EQ(second, first + 1);
  ASSERT_THAT(UpdatePipeline(inode, block.id, second, {3, 2}), Succeeds());
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].kind, BlockEffect::Kind::kOpened);
  EXPECT_EQ(effects[0].info.block, (Block{block.id, second, 0}));
  EXPECT_THAT(effects[0].info.pipeline, ElementsAre(3, 2));
  // The older stamp is of no use any more, nor is the block under its older one.
  EXPECT_THAT(UpdatePipeline(inode, block.id, first, {3}), Fails(kInvalidArgument));
  EXPECT_THAT(Complete(inode, {Done(block, 5)}), Fails(kFailedPrecondition, "generation"));
  EXPECT_THAT(Do(PlanNewStamp(state, caller, {inode, holder, {block.id, block.generation}}, facts)),
              Fails(kFailedPrecondition, "generation stamp"));
  EXPECT_THAT(Complete(inode, {DoneById(block.id, 5)}), Succeeds());
}

TEST_F(PlanAppendTest, PipelineRefusals) {
  const INodeId inode = Open("/f");
  const NewBlock block = Add(inode);
  const INodeId other = Open("/g");
  const NewBlock done = Add(other);
  const NewBlock next = Add(other, {Done(done, 4096)});
  const GenerationStamp stamp = Stamp(inode, block.id);
  EXPECT_THAT(NewStamp(inode, next.id), Fails(kFailedPrecondition, "not a block of this file"));
  EXPECT_THAT(NewStamp(inode, 99), Fails(kFailedPrecondition, "not a block"));
  EXPECT_THAT(NewStamp(other, done.id), Fails(kFailedPrecondition, "finished"));
  EXPECT_THAT(UpdatePipeline(other, done.id, stamp, {1}), Fails(kFailedPrecondition, "finished"));
  EXPECT_THAT(UpdatePipeline(inode, block.id, stamp + 1, {1}),
              Fails(kInvalidArgument, "was not given"));
  EXPECT_THAT(UpdatePipeline(inode, block.id, block.generation, {1}), Fails(kInvalidArgument));
  EXPECT_THAT(UpdatePipeline(inode, block.id, stamp, {}), Fails(kInvalidArgument, "no pipeline"));
  EXPECT_THAT(UpdatePipeline(inode, block.id, stamp, {1, 4}), Fails(kInvalidArgument, "not known"));
  EXPECT_THAT(UpdatePipeline(inode, block.id, stamp, {1, 1}), Fails(kInvalidArgument, "twice"));
  holder = Client(2);
  EXPECT_EQ(KindOf(NewStamp(inode, block.id)), ErrorKind::kLeaseLost);
  EXPECT_EQ(KindOf(UpdatePipeline(inode, block.id, stamp, {1})), ErrorKind::kLeaseLost);
}

TEST_F(PlanAppendTest, TruncateAtABlockBorder) {
  ASSERT_THAT(Put("/f", {4096, 4096, 5}), Succeeds());
  facts.now_ms = 7000;
  facts.targets.clear();
  EXPECT_FALSE(ReadLastBlock(state, caller, "/f", 4096, facts).value->has_value());
  ASSERT_THAT(Truncate("/f", 4096), Succeeds());
  EXPECT_TRUE(std::get<TruncatedAnswer>(last.answer).done);
  EXPECT_EQ(Count(BlockEffect::Kind::kRemoved), 2);
  EXPECT_EQ(effects.size(), 2u);
  EXPECT_EQ(Stat("/f")->length, 4096u);
  EXPECT_EQ(Stat("/f")->blocks, 1u);
  EXPECT_EQ(Stat("/f")->mtime_ms, 7000);
  EXPECT_FALSE(Stat("/f")->open);
  EXPECT_EQ(Sum("/"), 4096u);
  ASSERT_THAT(Truncate("/f", 0), Succeeds());
  EXPECT_EQ(Stat("/f")->blocks, 0u);
  const TxId before = state.applied_txid();
  ASSERT_THAT(Truncate("/f", 0), Succeeds()) << "nothing to do";
  EXPECT_TRUE(std::get<TruncatedAnswer>(last.answer).done);
  EXPECT_EQ(state.applied_txid(), before);
}

TEST_F(PlanAppendTest, TruncateWithinABlock) {
  ASSERT_THAT(Put("/f", {4096, 4096, 5}), Succeeds());
  const INodeId inode = IdOf("/f");
  const BlockId cut = state.FindINode(inode)->blocks()[1];
  const GenerationStamp generation = state.FindBlock(cut)->generation();
  EXPECT_EQ((*ReadLastBlock(state, caller, "/f", 4097, facts).value)->block,
            (Block{cut, generation, 4096}));
  facts.targets = {2, 3};
  const GenerationStamp recovery = state.next_generation();
  ASSERT_THAT(Truncate("/f", 4097), Succeeds());
  EXPECT_FALSE(std::get<TruncatedAnswer>(last.answer).done);
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(effects[0].kind, BlockEffect::Kind::kRemoved);
  EXPECT_EQ(effects[1].kind, BlockEffect::Kind::kOpened);
  EXPECT_EQ(effects[1].info.block, (Block{cut, generation, 1}));
  EXPECT_TRUE(effects[1].info.cut);
  EXPECT_EQ(effects[1].info.recovery, recovery);
  EXPECT_THAT(effects[1].info.pipeline, ElementsAre(2, 3));
  EXPECT_EQ(state.next_generation(), recovery + 1);
  EXPECT_EQ(Stat("/f")->length, 4097u);
  EXPECT_TRUE(Stat("/f")->open);
  EXPECT_EQ(Sum("/"), 4097u);
  EXPECT_EQ(ReadHolder(state, caller, "/f", facts).value->value().holder, kNameNodeHolder);

  EXPECT_THAT(CommitRecovery(cut, recovery, 2), Fails(kInvalidArgument, "cut to 1 bytes, not 2"));
  ASSERT_THAT(CommitRecovery(cut, recovery, 1, {4, 5}), Succeeds());
  EXPECT_EQ(Stat("/f")->length, 4097u);
  EXPECT_FALSE(Stat("/f")->open);
  EXPECT_EQ(state.FindBlock(cut)->generation(), recovery);
}

TEST_F(PlanAppendTest, TruncateRefusals) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  EXPECT_THAT(Truncate("/none", 1), Fails(kNotFound));
  EXPECT_THAT(Truncate("/d", 0), Fails(kFailedPrecondition, "Is a directory"));
  EXPECT_THAT(Truncate("/f", 905), Fails(kInvalidArgument, "has 904 bytes and cannot be cut"));
  EXPECT_THAT(Truncate("/f", UINT64_MAX), Fails(kInvalidArgument));
  caller = User("bob");
  EXPECT_THAT(Truncate("/f", 1), Fails(kPermissionDenied));
  caller = Superuser();
  facts.targets.clear();
  EXPECT_THAT(Truncate("/f", 1), Fails(kUnavailable, "no live replica"));
  facts.targets = {1};
  facts.targets_block = {};
  EXPECT_THAT(Do(PlanTruncate(state, caller, {"/f", 1}, facts)), Fails(kUnavailable));
}

TEST_F(PlanAppendTest, RetriesGetTheFirstAnswer) {
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  const auto answer_of = [&](uint64_t call) { return *state.FindRetry({Client(1), call})->answer; };
  retry = RetryKey{Client(1), 1, 0};
  facts.targets = {2, 3};
  ASSERT_THAT(Append("/f"), Succeeds());
  const Block block = Reopened();
  const Answer appended = last.answer;
  EXPECT_EQ(answer_of(1), appended);
  retry = RetryKey{Client(1), 2, 0};
  const GenerationStamp stamp = Stamp(IdOf("/f"), block.id);
  EXPECT_EQ(answer_of(2), Answer(NewStampAnswer{stamp, {2, 3}}));
  retry = RetryKey{Client(1), 3, 0};
  ASSERT_THAT(UpdatePipeline(IdOf("/f"), block.id, stamp, {2, 3}), Succeeds());
  EXPECT_EQ(answer_of(3), Answer(NoAnswer{}));
  retry.reset();
  ASSERT_THAT(Complete(IdOf("/f"), {DoneById(block.id, 1000)}), Succeeds());
  retry = RetryKey{Client(1), 4, 0};
  ASSERT_THAT(Truncate("/f", 10), Succeeds());
  EXPECT_EQ(answer_of(4), Answer(TruncatedAnswer{false}));
  retry = RetryKey{Client(1), 5, 0};
  EXPECT_THAT(Append("/f"), Fails(kUnavailable));
  EXPECT_FALSE(state.FindRetry({Client(1), 5}).has_value()) << "a refusal may be tried again";
  EXPECT_EQ(answer_of(1), appended);
}

TEST_F(PlanAppendTest, HoldersAsReadersSeeThem) {
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  EXPECT_FALSE(ReadHolder(state, caller, "/f", facts).value->has_value());
  ASSERT_THAT(Append("/f"), Succeeds());
  const auto read = ReadHolder(state, caller, "/f", facts).value;
  EXPECT_EQ((*read)->inode, IdOf("/f"));
  EXPECT_EQ((*read)->holder, holder);
  EXPECT_THAT(ReadHolder(state, caller, "/", facts).value.status(), Fails(kFailedPrecondition));
  EXPECT_THAT(ReadHolder(state, caller, "/none", facts).value.status(), Fails(kNotFound));
  EXPECT_THAT(ReadHolder(state, User("bob"), "/f", facts).value.status(), Fails(kPermissionDenied));
  // Readers of the open file get the reopened block, its known length and pipeline.
  const auto blocks = ReadBlocks(state, caller, "/f", 0, 0, facts).value;
  ASSERT_EQ(blocks->blocks.size(), 1u);
  EXPECT_TRUE(blocks->blocks[0].open);
  EXPECT_EQ(blocks->blocks[0].block.length, 904u);
  EXPECT_THAT(blocks->blocks[0].pipeline, ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace cairn::namenode
