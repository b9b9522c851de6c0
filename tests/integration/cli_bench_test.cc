// cairn bench over a real cluster: what it prints, and that it leaves nothing behind.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <utility>

#include "tests/integration/cli_fixture.h"

namespace cairn::testing {
namespace {

using CliBenchTest = CliTest;

TEST_F(CliBenchTest, MetadataHasARowForEachOperationAndVariant) {
  const Json rows = MustJson({"bench", "metadata", "--json", "--files", "50", "--callers", "1,4",
                              "--processes", "2", "--dir", At("new"), "--sync-dir", local_.path()});
  std::set<std::pair<std::string, std::string>> seen;
  for (const Json& row : rows) {
    for (const char* name : {"name", "variant", "bytes", "ops", "seconds", "gb_per_s", "ops_per_s",
                             "p50_us", "p99_us", "cpu_s_per_gb", "baseline", "ratio"}) {
      EXPECT_TRUE(row.contains(name)) << name;
    }
    EXPECT_EQ(row["ops"], row["name"] == "list" ? 5 : 50) << row;
    EXPECT_GT(row["ops_per_s"], 0) << row;
    EXPECT_GT(row["baseline"], 0) << row;
    EXPECT_LE(row["p50_us"], row["p99_us"]) << row;
    seen.emplace(row["name"], row["variant"]);
  }
  EXPECT_EQ(rows.size(), 18u);
  EXPECT_EQ(seen.size(), 18u);
  EXPECT_TRUE(seen.contains({"rename", "processes=2"}));
  // Neither in the cluster nor on the local disk.
  EXPECT_EQ(Must({"ls", base_}), "");
  EXPECT_TRUE(std::filesystem::is_empty(local_.path()));
}

TEST_F(CliBenchTest, MetadataOfCallersThatAreNoThreads) {
  const Json rows =
      MustJson({"bench", "metadata", "--json", "--async", "--files", "200", "--callers", "1,64",
                "--dir", At("new"), "--sync-dir", local_.path()});
  std::set<std::pair<std::string, std::string>> seen;
  for (const Json& row : rows) {
    EXPECT_EQ(row["ops"], row["name"] == "list" ? 20 : 200) << row;
    EXPECT_GT(row["ops_per_s"], 0) << row;
    EXPECT_GT(row["baseline"], 0) << row;
    EXPECT_LE(row["p50_us"], row["p99_us"]) << row;
    seen.emplace(row["name"], row["variant"]);
  }
  EXPECT_EQ(seen.size(), 12u);
  EXPECT_TRUE(seen.contains({"create", "callers=64 async"}));
  EXPECT_EQ(Must({"ls", base_}), "");
}

TEST_F(CliBenchTest, MetadataDoesWhatAnOperationNeedsAndShowsATable) {
  Must({"mkdir", At("kept")});
  const std::string table =
      Must({"bench", "metadata", "--files", "20", "--callers", "2", "--operations",
            "delete,create-block", "--dir", At("kept"), "--sync-dir", local_.path()});
  EXPECT_TRUE(table.starts_with("operation")) << table;
  EXPECT_NE(table.find("\ncreate-block   callers=2"), std::string::npos) << table;
  EXPECT_NE(table.find("\ndelete         callers=2"), std::string::npos) << table;
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3) << table;
  // A folder that was there stays, and is empty again.
  EXPECT_EQ(Must({"ls", base_}), "kept\n");
  EXPECT_EQ(Must({"ls", At("kept")}), "");
}

TEST_F(CliBenchTest, AnInterruptCleansUp) {
  const std::vector<std::vector<std::string>> kinds = {
      {"--callers", "2"}, {"--processes", "2"}, {"--async"}};
  for (const std::vector<std::string>& callers : kinds) {
    std::vector<std::string> args = {"bench",        "metadata",   "--files", "1M",
                                     "--operations", "create",     "--dir",   At("bench"),
                                     "--sync-dir",   local_.path()};
    args.insert(args.end(), callers.begin(), callers.end());
    auto process = cluster_->StartCairn(args);
    ASSERT_TRUE(process.ok()) << process.status();
    ASSERT_TRUE(WaitUntil(60'000, [&] { return !Must({"find", base_, "-name", "f*"}).empty(); }));
    (*process)->Signal(SIGINT);
    const auto state = (*process)->Wait(60'000);
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->code, 130);
    EXPECT_EQ(Must({"ls", base_}), "");
  }
}

TEST_F(CliBenchTest, WrongUsage) {
  const std::string names = "bench needs one of metadata, put, get, preads, pipeline, smallfiles";
  MustFail({"bench"}, 2, "cairn: " + names + "; see cairn --help\n");
  MustFail({"bench", "fly"}, 2,
           "cairn: unknown command 'bench fly'; " + names + "; see cairn --help\n");
  MustFail({"bench", "metadata", "--callers", "0"}, 2,
           "cairn: bench metadata: --callers 0: not a number from 1 to 1024; see cairn bench "
           "metadata --help\n");
  MustFail({"bench", "metadata", "--operations", "fly"}, 2,
           "cairn: bench metadata: --operations fly: not one of mkdir, create, create-block, "
           "getFileInfo, list, rename, delete; see cairn bench metadata --help\n");
  MustFail({"bench", "metadata", "--async", "--processes", "2"}, 2,
           "cairn: bench metadata: --async is for callers of one process; leave --processes out; "
           "see cairn bench metadata --help\n");
  MustFail({"bench", "metadata", "--async", "--operations", "create-block"}, 2,
           "cairn: bench metadata: --operations create-block: not with --async; see cairn bench "
           "metadata --help\n");
  const CommandResult no_disk = Run({"bench", "metadata", "--sync-dir", local_ / "none"});
  EXPECT_EQ(no_disk.code, 1);
  EXPECT_NE(no_disk.err.find("No such file"), std::string::npos) << no_disk.err;
}

}  // namespace
}  // namespace cairn::testing
