// Which edit an answer waits for (P2): the newest that it reveals, and none that it does not.
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

class ObservedTest : public FsTest {
 protected:
  TxId Mark() { return state.applied_txid(); }
  TxId StatSees(const std::string& path) {
    return ReadFileInfo(state, caller, path, facts).observed;
  }
  TxId ListSees(const std::string& path) {
    return ReadList(state, caller, path, "", 0, facts).observed;
  }
  TxId SumSees(const std::string& path) {
    return ReadContentSummary(state, caller, path, facts).observed;
  }
};

TEST_F(ObservedTest, HitsMissesAndListings) {
  ASSERT_THAT(Mkdir("/a"), Succeeds());
  const TxId a = Mark();
  ASSERT_THAT(Mkdir("/b"), Succeeds());
  const TxId b = Mark();
  EXPECT_EQ(StatSees("/a"), a) << "nothing of /b shows";
  EXPECT_EQ(StatSees("/b"), b);
  EXPECT_EQ(StatSees("/none"), b);
  EXPECT_EQ(StatSees("/a/none"), a);
  EXPECT_EQ(ListSees("/"), b);
  EXPECT_EQ(ListSees("/a"), a);
  ASSERT_THAT(Put("/a/f", {}), Succeeds());
  const TxId f = Mark();
  EXPECT_EQ(StatSees("/a"), f - 1) << "the creation changed its mtime";
  EXPECT_EQ(StatSees("/a/f"), f);
  EXPECT_EQ(ListSees("/a"), f);
  EXPECT_EQ(ListSees("/"), f - 1);
  EXPECT_EQ(StatSees("/b"), b);
  ASSERT_THAT(Delete("/b"), Succeeds());
  EXPECT_EQ(StatSees("/b"), Mark()) << "that it is gone";
  EXPECT_EQ(StatSees("/a/f"), f);
}

TEST_F(ObservedTest, AncestorsAndAttributes) {
  ASSERT_THAT(Mkdir("/a/b/c", true), Succeeds());
  ASSERT_THAT(Put("/a/b/c/f", {}), Succeeds());
  ASSERT_THAT(Rename("/a/b", "/a/x"), Succeeds());
  EXPECT_EQ(StatSees("/a/x/c/f"), Mark());
  EXPECT_EQ(StatSees("/a/b/c/f"), Mark());
  ASSERT_THAT(Chmod("/a", 0700), Succeeds());
  EXPECT_EQ(StatSees("/a/x/c/f"), Mark());
  caller = User("bob");
  const auto refused = ReadFileInfo(state, caller, "/a/x", facts);
  EXPECT_FALSE(refused.value.ok());
  EXPECT_EQ(refused.observed, Mark());
}

TEST_F(ObservedTest, TotalsSeeEverythingBelow) {
  RegisterNodes(3);
  ASSERT_THAT(Mkdir("/a/b", true), Succeeds());
  ASSERT_THAT(Mkdir("/c"), Succeeds());
  const TxId c = Mark();
  ASSERT_THAT(Put("/a/b/f", {5}), Succeeds());
  EXPECT_EQ(SumSees("/a"), Mark());
  EXPECT_EQ(SumSees("/c"), c);
  ASSERT_THAT(Delete("/a/b/f"), Succeeds());
  EXPECT_EQ(SumSees("/a"), Mark());
}

TEST_F(ObservedTest, RefusalsAndLostLeases) {
  ASSERT_THAT(Create("/f"), Succeeds());
  const TxId created = Mark();
  const INodeId inode = IdOf("/f");
  ASSERT_THAT(Mkdir("/x"), Succeeds());
  EXPECT_THAT(Create("/f"), Fails(kAlreadyExists));
  EXPECT_EQ(last.observed, created);
  ASSERT_THAT(Delete("/f"), Succeeds());
  const TxId deleted = Mark();
  EXPECT_THAT(AddBlock(inode), Fails(kFailedPrecondition));
  EXPECT_EQ(last.observed, deleted);
  ASSERT_THAT(Do(PlanReclaim(state, 1)), Succeeds());
  EXPECT_THAT(AddBlock(inode), Fails(kFailedPrecondition));
  EXPECT_EQ(last.observed, Mark());
}

// A stamp, a pipeline, a recovery: nothing of them shows before it is durable, and nobody else
// waits for them.
TEST_F(ObservedTest, FilesBeingRecovered) {
  RegisterNodes(3);
  const auto blocks_see = [&](const std::string& path) {
    return ReadBlocks(state, caller, path, 0, 0, facts).observed;
  };
  const auto holder_sees = [&](const std::string& path) {
    return ReadHolder(state, caller, path, facts).observed;
  };
  const auto last_sees = [&](const std::string& path) {
    return ReadLastBlock(state, caller, path, kToAppend, facts).observed;
  };
  ASSERT_THAT(Put("/f", {904}), Succeeds());
  ASSERT_THAT(Put("/other", {904}), Succeeds());
  const TxId other = Mark();
  const INodeId inode = IdOf("/f");
  const BlockId block = state.FindINode(inode)->blocks()[0];
  ASSERT_THAT(Append("/f"), Succeeds());
  EXPECT_EQ(StatSees("/f"), Mark()) << "that it is open";
  EXPECT_EQ(blocks_see("/f"), Mark());
  EXPECT_EQ(holder_sees("/f"), Mark());
  const TxId appended = Mark();
  ASSERT_THAT(Mkdir("/x"), Succeeds());
  EXPECT_THAT(Append("/f"), Fails(kFailedPrecondition));
  EXPECT_EQ(last.observed, appended) << "a refusal waits for what it tells";
  EXPECT_EQ(last_sees("/f"), appended);

  ASSERT_THAT(NewStamp(inode, block), Succeeds());
  const GenerationStamp stamp = std::get<NewStampAnswer>(last.answer).generation;
  ASSERT_THAT(UpdatePipeline(inode, block, stamp, {1}), Succeeds());
  EXPECT_EQ(blocks_see("/f"), Mark()) << "its new stamp";
  const GenerationStamp unknown = stamp + 1;
  const TxId updated = Mark();
  ASSERT_THAT(Mkdir("/y"), Succeeds());
  EXPECT_THAT(UpdatePipeline(inode, block, unknown, {1}), Fails(kInvalidArgument));
  EXPECT_EQ(last.observed, updated);

  ASSERT_THAT(Do(PlanTakeOver(state, inode, holder)), Succeeds());
  EXPECT_EQ(holder_sees("/f"), Mark());
  EXPECT_EQ(FilesInRecovery(state)[0].observed, Mark());
  EXPECT_EQ(PlanTakeOver(state, inode, holder).observed, Mark());
  const GenerationStamp recovery = BeginRecovery(inode);
  EXPECT_EQ(FilesInRecovery(state)[0].observed, Mark()) << "an order names the stamp";
  EXPECT_EQ(blocks_see("/f"), Mark());
  ASSERT_THAT(CommitRecovery(block, recovery, 1000), Succeeds());
  const TxId committed = Mark();
  EXPECT_EQ(StatSees("/f"), committed);
  ASSERT_THAT(Mkdir("/z"), Succeeds());
  ASSERT_THAT(CommitRecovery(block, recovery, 1000), Succeeds());
  EXPECT_EQ(last.observed, committed) << "said twice";

  ASSERT_THAT(Truncate("/f", 10), Succeeds());
  EXPECT_EQ(StatSees("/f"), Mark());
  EXPECT_EQ(SumSees("/"), Mark());
  ASSERT_THAT(Delete("/f"), Succeeds());
  const TxId deleted = Mark();
  EXPECT_THAT(CommitRecovery(block, recovery, 10), Fails(kNotFound));
  EXPECT_EQ(last.observed, deleted);
  EXPECT_EQ(StatSees("/other"), other) << "nothing of all this shows";
  EXPECT_EQ(blocks_see("/other"), other);
  EXPECT_EQ(PlanRaiseCounters(state, 1, 1, 0).observed, Mark());
}

}  // namespace
}  // namespace cairn::namenode
