// Who may do what: HDFS's rules, as a table of a user's rights against operations.
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

class PermissionsTest : public FsTest {
 protected:
  PermissionsTest() {
    RegisterNodes(3);
    // /d belongs to ann:staff; bob is of staff, cid is not.
    EXPECT_THAT(Mkdir("/d/sub/deep", true, 0755), Succeeds());
    EXPECT_THAT(Put("/d/f", {10}), Succeeds());
    for (const char* path : {"/d", "/d/sub", "/d/sub/deep", "/d/f"}) {
      EXPECT_THAT(Chown(path, "ann", "staff"), Succeeds());
    }
  }
  void Mode(const std::string& path, uint32_t mode) {
    caller = Superuser();
    ASSERT_THAT(Chmod(path, mode), Succeeds());
  }
  bool CanStat(const std::string& path) {
    return ReadFileInfo(state, caller, path, facts).value.ok();
  }
  bool CanRead(const std::string& path) {
    return ReadBlocks(state, caller, path, 0, 0, facts).value.ok();
  }
  bool CanList(const std::string& path) {
    return ReadList(state, caller, path, "", 0, facts).value.ok();
  }
  bool CanSum(const std::string& path) {
    return ReadContentSummary(state, caller, path, facts).value.ok();
  }

  const Caller ann = User("ann", {"staff"});
  const Caller bob = User("bob", {"staff"});
  const Caller cid = User("cid");
};

TEST_F(PermissionsTest, OwnerGroupAndOthersEachHaveTheirBits) {
  struct Row {
    uint32_t mode;
    bool ann, bob, cid;
  };
  for (const Row& row : {Row{0400, true, false, false}, Row{0040, false, true, false},
                         Row{0004, false, false, true}, Row{0440, true, true, false},
                         Row{0333, false, false, false}, Row{0777, true, true, true}}) {
    Mode("/d/f", row.mode);
    EXPECT_TRUE(CanRead("/d/f"));
    caller = ann;
    EXPECT_EQ(CanRead("/d/f"), row.ann) << row.mode;
    caller = bob;
    EXPECT_EQ(CanRead("/d/f"), row.bob) << row.mode;
    caller = cid;
    EXPECT_EQ(CanRead("/d/f"), row.cid) << row.mode;
  }
}

TEST_F(PermissionsTest, TraversalNeedsX) {
  Mode("/d", 0766);
  caller = bob;
  EXPECT_FALSE(CanStat("/d/f"));
  EXPECT_FALSE(CanStat("/d/none"));
  EXPECT_THAT(ReadFileInfo(state, caller, "/d/none", facts).value.status(),
              Fails(kPermissionDenied, "Permission denied: bob needs x on /d (ann:staff 0766)"));
  EXPECT_TRUE(CanStat("/d"));
  EXPECT_FALSE(CanList("/d"));
  Mode("/d", 0711);
  caller = bob;
  EXPECT_TRUE(CanStat("/d/f"));
  EXPECT_FALSE(CanList("/d"));
  EXPECT_FALSE(CanSum("/d"));
  EXPECT_TRUE(CanSum("/d/f"));
  Mode("/d", 0755);
  caller = bob;
  EXPECT_TRUE(CanList("/d"));
  EXPECT_TRUE(CanSum("/d"));
}

TEST_F(PermissionsTest, ChangingADirectoryNeedsWAndX) {
  for (const uint32_t mode : {0755u, 0775u, 0765u}) {
    Mode("/d", mode);
    caller = bob;
    const bool may = mode == 0775;
    const auto code = may ? kOk : kPermissionDenied;
    EXPECT_EQ(Mkdir("/d/new").code(), code);
    EXPECT_EQ(Create("/d/newf").code(), code);
    EXPECT_EQ(Rename("/d/f", "/d/g").code(), code);
    EXPECT_EQ(Delete(may ? "/d/g" : "/d/f").code(), code);
    caller = Superuser();
    if (may) ASSERT_THAT(Put("/d/f", {}), Succeeds());
    Delete("/d/new").IgnoreError();
    Delete("/d/newf").IgnoreError();
  }
}

TEST_F(PermissionsTest, RenameNeedsBothParents) {
  ASSERT_THAT(Mkdir("/other"), Succeeds());
  Mode("/other", 0777);
  caller = bob;
  EXPECT_THAT(Rename("/d/f", "/other/f"), Fails(kPermissionDenied, "/d "));
  ASSERT_THAT(Put("/other/b", {}), Succeeds());
  EXPECT_THAT(Rename("/other/b", "/d/b"), Fails(kPermissionDenied, "/d "));
}

TEST_F(PermissionsTest, StickyDirectoriesKeepOthersAway) {
  Mode("/d", 01777);
  caller = bob;
  ASSERT_THAT(Put("/d/bobs", {}), Succeeds());
  EXPECT_THAT(Delete("/d/f"), Fails(kPermissionDenied, "sticky"));
  EXPECT_THAT(Rename("/d/f", "/d/g"), Fails(kPermissionDenied, "sticky"));
  Mode("/d/f", 0666);
  caller = bob;
  EXPECT_THAT(Create("/d/f", true), Fails(kPermissionDenied, "sticky"));
  ASSERT_THAT(Create("/d/tmp"), Succeeds());
  const INodeId inode = IdOf("/d/tmp");
  EXPECT_THAT(Complete(inode, {}, "/d/f", true), Fails(kPermissionDenied, "sticky"));
  EXPECT_THAT(Rename("/d/bobs", "/d/bobs2"), Succeeds());
  caller = ann;  // owns the directory
  EXPECT_THAT(Delete("/d/bobs2"), Succeeds());
  caller = Superuser();
  EXPECT_THAT(Delete("/d/f"), Succeeds());
}

TEST_F(PermissionsTest, OverwritingNeedsW) {
  Mode("/d", 0777);
  Mode("/d/f", 0644);
  caller = cid;
  EXPECT_THAT(Create("/d/f", true), Fails(kPermissionDenied, "cid needs w on /d/f"));
  ASSERT_THAT(Create("/d/tmp"), Succeeds());
  EXPECT_THAT(Complete(IdOf("/d/tmp"), {}, "/d/f", true), Succeeds()) << "rename(2) needs none";
}

TEST_F(PermissionsTest, DeletingATreeNeedsAllOfItsDirectories) {
  Mode("/d", 0777);
  caller = bob;
  EXPECT_THAT(Delete("/d/sub", true), Fails(kPermissionDenied, "bob needs rwx on /d/sub "));
  EXPECT_THAT(Delete("/d/sub/deep"), Fails(kPermissionDenied));
  Mode("/d/sub", 0777);
  caller = bob;
  EXPECT_THAT(Delete("/d/sub", true), Succeeds()) << "deep is empty: its mode does not matter";
  ASSERT_THAT(Mkdir("/d/sub/s", true, 01777), Succeeds());
  caller = cid;
  ASSERT_THAT(Put("/d/sub/s/cids", {}), Succeeds());
}

TEST_F(PermissionsTest, StickySubdirectoriesCountInATree) {
  Mode("/d", 0777);
  caller = cid;
  ASSERT_THAT(Mkdir("/d/t/s", true, 0777), Succeeds());
  ASSERT_THAT(Chmod("/d/t/s", 01777), Succeeds());
  ASSERT_THAT(Chmod("/d/t", 0777), Succeeds());
  caller = ann;
  ASSERT_THAT(Put("/d/t/s/anns", {}), Succeeds());
  caller = bob;
  EXPECT_THAT(Delete("/d/t", true), Fails(kPermissionDenied, "sticky"));
  caller = cid;
  EXPECT_THAT(Delete("/d/t", true), Succeeds());
}

TEST_F(PermissionsTest, Attributes) {
  const auto set_times = [&](int64_t mtime, int64_t atime) {
    return Do(PlanSetTimes(state, caller, "/d/f", mtime, atime, facts));
  };
  const auto set_replication = [&](uint32_t n) {
    return Do(PlanSetReplication(state, caller, "/d/f", n, facts));
  };
  Mode("/d/f", 0464);
  caller = bob;
  EXPECT_THAT(set_times(1, 1), Fails(kPermissionDenied, "not the owner (ann)"));
  EXPECT_THAT(Chmod("/d/f", 0777), Fails(kPermissionDenied));
  EXPECT_THAT(Chown("/d/f", "", "staff"), Fails(kPermissionDenied));
  EXPECT_THAT(set_replication(2), Succeeds()) << "w through the group";
  caller = ann;
  EXPECT_THAT(set_replication(1), Fails(kPermissionDenied, "needs w"));
  EXPECT_THAT(Chown("/d/f", "bob"), Fails(kPermissionDenied, "superuser"));
  EXPECT_THAT(Chown("/d/f", "ann", "staff"), Succeeds());
  EXPECT_THAT(Chown("/d/f", "", "wheel"), Fails(kPermissionDenied, "group"));
  EXPECT_THAT(Chown("/d/f", "", ""), Fails(kInvalidArgument));
  EXPECT_THAT(Chmod("/d/f", 0600), Succeeds());
  EXPECT_THAT(Chmod("/d/f", 02000), Fails(kInvalidArgument, "1777"));
  EXPECT_THAT(set_times(5, -1), Succeeds());
  EXPECT_EQ(Stat("/d/f")->mtime_ms, 5);
  EXPECT_EQ(Stat("/d/f")->atime_ms, 2000);
  EXPECT_THAT(set_times(-2, 0), Fails(kInvalidArgument, "1970"));
  const TxId before = state.applied_txid();
  EXPECT_THAT(set_times(-1, -1), Succeeds());
  EXPECT_EQ(state.applied_txid(), before);
  EXPECT_THAT(set_replication(0), Fails(kInvalidArgument, "1 to 512"));
  EXPECT_THAT(Do(PlanSetReplication(state, caller, "/d", 1, facts)),
              Fails(kFailedPrecondition, "Is a directory"));
  caller = Superuser();
  EXPECT_THAT(Chown("/d/f", "cid", "domain users"), Succeeds());
  EXPECT_EQ(Stat("/d/f")->group, "domain users");
  EXPECT_THAT(Chown("/d/f", "a\nb"), Fails(kInvalidArgument, "control"));
  EXPECT_THAT(Chown("/d/f", std::string(256, 'o')), Fails(kInvalidArgument, "at most 255"));
}

}  // namespace
}  // namespace cairn::namenode
