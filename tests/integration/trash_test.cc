// The trash over a whole cluster, and what the audit log has of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cli_fixture.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kHome = "/user/root";

class TrashTest : public CliTest {
 protected:
  static void SetUpTestSuite() {
    logs_ = std::make_unique<TempDir>();
    // Its next multiple, when all that is in the trash gets a name of that time, is in 2052.
    auto started = Cluster::Start(
        {.datanodes = 1,
         .namenode_flags = {"--trash-interval", "10000d", "--min-replicas", "1", "--replication",
                            "1", "--audit-log", *logs_ / "audit.log"},
         .datanode_flags = {"--reserved", "0"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }
  static void TearDownTestSuite() {
    CliTest::TearDownTestSuite();
    logs_.reset();
  }

  static CommandResult As(const std::string& user, std::vector<std::string> args) {
    args.insert(args.begin(), {"--user", user});
    return Run(std::move(args));
  }
  static bool There(const std::string& path) { return Run({"test", "-e", path}).code == 0; }
  static std::string InTrash(const std::string& path, const std::string& user = "root") {
    return "/user/" + user + "/.Trash/Current" + path;
  }

  static inline std::unique_ptr<TempDir> logs_;
};

TEST_F(TrashTest, WhatIsRemovedIsInTheTrashUnderItsPath) {
  Put("a b", "one");
  Must({"rm", At("a b")});
  EXPECT_FALSE(There(At("a b")));
  EXPECT_EQ(Must({"cat", InTrash(At("a b"))}), "one");
  EXPECT_EQ(MustJson({"stat", "--json", InTrash(base_)})["mode"], "0700");
  EXPECT_EQ(MustJson({"stat", "--json", "/user"})["mode"], "1777");

  Put("a b", "two");  // the name is taken: the time stands behind it
  Must({"rm", At("a b")});
  EXPECT_EQ(Must({"cat", InTrash(At("a b"))}), "one");
  EXPECT_EQ(MustJson({"ls", "--json", InTrash(base_)}).size(), 2u);

  Must({"mkdir", "-p", At("d/e")});
  Must({"rm", "-r", At("d")});
  EXPECT_TRUE(There(InTrash(At("d/e"))));
  MustFail({"rm", At("d")}, 1, "cairn: rm: " + At("d") + ": No such file or directory\n");
  Must({"rm", "-f", At("d")});
}

TEST_F(TrashTest, AFileInTheWayOfADirectoryGetsOutOfIt) {
  Must({"touch", At("x")});
  Must({"rm", At("x")});
  Must({"mkdir", At("x")});
  Must({"touch", At("x/y")});
  Must({"rm", At("x/y")});
  const Json entries = MustJson({"ls", "--json", InTrash(base_)});
  ASSERT_EQ(entries.size(), 2u);  // the file x, and the directory x<time>
  EXPECT_EQ(entries[1]["type"], "directory");
  EXPECT_TRUE(There(entries[1]["path"].get<std::string>() + "/y"));
}

TEST_F(TrashTest, SkipTrashAndWhatIsInTheTrashAreDeleted) {
  Must({"touch", At("a"), At("b")});
  Must({"rm", "--skip-trash", At("a")});
  EXPECT_FALSE(There(InTrash(At("a"))));
  Must({"rm", At("b")});
  Must({"rm", InTrash(At("b"))});
  EXPECT_FALSE(There(InTrash(At("b"))));
  EXPECT_FALSE(There(InTrash(InTrash(At("b")))));
}

TEST_F(TrashTest, WhatContainsTheTrashIsRefused) {
  Must({"touch", At("a")});
  Must({"rm", At("a")});
  for (const std::string& path : {std::string("/user"), kHome}) {
    MustFail({"rm", "-r", path}, 1,
             fmt::format("cairn: rm: {}: cannot be moved to the trash: it contains the trash, "
                         "{}/.Trash; --skip-trash deletes it for good\n",
                         path, kHome));
  }
  EXPECT_TRUE(There(InTrash(At("a"))));
}

TEST_F(TrashTest, UsersHaveTrashOfTheirOwn) {
  Must({"chmod", "1777", base_});
  EXPECT_EQ(As("alice", {"touch", At("a")}).code, 0);
  EXPECT_EQ(As("alice", {"rm", At("a")}).err, "");
  EXPECT_TRUE(There(InTrash(At("a"), "alice")));
  EXPECT_THAT(As("bob", {"ls", InTrash(base_, "alice")}).err, HasSubstr("Permission denied"));
}

TEST_F(TrashTest, ATrashOfSomebodyElsesIsNotUsed) {
  Must({"mkdir", "-p", "/user/carol/.Trash/Current"});
  Must({"chmod", "-R", "777", "/user/carol"});
  Must({"chmod", "1777", base_});
  EXPECT_EQ(As("carol", {"touch", At("a")}).code, 0);
  const CommandResult result = As("carol", {"rm", At("a")});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err,
            fmt::format("cairn: rm: {}: cannot be moved to the trash: Permission denied: "
                        "/user/carol/.Trash belongs to root; --skip-trash deletes it for good\n",
                        At("a")));
  EXPECT_TRUE(There(At("a")));
}

TEST_F(TrashTest, ExpungeMakesACheckpointAndImmediatelyDeletesAll) {
  Must({"touch", At("a")});
  Must({"rm", At("a")});
  Must({"expunge"});
  const Json entries = MustJson({"ls", "--json", kHome + "/.Trash"});
  ASSERT_EQ(entries.size(), 1u);  // a checkpoint
  EXPECT_TRUE(There(entries[0]["path"].get<std::string>() + At("a")));
  Must({"touch", At("b")});
  Must({"rm", At("b")});
  Must({"expunge", "--immediate"});
  EXPECT_EQ(MustJson({"ls", "--json", kHome + "/.Trash"}).size(), 0u);
  Must({"expunge"});
}

TEST_F(TrashTest, TheAuditLogHasItAll) {
  Must({"touch", At("a")});
  EXPECT_EQ(As("mallory", {"rm", At("a")}).code, 1);
  Must({"rm", At("a")});
  const std::string moved =
      fmt::format(" ugi=root ip=127.0.0.1 cmd=rename src={} dst={} perm=root:supergroup:0644\n",
                  At("a"), InTrash(At("a")));
  std::string text;
  EXPECT_TRUE(WaitUntil(60'000, [&] {  // lines follow their calls
    text = ReadWholeFile(*logs_ / "audit.log");
    return text.find(moved) != std::string::npos;
  })) << text;
  EXPECT_THAT(text, HasSubstr("allowed=false ugi=mallory ip=127.0.0.1 cmd=rename src=" + At("a")));
}

TEST(TrashEmptierTest, TheNameNodeEmptiesTheTrash) {
  auto started = Cluster::Start({.datanodes = 0, .namenode_flags = {"--trash-interval", "1s"}});
  ASSERT_TRUE(started.ok()) << started.status();
  Cluster& cluster = **started;
  ASSERT_EQ(cluster.Cairn({"mkdir", "-p", "/a/b"}).code, 0);
  ASSERT_EQ(cluster.Cairn({"rm", "-r", "/a"}).code, 0);
  CommandResult listed;
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    listed = cluster.Cairn({"ls", kHome + "/.Trash"});
    return listed.code != 0 || listed.out.empty();
  })) << listed.out;
  EXPECT_EQ(listed.code, 0) << listed.err;
}

}  // namespace
}  // namespace cairn::testing
