// Quotas: who may set them, what counts, every operation that may exceed one.
#include "namenode/namespace/quota.h"
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

constexpr uint64_t kBlock = 4096;
constexpr uint64_t kCopies = 3;

class PlanQuotaTest : public FsTest {
 protected:
  PlanQuotaTest() { RegisterNodes(3); }

  ContentSummary Sum(const std::string& path) {
    return *ReadContentSummary(state, Superuser(), path, facts).value;
  }
  uint64_t Space(const std::string& path) { return Sum(path).space + Sum(path).promised; }
  INodeId Open(const std::string& path) {
    EXPECT_THAT(Create(path), Succeeds());
    return std::get<CreatedAnswer>(last.answer).inode;
  }
  BlockId LastBlock() { return state.next_block() - 1; }
};

MATCHER(ExceedsQuota, "") {
  *result_listener << arg.ToString();
  return arg.code() == kResourceExhausted && KindOf(arg) == ErrorKind::kQuotaExceeded;
}
MATCHER_P(ExceedsQuota, message, "") {
  *result_listener << arg.ToString();
  return KindOf(arg) == ErrorKind::kQuotaExceeded &&
         MessageOf(arg).find(message) != std::string_view::npos;
}

// --- Setting

TEST_F(PlanQuotaTest, SetShowAndRemove) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  EXPECT_EQ(Sum("/d").quota, Quota());
  EXPECT_THAT(SetQuota("/d", {.names = 10, .space = 0}), Succeeds());
  EXPECT_EQ(Sum("/d").quota, (Quota{.names = 10, .space = 0}));
  // One alone leaves the other.
  EXPECT_THAT(Do(PlanSetQuota(state, caller, {"/d", QuotaLimit(11), std::nullopt}, facts)),
              Succeeds());
  EXPECT_EQ(Sum("/d").quota, (Quota{.names = 11, .space = 0}));
  EXPECT_THAT(Do(PlanSetQuota(state, caller, {"/d", std::nullopt, QuotaLimit()}, facts)),
              Succeeds());
  EXPECT_EQ(Sum("/d").quota, Quota{.names = 11});
  EXPECT_THAT(SetQuota("/d", Quota{.names = 11}), Succeeds());
  EXPECT_FALSE(last.edit.has_value()) << "nothing changes";
  EXPECT_EQ(state.quotas().size(), 1u);
  EXPECT_THAT(SetQuota("/d", {}), Succeeds());
  EXPECT_TRUE(state.quotas().empty());
  EXPECT_THAT(SetQuota("/", {.names = 5}), Succeeds());
  EXPECT_EQ(Sum("/").quota, Quota{.names = 5});
}

TEST_F(PlanQuotaTest, WrongOnesAreRefused) {
  ASSERT_THAT(Put("/f", {}), Succeeds());
  EXPECT_THAT(SetQuota("/f", {.names = 5}), Fails(kFailedPrecondition, "Not a directory"));
  EXPECT_THAT(SetQuota("/none", {.names = 5}), Fails(kNotFound));
  EXPECT_THAT(SetQuota("/", {.names = 0}), Fails(kInvalidArgument, "names"));
  EXPECT_THAT(SetQuota("/", {.names = uint64_t{INT64_MAX} + 1}), Fails(kInvalidArgument));
  EXPECT_THAT(SetQuota("/", {.space = uint64_t{INT64_MAX} + 1}), Fails(kInvalidArgument, "bytes"));
  EXPECT_THAT(Do(PlanSetQuota(state, caller, {"/", std::nullopt, std::nullopt}, facts)),
              Fails(kInvalidArgument));
  caller = User("ann");
  EXPECT_THAT(SetQuota("/", {.names = 5}), Fails(kPermissionDenied, "superuser"));
  EXPECT_TRUE(state.quotas().empty());
}

TEST_F(PlanQuotaTest, AQuotaGoesWithItsDirectory) {
  ASSERT_THAT(Mkdir("/d/sub", true), Succeeds());
  ASSERT_THAT(SetQuota("/d/sub", {.names = 2}), Succeeds());
  ASSERT_THAT(Rename("/d/sub", "/moved"), Succeeds());
  EXPECT_THAT(Mkdir("/moved/a"), Succeeds());
  EXPECT_THAT(Mkdir("/moved/b"), ExceedsQuota());
  ASSERT_THAT(Delete("/moved", true), Succeeds());
  ASSERT_THAT(Mkdir("/moved"), Succeeds());
  EXPECT_EQ(Sum("/moved").quota, Quota());
  while (state.HasReclaimWork()) ASSERT_THAT(Do(PlanReclaim(state, 1)), Succeeds());
  EXPECT_TRUE(state.quotas().empty());
}

TEST_F(PlanQuotaTest, BelowUsageNothingGrowsAndAllElseGoesOn) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(Put("/d/f", {kBlock, 100}), Succeeds());
  ASSERT_THAT(SetQuota("/d", {.names = 1, .space = 0}), Succeeds());
  EXPECT_THAT(Create("/d/g"), ExceedsQuota());
  EXPECT_THAT(Append("/d/f"), ExceedsQuota());
  EXPECT_THAT(Chmod("/d/f", 0600), Succeeds());
  EXPECT_THAT(Rename("/d/f", "/d/g"), Succeeds());
  EXPECT_THAT(Do(PlanSetReplication(state, caller, "/d/g", 2, facts)), Succeeds());
  EXPECT_THAT(Truncate("/d/g", kBlock), Succeeds());
  EXPECT_THAT(Append("/d/g"), Succeeds()) << "no block is opened";
  EXPECT_THAT(AddBlock(IdOf("/d/g")), ExceedsQuota());
  EXPECT_THAT(Complete(IdOf("/d/g")), Succeeds());
  EXPECT_THAT(Delete("/d/g"), Succeeds());
}

// --- Names

TEST_F(PlanQuotaTest, NamesOfMkdirsAndCreate) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(SetQuota("/d", {.names = 3}), Succeeds());
  EXPECT_THAT(Mkdir("/d/a/b/c", true), ExceedsQuota()) << "all of the chain counts";
  EXPECT_FALSE(Exists("/d/a"));
  EXPECT_THAT(Mkdir("/d/a", true), Succeeds());
  EXPECT_THAT(Mkdir("/d/a", true), Succeeds()) << "there already";
  ASSERT_THAT(Put("/d/a/f", {}), Succeeds());
  EXPECT_THAT(Create("/d/a/g"),
              ExceedsQuota("the quota of /d is 3 names; 3 are used and 1 more wanted"));
  EXPECT_THAT(Mkdir("/d/x"), ExceedsQuota());
  EXPECT_THAT(Create("/d/a/f", /*overwrite=*/true), Succeeds()) << "one goes, one comes";
  EXPECT_THAT(Mkdir("/elsewhere/x/y/z", true), Succeeds());
}

TEST_F(PlanQuotaTest, AQuotaOfOneKeepsADirectoryEmpty) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(SetQuota("/d", {.names = 1}), Succeeds());
  EXPECT_THAT(Mkdir("/d/a"), ExceedsQuota());
  EXPECT_THAT(Create("/d/a"), ExceedsQuota());
}

TEST_F(PlanQuotaTest, TheTightestIsNamed) {
  ASSERT_THAT(Mkdir("/a/b/c", true), Succeeds());
  ASSERT_THAT(SetQuota("/a", {.names = 3}), Succeeds());
  ASSERT_THAT(SetQuota("/a/b", {.names = 3}), Succeeds());
  EXPECT_THAT(Mkdir("/a/b/c/d"), ExceedsQuota("of /a is"));
  EXPECT_THAT(Mkdir("/a/b/c/d/e", true), ExceedsQuota("of /a is"));
  ASSERT_THAT(SetQuota("/a/b", {.names = 1}), Succeeds());
  EXPECT_THAT(Mkdir("/a/b/c/d"), ExceedsQuota("of /a/b is 1 names; 2 are used"));
  ASSERT_THAT(SetQuota("/a", {.space = 0}), Succeeds());
  EXPECT_THAT(Mkdir("/a/x"), Succeeds()) << "names take no space";
}

// --- Space

TEST_F(PlanQuotaTest, AnOpenBlockCountsWithItsFullSize) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(SetQuota("/d", {.space = 2 * kCopies * kBlock}), Succeeds());
  with_block = true;
  const INodeId inode = Open("/d/f");
  EXPECT_EQ(Sum("/d").space, 0u);
  EXPECT_EQ(Sum("/d").promised, kCopies * kBlock);
  EXPECT_EQ(Sum("/d/f").promised, kCopies * kBlock);
  ASSERT_THAT(AddBlock(inode, {DoneById(LastBlock(), kBlock)}), Succeeds());
  EXPECT_EQ(Space("/d"), 2 * kCopies * kBlock);
  EXPECT_THAT(AddBlock(inode, {DoneById(LastBlock(), kBlock)}),
              ExceedsQuota("of /d is 24576 bytes with all copies; 24576 are used and 12288 more"));
  // It gives back what it did not need.
  ASSERT_THAT(Complete(inode, {DoneById(LastBlock(), 10)}), Succeeds());
  EXPECT_EQ(Space("/d"), kCopies * (kBlock + 10));
  EXPECT_EQ(Sum("/d").promised, 0u);
  EXPECT_THAT(Create("/d/g"), ExceedsQuota()) << "not a whole block is left";
  with_block = false;
  EXPECT_THAT(Create("/d/g"), Succeeds()) << "a file without a block takes a name";
}

TEST_F(PlanQuotaTest, SpaceOfZeroAllowsEmptyFiles) {
  ASSERT_THAT(SetQuota("/", {.space = 0}), Succeeds());
  EXPECT_THAT(Put("/empty", {}), Succeeds());
  EXPECT_THAT(Put("/f", {1}), ExceedsQuota());
}

TEST_F(PlanQuotaTest, QuotaIsToldBeforeALackOfDataNodes) {
  ASSERT_THAT(SetQuota("/", {.space = 1}), Succeeds());
  facts.targets.clear();
  with_block = true;
  EXPECT_THAT(Create("/f"), ExceedsQuota());
}

TEST_F(PlanQuotaTest, EveryEndOfABlockGivesItsSpaceBack) {
  const auto promised = [&] { return Sum("/").promised; };
  with_block = true;
  // Abandoned.
  INodeId inode = Open("/f");
  ASSERT_THAT(Do(PlanAbandonBlock(state, caller, {inode, holder, LastBlock()}, facts)), Succeeds());
  EXPECT_EQ(promised(), 0u);
  // Finished empty.
  ASSERT_THAT(AddBlock(inode), Succeeds());
  EXPECT_EQ(promised(), kCopies * kBlock);
  ASSERT_THAT(Complete(inode, {DoneById(LastBlock(), 0)}), Succeeds());
  EXPECT_EQ(promised(), 0u);
  // The file deleted under its writer, then reclaimed.
  inode = Open("/g");
  EXPECT_EQ(promised(), kCopies * kBlock);
  ASSERT_THAT(Delete("/g"), Succeeds());
  EXPECT_EQ(promised(), 0u);
  ASSERT_THAT(Do(PlanReclaim(state, 10)), Succeeds());
  EXPECT_EQ(promised(), 0u);
  // Replaced by another open one.
  Open("/h");
  ASSERT_THAT(Create("/h", /*overwrite=*/true), Succeeds());
  EXPECT_EQ(promised(), kCopies * kBlock);
  // Given up by its writer.
  ASSERT_THAT(Do(PlanAbandonFile(state, caller, {IdOf("/h"), holder}, facts)), Succeeds());
  EXPECT_EQ(promised(), 0u);
  // A temporary whose lease ends.
  unpublished = true;
  inode = Open("/t");
  ASSERT_THAT(Do(PlanTakeOver(state, inode, holder)), Succeeds());
  EXPECT_EQ(promised(), 0u);
}

TEST_F(PlanQuotaTest, RecoveryKeepsTheSpaceUntilTheBlockIsSettled) {
  const auto promised = [&] { return Sum("/").promised; };
  with_block = true;
  const INodeId inode = Open("/f");
  ASSERT_THAT(AddBlock(inode), Succeeds());
  ASSERT_THAT(Do(PlanTakeOver(state, inode, holder)), Succeeds());
  EXPECT_EQ(promised(), 2 * kCopies * kBlock) << "it may be found to be full";
  BlockId first = state.FirstOpenBlock(*state.FindINode(inode));
  ASSERT_THAT(CommitRecovery(first, BeginRecovery(inode), kBlock), Succeeds());
  EXPECT_EQ(promised(), kCopies * kBlock);
  ASSERT_THAT(CommitRecovery(first + 1, BeginRecovery(inode), 7), Succeeds());
  EXPECT_EQ(promised(), 0u);
  EXPECT_EQ(Space("/"), kCopies * (kBlock + 7));
  // One that ends short drops those behind it.
  const INodeId second = Open("/g");
  ASSERT_THAT(AddBlock(second), Succeeds());
  ASSERT_THAT(Do(PlanTakeOver(state, second, holder)), Succeeds());
  first = state.FirstOpenBlock(*state.FindINode(second));
  ASSERT_THAT(CommitRecovery(first, BeginRecovery(second), 0), Succeeds());
  EXPECT_EQ(promised(), 0u);
  EXPECT_EQ(Sum("/g").space, 0u);
}

TEST_F(PlanQuotaTest, AppendReopensABlock) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(Put("/d/f", {100}), Succeeds());
  const uint64_t full = kCopies * kBlock;
  ASSERT_THAT(SetQuota("/d", {.space = full - 1}), Succeeds());
  EXPECT_THAT(Append("/d/f"), ExceedsQuota("300 are used and 11988 more wanted"));
  ASSERT_THAT(SetQuota("/d", {.space = full}), Succeeds());
  ASSERT_THAT(Append("/d/f"), Succeeds());
  EXPECT_EQ(Space("/d"), full);
  EXPECT_EQ(Sum("/d").space, 300u);
  // Nothing was written: it is what it was.
  ASSERT_THAT(Do(PlanTakeOver(state, IdOf("/d/f"), holder)), Succeeds());
  EXPECT_EQ(Space("/d"), 300u);
}

TEST_F(PlanQuotaTest, ABlockThatIsCutPromisesNothing) {
  ASSERT_THAT(Put("/f", {kBlock, 100}), Succeeds());
  ASSERT_THAT(Truncate("/f", 5), Succeeds());
  EXPECT_EQ(Sum("/").promised, 0u);
  EXPECT_EQ(Space("/"), kCopies * 5);
}

TEST_F(PlanQuotaTest, Replication) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  replication = 1;
  ASSERT_THAT(Put("/d/f", {kBlock}), Succeeds());
  with_block = true;
  Open("/d/open");
  ASSERT_THAT(SetQuota("/d", {.space = 4 * kBlock}), Succeeds());
  const auto set = [&](const char* path, uint32_t copies) {
    return Do(PlanSetReplication(state, caller, path, copies, facts));
  };
  EXPECT_THAT(set("/d/f", 4), ExceedsQuota());
  EXPECT_THAT(set("/d/f", 3), Succeeds());
  EXPECT_EQ(Space("/d"), 4 * kBlock);
  EXPECT_THAT(set("/d/open", 2), ExceedsQuota()) << "an open block counts with its full size";
  EXPECT_THAT(set("/d/f", 2), Succeeds());
  EXPECT_THAT(set("/d/open", 2), Succeeds());
  EXPECT_EQ(Sum("/d").promised, 2 * kBlock);
}

// --- Moving

TEST_F(PlanQuotaTest, RenameCountsOnlyWhereTheTreeIsNew) {
  ASSERT_THAT(Mkdir("/q/a/t", true), Succeeds());
  ASSERT_THAT(Mkdir("/q/b", true), Succeeds());
  ASSERT_THAT(Put("/q/a/t/f", {kBlock}), Succeeds());
  with_block = true;
  Open("/q/a/t/open");
  // /q holds the tree before and after.
  ASSERT_THAT(SetQuota("/q", {.names = 1, .space = 0}), Succeeds());
  ASSERT_THAT(SetQuota("/q/b", {.names = 4, .space = 2 * kCopies * kBlock}), Succeeds());
  ASSERT_THAT(Rename("/q/a/t", "/q/b/t"), Succeeds());
  EXPECT_EQ(Space("/q/b"), 2 * kCopies * kBlock);
  EXPECT_EQ(Space("/q/a"), 0u);
  ASSERT_THAT(Rename("/q/b/t", "/q/b/u"), Succeeds()) << "within one directory";
  ASSERT_THAT(Rename("/q/b/u", "/q/a/t"), Succeeds());
  ASSERT_THAT(SetQuota("/q/b", {.names = 3}), Succeeds());
  EXPECT_THAT(Rename("/q/a/t", "/q/b/t"), ExceedsQuota("/q/b is 3 names; 1 are used and 3 more"));
  ASSERT_THAT(SetQuota("/q/b", {.space = 2 * kCopies * kBlock - 1}), Succeeds());
  EXPECT_THAT(Rename("/q/a/t", "/q/b/t"), ExceedsQuota()) << "with what is promised";
  EXPECT_THAT(Rename("/q/a/t", "/t"), Succeeds());
  EXPECT_THAT(Rename("/t", "/q/t"), ExceedsQuota("of /q is"));
}

TEST_F(PlanQuotaTest, Publishing) {
  ASSERT_THAT(Mkdir("/tmp"), Succeeds());
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(Put("/d/old", {kBlock}), Succeeds());
  ASSERT_THAT(SetQuota("/d", {.names = 2, .space = kCopies * (kBlock + 5)}), Succeeds());
  unpublished = true;
  with_block = true;
  const auto publish = [&](uint64_t length, const char* as, bool overwrite) {
    return Complete(IdOf("/tmp/t"), {DoneById(LastBlock(), length)}, as, overwrite);
  };
  Open("/tmp/t");
  EXPECT_THAT(publish(5, "/d/new", false), ExceedsQuota("2 names"));
  EXPECT_EQ(Sum("/tmp").promised, kCopies * kBlock) << "nothing has changed";
  EXPECT_THAT(publish(5, "/d/old", true), Succeeds()) << "one name goes, one comes";
  EXPECT_EQ(Space("/d"), kCopies * 5);
  ASSERT_THAT(SetQuota("/d", {.space = kCopies * 10}), Succeeds());
  Open("/tmp/t");
  EXPECT_THAT(publish(6, "/d/new", false), ExceedsQuota("15 are used and 18 more wanted"));
  EXPECT_THAT(publish(11, "/d/old", true), ExceedsQuota());
  EXPECT_THAT(publish(5, "/d/new", false), Succeeds()) << "with the size that it has in the end";
}

// --- What a refusal and a look wait for (P2)

TEST_F(PlanQuotaTest, ObservesWhatItReveals) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(Mkdir("/e"), Succeeds());
  ASSERT_THAT(SetQuota("/d", {.names = 3}), Succeeds());
  const TxId set = state.applied_txid();
  ASSERT_THAT(Mkdir("/e/x"), Succeeds());
  EXPECT_EQ(ReadContentSummary(state, caller, "/d", facts).observed, set);
  ASSERT_THAT(Mkdir("/d/a"), Succeeds());
  ASSERT_THAT(Mkdir("/d/a/f"), Succeeds());
  const TxId grown = state.applied_txid();
  ASSERT_THAT(Mkdir("/e/y"), Succeeds());
  EXPECT_THAT(Mkdir("/d/b"), ExceedsQuota());
  EXPECT_EQ(last.observed, grown) << "that names were used up";
}

TEST_F(PlanQuotaTest, EditsThatDoNotFitAreRefused) {
  ASSERT_THAT(Put("/f", {}), Succeeds());
  const auto apply = [&](SetQuotaEdit edit) {
    return Apply(state, state.applied_txid() + 1, {1, std::nullopt, edit, {}}).status();
  };
  EXPECT_THAT(apply({IdOf("/f"), {.names = 5}}), Fails(kDataLoss));
  EXPECT_THAT(apply({999, {.names = 5}}), Fails(kDataLoss));
}

}  // namespace
}  // namespace cairn::namenode
