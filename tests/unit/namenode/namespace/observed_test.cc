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

}  // namespace
}  // namespace cairn::namenode
