// Joining files: what comes of it, and every refusal.
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

using testing::ElementsAre;

class PlanConcatTest : public FsTest {
 protected:
  PlanConcatTest() {
    RegisterNodes(3);
    EXPECT_THAT(Mkdir("/d"), Succeeds());
    EXPECT_THAT(Put("/d/a", {4096}), Succeeds());
    EXPECT_THAT(Put("/d/b", {4096, 4096}), Succeeds());
    EXPECT_THAT(Put("/d/short", {4096, 10}), Succeeds());
  }
  std::vector<BlockId> BlocksOf(const std::string& path) {
    const BlockIds blocks = state.FindINode(IdOf(path))->blocks();
    return {blocks.begin(), blocks.end()};
  }
  ContentSummary Sum(const std::string& path) {
    return *ReadContentSummary(state, caller, path, facts).value;
  }
};

TEST_F(PlanConcatTest, TheBlocksBecomeTheTargets) {
  const auto a = BlocksOf("/d/a");
  const auto b = BlocksOf("/d/b");
  const auto end = BlocksOf("/d/short");
  const INodeId target = IdOf("/d/b");
  const INodeId source = IdOf("/d/a");
  const ContentSummary before = Sum("/d");
  facts.now_ms = 77'000;
  // Not in the order in which the blocks were made.
  ASSERT_THAT(Concat("/d/b", {"/d/a", "/d/short"}), Succeeds());
  EXPECT_THAT(BlocksOf("/d/b"), ElementsAre(b[0], b[1], a[0], end[0], end[1]));
  EXPECT_THAT(Names("/d"), ElementsAre("b"));
  EXPECT_EQ(state.FindINode(source), nullptr);
  EXPECT_FALSE(state.HasReclaimWork());
  EXPECT_EQ(Stat("/d/b")->length, 4 * 4096u + 10);
  EXPECT_EQ(Stat("/d/b")->mtime_ms, 77'000);
  EXPECT_EQ(Stat("/d")->mtime_ms, 77'000);
  EXPECT_EQ(Sum("/d").length, before.length);
  EXPECT_EQ(Sum("/d").space, before.space);
  EXPECT_EQ(Sum("/d").files, 1u);
  EXPECT_EQ(state.FindBlockInfo(a[0])->inode, target);
  EXPECT_EQ(state.FindBlockInfo(a[0])->offset, 2 * 4096u);
  // The block room learns whose they are.
  ASSERT_EQ(Count(BlockEffect::Kind::kReplication), 3);
  EXPECT_EQ(effects.size(), 3u);
  for (const BlockEffect& effect : effects) EXPECT_EQ(effect.info.inode, target);
  const auto blocks = ReadBlocks(state, caller, "/d/b", 3 * 4096, 0, facts).value;
  ASSERT_TRUE(blocks.ok());
  ASSERT_EQ(blocks->blocks.size(), 2u);
  EXPECT_EQ(blocks->blocks[1].block.id, end[1]);
  // It is a file like any other.
  ASSERT_THAT(Append("/d/b"), Succeeds());
  EXPECT_EQ(std::get<AppendedAnswer>(last.answer).block->offset, 4 * 4096u);
}

TEST_F(PlanConcatTest, AnEmptyTargetTakesAll) {
  ASSERT_THAT(Put("/d/empty", {}), Succeeds());
  ASSERT_THAT(Concat("/d/empty", {"/d/short"}), Succeeds());
  EXPECT_EQ(Stat("/d/empty")->length, 4106u);
  EXPECT_THAT(Concat("/d/empty", {"/d/a"}), Fails(kInvalidArgument, "within a block"));
}

TEST_F(PlanConcatTest, ReplicationIsTheTargets) {
  replication = 1;
  ASSERT_THAT(Put("/d/one", {4096}), Succeeds());
  const BlockId moved = BlocksOf("/d/one")[0];
  const uint64_t before = Sum("/d").space;
  ASSERT_THAT(Concat("/d/a", {"/d/one"}), Succeeds());
  EXPECT_EQ(Sum("/d").space, before + 2 * 4096);
  EXPECT_EQ(state.FindBlockInfo(moved)->replication, 3u);
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].info.replication, 3u);
}

TEST_F(PlanConcatTest, QuotaOfSpaceCountsTheDifference) {
  replication = 1;
  ASSERT_THAT(Put("/d/one", {4096, 4}), Succeeds());
  const uint64_t used = Sum("/d").space;
  ASSERT_THAT(SetQuota("/d", {.names = 1, .space = used + 2 * 4100 - 1}), Succeeds());
  EXPECT_THAT(Concat("/d/a", {"/d/one"}), Fails(kResourceExhausted, "8200 more wanted"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kQuotaExceeded);
  ASSERT_THAT(SetQuota("/d", {.names = 1, .space = used + 2 * 4100}), Succeeds());
  EXPECT_THAT(Concat("/d/a", {"/d/one"}), Succeeds()) << "names only become fewer";
}

TEST_F(PlanConcatTest, Refusals) {
  ASSERT_THAT(Mkdir("/e"), Succeeds());
  ASSERT_THAT(Put("/e/f", {4096}), Succeeds());
  ASSERT_THAT(Put("/d/empty", {}), Succeeds());
  EXPECT_THAT(Concat("/d/a", {}), Fails(kInvalidArgument, "no source"));
  EXPECT_THAT(Concat("/d/none", {"/d/b"}), Fails(kNotFound));
  EXPECT_THAT(Concat("/d/a", {"/d/none"}), Fails(kNotFound, "/d/none: No such file"));
  EXPECT_THAT(Concat("/d", {"/d/b"}), Fails(kFailedPrecondition, "Is a directory"));
  EXPECT_THAT(Concat("/d/a", {"/e"}), Fails(kFailedPrecondition, "/e: Is a directory"));
  EXPECT_THAT(Concat("/d/a", {"/d/a"}), Fails(kInvalidArgument, "the target itself"));
  EXPECT_THAT(Concat("/d/a", {"/d/b", "/d/b"}), Fails(kInvalidArgument, "given twice"));
  EXPECT_THAT(Concat("/d/a", {"/e/f"}), Fails(kInvalidArgument, "not in the directory"));
  EXPECT_THAT(Concat("/d/a", {"/d/empty"}), Fails(kInvalidArgument, "is empty"));
  EXPECT_THAT(Concat("/d/short", {"/d/a"}), Fails(kInvalidArgument, "the target ends within"));
  EXPECT_THAT(Concat("/d/a", {"/d/short", "/d/b"}),
              Fails(kInvalidArgument, "/d/short ends within a block (4106 bytes, blocks of 4096)"));
  block_size = 8192;
  ASSERT_THAT(Put("/d/large", {8192}), Succeeds());
  EXPECT_THAT(Concat("/d/a", {"/d/large"}), Fails(kInvalidArgument, "blocks of 8192 bytes"));
  facts.limits.max_blocks_per_file = 2;
  EXPECT_THAT(Concat("/d/a", {"/d/b"}), Fails(kResourceExhausted, "3 blocks, more than 2"));
  EXPECT_EQ(Names("/d").size(), 5u);
}

TEST_F(PlanConcatTest, OpenFilesAreRefused) {
  ASSERT_THAT(Append("/d/short"), Succeeds());
  EXPECT_THAT(Concat("/d/a", {"/d/short"}),
              Fails(kFailedPrecondition, "/d/short is being written"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kBeingWritten);
  EXPECT_THAT(Concat("/d/short", {"/d/a"}), Fails(kFailedPrecondition, "being written"));
  ASSERT_THAT(Truncate("/d/b", 5), Succeeds());
  EXPECT_THAT(Concat("/d/a", {"/d/b"}), Fails(kUnavailable, "recovered"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kRecoveryInProgress);
}

TEST_F(PlanConcatTest, Permissions) {
  ASSERT_THAT(Chown("/d/a", "ann"), Succeeds());
  ASSERT_THAT(Chown("/d/b", "bob"), Succeeds());
  ASSERT_THAT(Chmod("/d", 0777), Succeeds());
  caller = User("ann");
  EXPECT_THAT(Concat("/d/b", {"/d/a"}), Fails(kPermissionDenied, "ann needs w on /d/b"));
  EXPECT_THAT(Do(PlanConcat(state, User("cid"), {"/d/a", {"/d/b"}}, facts)),
              Fails(kPermissionDenied, "cid needs w on /d/a"));
  caller = Superuser();
  ASSERT_THAT(Chmod("/d/b", 0600), Succeeds());
  caller = User("ann");
  EXPECT_THAT(Concat("/d/a", {"/d/b"}), Fails(kPermissionDenied, "ann needs r on /d/b"));
  caller = Superuser();
  ASSERT_THAT(Chmod("/d/b", 0644), Succeeds());
  ASSERT_THAT(Chmod("/d", 01777), Succeeds());
  caller = User("ann");
  EXPECT_THAT(Concat("/d/a", {"/d/b"}), Fails(kPermissionDenied, "sticky"));
  caller = Superuser();
  ASSERT_THAT(Chmod("/d", 0755), Succeeds());
  caller = User("ann");
  EXPECT_THAT(Concat("/d/a", {"/d/b"}), Fails(kPermissionDenied, "ann needs wx on /d"));
  caller = Superuser();
  ASSERT_THAT(Chmod("/d", 0777), Succeeds());
  caller = User("ann");
  EXPECT_THAT(Concat("/d/a", {"/d/b"}), Succeeds());
}

TEST_F(PlanConcatTest, ReadersWaitForIt) {
  ASSERT_THAT(Mkdir("/other"), Succeeds());
  ASSERT_THAT(Concat("/d/a", {"/d/b"}), Succeeds());
  const TxId joined = state.applied_txid();
  ASSERT_THAT(Mkdir("/other/x"), Succeeds());
  EXPECT_EQ(ReadFileInfo(state, caller, "/d/a", facts).observed, joined);
  EXPECT_EQ(ReadFileInfo(state, caller, "/d/b", facts).observed, joined) << "that it is gone";
  EXPECT_EQ(ReadBlocks(state, caller, "/d/a", 0, 0, facts).observed, joined);
  EXPECT_THAT(Concat("/d/a", {"/d/b"}), Fails(kNotFound));
  EXPECT_EQ(last.observed, joined);
}

TEST_F(PlanConcatTest, EditsThatDoNotFitAreRefused) {
  ASSERT_THAT(Put("/d/empty", {}), Succeeds());
  ASSERT_THAT(Put("/elsewhere", {4096}), Succeeds());
  const INodeId a = IdOf("/d/a");
  const INodeId b = IdOf("/d/b");
  const INodeId short_one = IdOf("/d/short");
  const auto apply = [&](INodeId target, std::vector<INodeId> sources) {
    const EditRecord record{1, std::nullopt, ConcatEdit{target, std::move(sources)}, {}};
    return Apply(state, state.applied_txid() + 1, record).status();
  };
  const Digest before = state.digest();
  EXPECT_THAT(apply(a, {}), Fails(kDataLoss));
  EXPECT_THAT(apply(999, {a}), Fails(kDataLoss));
  EXPECT_THAT(apply(a, {999}), Fails(kDataLoss));
  EXPECT_THAT(apply(a, {a}), Fails(kDataLoss));
  EXPECT_THAT(apply(a, {b, b}), Fails(kDataLoss));
  EXPECT_THAT(apply(a, {short_one, b}), Fails(kDataLoss));
  EXPECT_THAT(apply(short_one, {b}), Fails(kDataLoss));
  EXPECT_THAT(apply(a, {IdOf("/d/empty")}), Fails(kDataLoss));
  EXPECT_THAT(apply(a, {IdOf("/elsewhere")}), Fails(kDataLoss));
  EXPECT_THAT(apply(a, {IdOf("/d")}), Fails(kDataLoss));
  ASSERT_EQ(state.digest(), before);
  ASSERT_THAT(Append("/d/short"), Succeeds());
  EXPECT_THAT(apply(a, {short_one}), Fails(kDataLoss));
}

}  // namespace
}  // namespace cairn::namenode
