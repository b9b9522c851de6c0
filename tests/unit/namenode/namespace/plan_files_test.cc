// Files that are written: create, blocks, complete, leases.
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PlanFilesTest : public FsTest {
 protected:
  PlanFilesTest() { RegisterNodes(3); }

  INodeId Open(const std::string& path) {
    EXPECT_THAT(Create(path), Succeeds());
    return std::get<CreatedAnswer>(last.answer).inode;
  }
  NewBlock Add(INodeId inode, std::vector<FinishedBlock> finished = {}) {
    EXPECT_THAT(AddBlock(inode, std::move(finished)), Succeeds());
    const auto* answer = std::get_if<NewBlockAnswer>(&last.answer);
    return answer != nullptr ? answer->block : NewBlock{};
  }
};

TEST_F(PlanFilesTest, CreateRules) {
  EXPECT_THAT(Create("/no/f"), Fails(kNotFound));
  EXPECT_THAT(Create("/"), Fails(kFailedPrecondition, "Is a directory"));
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  EXPECT_THAT(Create("/d", true), Fails(kFailedPrecondition, "Is a directory"));
  const INodeId inode = Open("/d/f");
  EXPECT_THAT(Create("/d/f"), Fails(kAlreadyExists, "File exists"));
  EXPECT_THAT(Create("/d/f/g"), Fails(kFailedPrecondition, "Not a directory"));
  EXPECT_TRUE(Stat("/d/f")->open);
  EXPECT_THAT(state.OpenFilesOf(holder), ElementsAre(inode));
  caller.user = "";
  EXPECT_THAT(Create("/x"), Fails(kInvalidArgument, "user"));
  caller.user = "a:b";
  EXPECT_THAT(Create("/x"), Fails(kInvalidArgument, "user"));
}

TEST_F(PlanFilesTest, CreateChecksReplicationAndBlockSize) {
  replication = 513;
  EXPECT_THAT(Create("/f"), Fails(kInvalidArgument, "1 to 512"));
  replication = 0;
  block_size = 4097;
  EXPECT_THAT(Create("/f"), Fails(kInvalidArgument, "multiple of 4096"));
  block_size = (1ull << 40) + 4096;
  EXPECT_THAT(Create("/f"), Fails(kInvalidArgument, "within 4096 to"));
  block_size = 0;
  EXPECT_THAT(Create("/f"), Succeeds());
  EXPECT_EQ(Stat("/f")->replication, 3u);
  EXPECT_EQ(Stat("/f")->block_size, 128u << 20);
}

TEST_F(PlanFilesTest, CreateWithFirstBlock) {
  with_block = true;
  const BlockId next = state.next_block();
  ASSERT_THAT(Create("/f"), Succeeds());
  const auto& answer = std::get<CreatedAnswer>(last.answer);
  ASSERT_TRUE(answer.block.has_value());
  EXPECT_EQ(answer.block->id, next);
  EXPECT_THAT(answer.block->targets, ElementsAre(1, 2, 3));
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].kind, BlockEffect::Kind::kOpened);
  EXPECT_THAT(effects[0].info.pipeline, ElementsAre(1, 2, 3));
  facts.targets.clear();
  EXPECT_THAT(Create("/g"), Fails(kResourceExhausted, "need 2 healthy DataNodes"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kNotEnoughDataNodes);
}

TEST_F(PlanFilesTest, WholeLife) {
  const INodeId inode = Open("/f");
  const NewBlock first = Add(inode);
  const NewBlock second = Add(inode, {Done(first, 4096)});
  EXPECT_EQ(second.offset, 4096u);
  EXPECT_GT(second.generation, first.generation);
  EXPECT_EQ(Count(BlockEffect::Kind::kFinished), 1);
  EXPECT_THAT(effects[0].storages, ElementsAre(1, 3));
  EXPECT_EQ(Stat("/f")->length, 4096u);
  facts.now_ms = 5000;
  ASSERT_THAT(Complete(inode, {Done(second, 7)}), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kFinished), 1);
  EXPECT_EQ(Count(BlockEffect::Kind::kFileClosed), 2);
  const auto status = Stat("/f");
  EXPECT_EQ(status->length, 4103u);
  EXPECT_EQ(status->mtime_ms, 5000);
  EXPECT_FALSE(status->open);
  EXPECT_EQ(state.open_files(), 0u);
  EXPECT_THAT(AddBlock(inode), Fails(kFailedPrecondition, "closed"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kLeaseLost);

  const auto blocks = [&](uint64_t offset, uint64_t length) {
    std::vector<BlockId> ids;
    const auto read = ReadBlocks(state, caller, "/f", offset, length, facts);
    for (const BlockInfo& info : read.value->blocks) ids.push_back(info.block.id);
    return ids;
  };
  EXPECT_THAT(blocks(0, 0), ElementsAre(first.id, second.id));
  EXPECT_THAT(blocks(0, 4096), ElementsAre(first.id));
  EXPECT_THAT(blocks(4095, 2), ElementsAre(first.id, second.id));
  EXPECT_THAT(blocks(4102, UINT64_MAX), ElementsAre(second.id));
  EXPECT_THAT(blocks(4103, 0), IsEmpty());
  EXPECT_THAT(blocks(UINT64_MAX, UINT64_MAX), IsEmpty());
  EXPECT_THAT(ReadBlocks(state, caller, "/", 0, 0, facts).value.status(),
              Fails(kFailedPrecondition, "Is a directory"));
}

TEST_F(PlanFilesTest, FinishedBlocksAreChecked) {
  const INodeId inode = Open("/f");
  const NewBlock block = Add(inode);
  const INodeId other = Open("/g");
  EXPECT_THAT(AddBlock(other, {Done(block, 4096)}), Fails(kInvalidArgument, "not a block"));
  EXPECT_THAT(AddBlock(inode, {Done(block, 4097)}), Fails(kInvalidArgument, "more than its size"));
  EXPECT_THAT(AddBlock(inode, {Done(block, 4095)}), Fails(kInvalidArgument, "only the last block"));
  EXPECT_THAT(AddBlock(inode, {Done(block, 0)}), Fails(kInvalidArgument, "only the last block"));
  EXPECT_THAT(AddBlock(inode, {Done(block, 4096), Done(block, 4096)}),
              Fails(kInvalidArgument, "twice"));
  EXPECT_THAT(AddBlock(inode, {Done(block, 4096, {1, 99})}), Fails(kInvalidArgument, "not known"));
  EXPECT_THAT(AddBlock(inode, {Done(block, 4096, {1})}), Fails(kUnavailable, "1 DataNodes, 2"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kNotYetReplicated);
  EXPECT_THAT(AddBlock(inode, {Done(block, 4096, {1, 2})}), Fails(kUnavailable))
      << "two storages of one node";
  NewBlock stale = block;
  ++stale.generation;
  EXPECT_THAT(AddBlock(inode, {Done(stale, 4096)}), Fails(kFailedPrecondition, "generation"));
  EXPECT_THAT(AddBlock(inode, {Done(block, 4096)}), Succeeds());
  EXPECT_THAT(AddBlock(inode, {Done(block, 4096)}), Succeeds()) << "said twice";
  EXPECT_THAT(AddBlock(inode, {Done(block, 4095)}), Fails(kInvalidArgument, "was finished with"));
}

TEST_F(PlanFilesTest, OpenBlocksAndBlocksAreLimited) {
  const INodeId inode = Open("/f");
  std::vector<NewBlock> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(Add(inode));
  EXPECT_THAT(AddBlock(inode), Fails(kFailedPrecondition, "4 unfinished blocks"));
  EXPECT_THAT(AddBlock(inode, {Done(blocks[1], 4096)}), Succeeds());
  facts.limits.max_blocks_per_file = 5;
  EXPECT_THAT(AddBlock(inode, {Done(blocks[0], 4096)}), Fails(kResourceExhausted, "block size"));
  facts.targets.clear();
  facts.limits.max_blocks_per_file = 6;
  EXPECT_THAT(AddBlock(inode, {Done(blocks[0], 4096)}), Fails(kResourceExhausted, "DataNodes"));
}

TEST_F(PlanFilesTest, LeaseIsNeeded) {
  const INodeId inode = Open("/f");
  const NewBlock block = Add(inode);
  holder = Client(2);
  EXPECT_THAT(AddBlock(inode), Fails(kFailedPrecondition, "another client"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kLeaseLost);
  EXPECT_THAT(Complete(inode, {Done(block, 1)}), Fails(kFailedPrecondition));
  EXPECT_THAT(Do(PlanAbandonBlock(state, caller, {inode, holder, block.id}, facts)),
              Fails(kFailedPrecondition));
  EXPECT_THAT(Do(PlanAbandonFile(state, caller, {inode, holder}, facts)),
              Fails(kFailedPrecondition));
  EXPECT_FALSE(ReadOpenFile(state, inode, holder).value.ok());
  EXPECT_EQ(ReadOpenFile(state, inode, Client(1)).value->block_size, 4096u);
  EXPECT_THAT(AddBlock(12345), Fails(kFailedPrecondition, "deleted"));
  EXPECT_FALSE(PlanTakeOver(state, inode, holder).edit.has_value());
  EXPECT_THAT(AddBlock(kRootINode), Fails(kFailedPrecondition, "Is a directory"));
}

TEST_F(PlanFilesTest, AbandonLastBlockOnly) {
  const INodeId inode = Open("/f");
  const NewBlock first = Add(inode);
  const NewBlock second = Add(inode);
  const auto abandon = [&](BlockId id) {
    return Do(PlanAbandonBlock(state, caller, {inode, holder, id}, facts));
  };
  EXPECT_THAT(abandon(first.id), Fails(kFailedPrecondition, "last"));
  EXPECT_THAT(abandon(999), Fails(kNotFound));
  EXPECT_THAT(abandon(second.id), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kRemoved), 1);
  EXPECT_THAT(abandon(second.id), Fails(kNotFound));
  const NewBlock again = Add(inode);
  EXPECT_EQ(again.offset, 4096u);
  EXPECT_GT(again.id, second.id);
  EXPECT_THAT(Complete(inode, {Done(again, 5), Done(first, 4096)}), Succeeds());
  EXPECT_EQ(Stat("/f")->length, 4101u);
}

TEST_F(PlanFilesTest, CompleteRules) {
  const INodeId inode = Open("/f");
  const NewBlock first = Add(inode);
  const NewBlock second = Add(inode);
  EXPECT_THAT(Complete(inode, {Done(first, 4096)}), Fails(kFailedPrecondition, "1 blocks"));
  EXPECT_THAT(Complete(inode, {Done(first, 1), Done(second, 1)}),
              Fails(kInvalidArgument, "only the last"));
  EXPECT_THAT(Complete(inode, {Done(first, 4096), Done(second, 1, {1})}), Fails(kUnavailable));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kNotYetReplicated);
  EXPECT_THAT(Complete(inode, {Done(first, 0), Done(second, 0)}), Fails(kInvalidArgument));
  // An empty last block goes, and the one before may be short.
  EXPECT_THAT(Complete(inode, {Done(first, 9), Done(second, 0, {})}), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kRemoved), 1);
  EXPECT_EQ(Stat("/f")->length, 9u);
  EXPECT_EQ(Stat("/f")->blocks, 1u);
}

TEST_F(PlanFilesTest, FewerReplicasAreFineWhereFewerAreAskedFor) {
  replication = 1;
  const INodeId inode = Open("/f");
  EXPECT_THAT(Complete(inode, {Done(Add(inode), 1, {1})}), Succeeds());
  facts.min_replicas = 1;
  replication = 3;
  const INodeId other = Open("/g");
  EXPECT_THAT(Complete(other, {Done(Add(other), 1, {1})}), Succeeds());
}

TEST_F(PlanFilesTest, PublishMovesClosesAndReplaces) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  unpublished = true;
  const INodeId inode = Open("/d/f._COPYING_");
  EXPECT_THAT(Complete(inode, {}, "/none/f"), Fails(kNotFound));
  EXPECT_THAT(Complete(inode, {}, "/d"), Fails(kFailedPrecondition, "Is a directory"));
  EXPECT_THAT(Complete(inode, {}, "/"), Fails(kFailedPrecondition));
  EXPECT_THAT(Complete(inode, {}, "d/f"), Fails(kInvalidArgument));
  CompleteRequest request{.inode = inode, .holder = holder, .publish_as = "/d/f"};
  request.mtime_ms = 77;
  request.atime_ms = 88;
  request.mode = 0600;
  ASSERT_THAT(Do(PlanComplete(state, caller, request, facts)), Succeeds());
  EXPECT_THAT(Names("/d"), ElementsAre("f"));
  EXPECT_EQ(Stat("/d/f")->mtime_ms, 77);
  EXPECT_EQ(Stat("/d/f")->atime_ms, 88);
  EXPECT_EQ(Stat("/d/f")->mode, 0600u);
  EXPECT_EQ(IdOf("/d/f"), inode);

  const INodeId second = Open("/tmp-2");
  const NewBlock block = Add(second);
  EXPECT_THAT(Complete(second, {Done(block, 5)}, "/d/f"), Fails(kAlreadyExists));
  EXPECT_THAT(Complete(second, {Done(block, 5)}, "/d/f", true), Succeeds());
  EXPECT_EQ(IdOf("/d/f"), second);
  EXPECT_FALSE(Exists("/tmp-2"));
  EXPECT_EQ(state.detached().size(), 1u);
  EXPECT_EQ(state.files(), 1u);
  EXPECT_EQ(ReadContentSummary(state, caller, "/d", facts).value->length, 5u);

  const INodeId third = Open("/d/g");
  EXPECT_THAT(Complete(third, {}, "/d/g"), Succeeds()) << "its own name";
}

TEST_F(PlanFilesTest, OverwriteTakesTheLeaseAway) {
  const INodeId old = Open("/f");
  Add(old);
  holder = Client(2);
  ASSERT_THAT(Create("/f", true), Succeeds());
  const INodeId fresh = std::get<CreatedAnswer>(last.answer).inode;
  EXPECT_EQ(IdOf("/f"), fresh);
  EXPECT_THAT(Complete(fresh), Succeeds());
  holder = Client(1);
  EXPECT_THAT(AddBlock(old), Fails(kFailedPrecondition, "deleted or replaced"));
  ASSERT_THAT(Do(PlanReclaim(state, 10)), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kRemoved), 1);
  EXPECT_FALSE(state.HasLease(Client(1)));
}

TEST_F(PlanFilesTest, AbandonFileAndLeaseListing) {
  const INodeId one = Open("/1");
  const INodeId two = Open("/2");
  std::vector<Lease> leases;
  state.ForEachLease([&](const Lease& lease) { leases.push_back(lease); });
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_THAT(leases[0].inodes, ElementsAre(one, two));
  ASSERT_THAT(Do(PlanAbandonFile(state, caller, {one, holder}, facts)), Succeeds());
  EXPECT_FALSE(Exists("/1"));
  ASSERT_THAT(Rename("/2", "/3"), Succeeds());
  Add(two);
  int open = 0;
  state.ForEachBlock([&](const BlockInfo& info, bool closed) { open += info.open && !closed; });
  EXPECT_EQ(open, 1);
}

TEST_F(PlanFilesTest, RegistryKeepsNumbers) {
  const auto& registry = state.registry();
  EXPECT_EQ(registry.FindNode("node-2")->number, 2u);
  EXPECT_EQ(registry.FindStorage(4)->node, 2u);
  const auto registers = [&](RegisterNodeRequest request) {
    return Do(PlanRegisterNode(state, std::move(request)));
  };
  const TxId before = state.applied_txid();
  ASSERT_THAT(registers({"node-2", "/r", {"node-2-b", "node-2-a"}}), Succeeds());
  EXPECT_EQ(state.applied_txid(), before);
  EXPECT_THAT(std::get<RegisteredAnswer>(last.answer).storages, ElementsAre(4, 3));
  ASSERT_THAT(registers({"node-2", "/other", {"node-2-a", "new"}}), Succeeds());
  EXPECT_THAT(std::get<RegisteredAnswer>(last.answer).storages, ElementsAre(3, 7));
  EXPECT_EQ(registry.FindNode(2)->rack, "/other");
  EXPECT_THAT(registry.FindNode(2)->storages, ElementsAre(3, 4, 7));
  EXPECT_THAT(registers({"node-9", "/r", {"new"}}), Fails(kAlreadyExists, "node-2"));
  EXPECT_THAT(registers({"", "/r", {}}), Fails(kInvalidArgument));
  EXPECT_THAT(registers({"n", "/r", {"a", "a"}}), Fails(kInvalidArgument, "twice"));
  EXPECT_THAT(registers({"n", std::string(256, 'r'), {}}), Fails(kInvalidArgument));
}

}  // namespace
}  // namespace cairn::namenode
