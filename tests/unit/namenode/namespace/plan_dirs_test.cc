// mkdirs, rename and delete, as a superuser: what POSIX and HDFS say about names.
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(FsTest, FreshRoot) {
  const auto root = Stat("/");
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->mode, 01777u);
  EXPECT_EQ(root->owner, "hdfs");
  EXPECT_EQ(root->group, "supergroup");
  EXPECT_EQ(root->name, "");
  EXPECT_EQ(root->inode, kRootINode);
  EXPECT_EQ(state.applied_txid(), 0u);
  EXPECT_EQ(state.directories(), 1u);
  EXPECT_EQ(state.digest(), state.RecomputeDigest());
}

TEST_F(FsTest, MkdirsNeedsAParentAndAFreeName) {
  EXPECT_THAT(Mkdir("/a/b"), Fails(kNotFound, "No such file or directory"));
  EXPECT_THAT(Mkdir("/a"), Succeeds());
  EXPECT_THAT(Mkdir("/a"), Fails(kAlreadyExists, "File exists"));
  EXPECT_THAT(Mkdir("/"), Fails(kAlreadyExists));
  EXPECT_THAT(Mkdir("/a//b/"), Succeeds());
  EXPECT_THAT(Names("/a"), ElementsAre("b"));
  EXPECT_EQ(Stat("/a")->mtime_ms, facts.now_ms);
}

TEST_F(FsTest, MkdirsWithParents) {
  EXPECT_THAT(Mkdir("/a/b/c", true, 0500), Succeeds());
  EXPECT_EQ(Stat("/a")->mode, 0700u);  // u+wx, so that the chain can be walked
  EXPECT_EQ(Stat("/a/b/c")->mode, 0500u);
  const TxId before = state.applied_txid();
  EXPECT_THAT(Mkdir("/a/b/c", true), Succeeds());
  EXPECT_THAT(Mkdir("/", true), Succeeds());
  EXPECT_EQ(state.applied_txid(), before);
  ASSERT_THAT(Put("/f", {}), Succeeds());
  EXPECT_THAT(Mkdir("/f", true), Fails(kAlreadyExists, "File exists"));
  EXPECT_THAT(Mkdir("/f/d", true), Fails(kFailedPrecondition, "Not a directory"));
  EXPECT_THAT(Mkdir("/x", false, 02000), Fails(kInvalidArgument, "1777"));
}

TEST_F(FsTest, NewINodesTakeTheParentsGroup) {
  ASSERT_THAT(Mkdir("/a"), Succeeds());
  ASSERT_THAT(Chown("/a", "", "staff"), Succeeds());
  caller = User("hdfs");
  ASSERT_THAT(Mkdir("/a/b/c", true), Succeeds());
  ASSERT_THAT(Put("/a/f", {}), Succeeds());
  EXPECT_EQ(Stat("/a/b/c")->group, "staff");
  EXPECT_EQ(Stat("/a/f")->group, "staff");
  EXPECT_EQ(Stat("/a/f")->owner, "hdfs");
}

TEST_F(FsTest, FullDirectoryRefuses) {
  facts.limits.max_dir_entries = 2;
  ASSERT_THAT(Mkdir("/d/a", true), Succeeds());
  ASSERT_THAT(Put("/d/b", {}), Succeeds());
  EXPECT_THAT(Mkdir("/d/c"), Fails(kResourceExhausted, "directory is full"));
  EXPECT_THAT(Create("/d/c"), Fails(kResourceExhausted));
  EXPECT_THAT(Create("/d/b", true), Succeeds());
  EXPECT_THAT(Rename("/d/a", "/d/c"), Succeeds());
  ASSERT_THAT(Mkdir("/x"), Succeeds());
  EXPECT_THAT(Rename("/x", "/d/x"), Fails(kResourceExhausted));
}

TEST_F(FsTest, RenameCornerCases) {
  ASSERT_THAT(Mkdir("/a/b", true), Succeeds());
  ASSERT_THAT(Put("/f", {}), Succeeds());
  ASSERT_THAT(Put("/g", {}), Succeeds());
  EXPECT_THAT(Rename("/", "/x"), Fails(kInvalidArgument, "root"));
  EXPECT_THAT(Rename("/none", "/x"), Fails(kNotFound));
  EXPECT_THAT(Rename("/f", "/none/x"), Fails(kNotFound, "destination's parent"));
  EXPECT_THAT(Rename("/f", "/g"), Fails(kAlreadyExists));
  EXPECT_THAT(Rename("/f", "/a"), Fails(kAlreadyExists));
  EXPECT_THAT(Rename("/f", "/"), Fails(kAlreadyExists));
  EXPECT_THAT(Rename("/f", "/g/x"), Fails(kFailedPrecondition, "Not a directory"));
  EXPECT_THAT(Rename("/a", "/a/c"), Fails(kInvalidArgument, "into itself"));
  EXPECT_THAT(Rename("/a", "/a/b/c"), Fails(kInvalidArgument, "into itself"));
  EXPECT_THAT(Rename("/a", "/a/b"), Fails(kAlreadyExists));
  EXPECT_THAT(Rename("/a/b", "/a"), Fails(kAlreadyExists));
  const TxId before = state.applied_txid();
  EXPECT_THAT(Rename("/f", "//f/"), Succeeds());
  EXPECT_THAT(Rename("/a", "/a"), Succeeds());
  EXPECT_EQ(state.applied_txid(), before);

  EXPECT_THAT(Rename("/f", "/a/b/f2"), Succeeds());
  EXPECT_THAT(Names("/"), ElementsAre("a", "g"));
  EXPECT_THAT(Names("/a/b"), ElementsAre("f2"));
  EXPECT_THAT(Rename("/a/b", "/c"), Succeeds());
  EXPECT_TRUE(Exists("/c/f2"));
  EXPECT_EQ(state.PathOf(IdOf("/c/f2")), "/c/f2");
}

TEST_F(FsTest, TotalsFollowRenameAndDelete) {
  RegisterNodes(3);
  ASSERT_THAT(Mkdir("/a/b", true), Succeeds());
  ASSERT_THAT(Mkdir("/c"), Succeeds());
  ASSERT_THAT(Put("/a/b/f", {4096, 100}), Succeeds());
  const auto summary = [&](const char* path) {
    return *ReadContentSummary(state, caller, path, facts).value;
  };
  EXPECT_EQ(summary("/a").length, 4196u);
  EXPECT_EQ(summary("/a").space, 3 * 4196u);
  EXPECT_EQ(summary("/a").files, 1u);
  EXPECT_EQ(summary("/a").directories, 2u);
  ASSERT_THAT(Rename("/a/b", "/c/b"), Succeeds());
  EXPECT_EQ(summary("/a").length, 0u);
  EXPECT_EQ(summary("/c").length, 4196u);
  ASSERT_THAT(Do(PlanSetReplication(state, caller, "/c/b/f", 1, facts)), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kReplication), 2);
  EXPECT_EQ(summary("/").space, 4196u);
  ASSERT_THAT(Delete("/c", true), Succeeds());
  EXPECT_EQ(summary("/").length, 0u);
  EXPECT_EQ(state.files(), 0u);
  EXPECT_EQ(state.directories(), 2u);
}

TEST_F(FsTest, DeleteRules) {
  ASSERT_THAT(Mkdir("/a/b", true), Succeeds());
  EXPECT_THAT(Delete("/", true), Fails(kInvalidArgument, "root"));
  EXPECT_THAT(Delete("/none"), Fails(kNotFound));
  EXPECT_THAT(Delete("/a"), Fails(kFailedPrecondition, "Directory not empty"));
  EXPECT_THAT(Delete("/a/b"), Succeeds());
  EXPECT_THAT(Delete("/a"), Succeeds());
  EXPECT_THAT(Names("/"), IsEmpty());
  EXPECT_EQ(state.inodes(), 3u);  // two wait to be freed
  EXPECT_TRUE(state.HasReclaimWork());
  EXPECT_THAT(Do(PlanReclaim(state, 5000)), Succeeds());
  EXPECT_EQ(state.inodes(), 1u);
  EXPECT_FALSE(PlanReclaim(state, 5000).edit.has_value());
}

TEST_F(FsTest, ReclaimGoesInSlices) {
  check_digest = false;
  RegisterNodes(3);
  ASSERT_THAT(Mkdir("/t/a/b", true), Succeeds());
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(Mkdir("/t/d" + std::to_string(i)), Succeeds());
    ASSERT_THAT(Put("/t/d" + std::to_string(i) + "/f", {10}), Succeeds());
  }
  ASSERT_THAT(Create("/t/a/b/open"), Succeeds());
  const INodeId open = IdOf("/t/a/b/open");
  ASSERT_THAT(Put("/keep", {10}), Succeeds());
  EXPECT_EQ(state.blocks(), 101u);
  EXPECT_EQ(state.open_files(), 1u);
  const Digest before_tree = state.digest();
  ASSERT_THAT(Delete("/t", true), Succeeds());
  EXPECT_NE(state.digest(), before_tree);
  EXPECT_TRUE(effects.empty());
  EXPECT_EQ(state.files(), 1u);
  EXPECT_EQ(state.PathOf(open), "");
  EXPECT_THAT(AddBlock(open), Fails(kFailedPrecondition, "deleted"));
  EXPECT_EQ(KindOf(last.status), ErrorKind::kLeaseLost);
  EXPECT_FALSE(PlanTakeOver(state, open, holder).edit.has_value());

  int removed = 0;
  int slices = 0;
  check_digest = true;
  while (state.HasReclaimWork()) {
    const uint64_t before = state.inodes();
    ASSERT_THAT(Do(PlanReclaim(state, 10)), Succeeds());
    EXPECT_LE(before - state.inodes(), 10u);
    removed += Count(BlockEffect::Kind::kRemoved);
    ++slices;
  }
  EXPECT_EQ(slices, 21);  // 204 inodes
  EXPECT_EQ(removed, 100);
  EXPECT_EQ(state.inodes(), 2u);
  EXPECT_EQ(state.blocks(), 1u);
  EXPECT_EQ(state.open_files(), 0u);
  EXPECT_TRUE(state.OpenFilesOf(holder).empty());
}

TEST_F(FsTest, ReclaimFreesAHugeFileBitByBit) {
  RegisterNodes(3);
  ASSERT_THAT(Put("/f", std::vector<uint64_t>(30, 4096)), Succeeds());
  ASSERT_THAT(Delete("/f"), Succeeds());
  ASSERT_THAT(Do(PlanReclaim(state, 5)), Succeeds());
  EXPECT_EQ(Count(BlockEffect::Kind::kRemoved), 20);
  EXPECT_EQ(state.blocks(), 10u);
  ASSERT_THAT(Do(PlanReclaim(state, 5)), Succeeds());
  EXPECT_EQ(state.inodes(), 1u);
}

TEST_F(FsTest, DeepTreesNeedNoDeepStack) {
  check_digest = false;
  std::string top;
  for (int round = 0; round < 6; ++round) {
    std::string deep = "/n";
    for (int i = 0; i < 900; ++i) deep += "/d";
    ASSERT_THAT(Mkdir(deep, true), Succeeds());
    if (round > 0) ASSERT_THAT(Rename("/old", deep + "/old"), Succeeds());
    ASSERT_THAT(Rename("/n", "/old"), Succeeds());
  }
  EXPECT_EQ(state.directories(), 6u * 901 + 1);
  caller = User("hdfs");
  ASSERT_THAT(Delete("/old", true), Succeeds());
  while (state.HasReclaimWork()) ASSERT_THAT(Do(PlanReclaim(state, 5000)), Succeeds());
  EXPECT_EQ(state.inodes(), 1u);
  EXPECT_EQ(state.digest(), state.RecomputeDigest());
}

TEST_F(FsTest, ListsInPagesByBytes) {
  for (const char* name : {"/b", "/a", "/B", "/\xc3\xa9", "/a0", "/a-"}) {
    ASSERT_THAT(Mkdir(name), Succeeds());
  }
  EXPECT_THAT(Names("/"), ElementsAre("B", "a", "a-", "a0", "b", "\xc3\xa9"));
  auto page = *ReadList(state, caller, "/", "", 2, facts).value;
  EXPECT_TRUE(page.has_more);
  EXPECT_EQ(page.entries.back().name, "a");
  page = *ReadList(state, caller, "/", "a", 4, facts).value;
  EXPECT_FALSE(page.has_more);
  EXPECT_EQ(page.entries.front().name, "a-");
  EXPECT_EQ(page.entries.size(), 4u);
  page = *ReadList(state, caller, "/", "a/", 1, facts).value;  // need not exist
  EXPECT_EQ(page.entries.front().name, "a0");
  ASSERT_THAT(Put("/f", {}), Succeeds());
  EXPECT_THAT(Names("/f"), ElementsAre("f"));
}

}  // namespace
}  // namespace cairn::namenode
