// cairn bench put|get|preads|pipeline|smallfiles, tiny, over a real cluster and one of their own:
// what they print, and that they leave nothing behind.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "tests/integration/cli_fixture.h"

namespace cairn::testing {
namespace {

namespace stdfs = std::filesystem;

class CliBenchTransferTest : public CliTest {
 protected:
  // `bench NAME` in this test's folder, two rounds.
  std::vector<std::string> Bench(const std::string& name, std::vector<std::string> more) const {
    std::vector<std::string> args = {"bench", name, "--rounds", "2", "--dir", local_.path()};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  std::vector<std::string> Here(const std::string& name, std::vector<std::string> more) const {
    more.insert(more.end(), {"--json", "--cluster-dir", At("bench")});
    return Bench(name, std::move(more));
  }
  // Rows by variant; each with all public fields, and plausible.
  std::map<std::string, Json> Rows(std::vector<std::string> args, const std::string& name) {
    std::map<std::string, Json> rows;
    for (const Json& row : MustJson(std::move(args))) {
      for (const char* field :
           {"name", "variant", "bytes", "ops", "seconds", "gb_per_s", "ops_per_s", "p50_us",
            "p99_us", "cpu_s_per_gb", "baseline", "ratio", "baseline_cpu_s_per_gb", "cpu_of"}) {
        EXPECT_TRUE(row.contains(field) && !row[field].is_null()) << field << " of " << row;
      }
      for (const char* field : {"gb_per_s", "ops_per_s", "cpu_s_per_gb", "baseline", "ratio"}) {
        EXPECT_LE(row[std::string(field) + "_min"], row[field]) << row;
        EXPECT_LE(row[field], row[std::string(field) + "_max"]) << row;
      }
      EXPECT_EQ(row["name"], name);
      EXPECT_LE(row["p50_us"], row["p99_us"]) << row;
      rows[row["variant"]] = row;
    }
    return rows;
  }
  void ExpectNothingLeft() {
    EXPECT_EQ(Must({"ls", base_}), "");
    EXPECT_TRUE(stdfs::is_empty(local_.path()));
  }
};

TEST_F(CliBenchTransferTest, Put) {
  // Three blocks and the beginning of a chunk.
  auto rows = Rows(Here("put", {"--size", "2500001", "--consistency", "strong,weak"}), "put");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows["strong"]["bytes"], 2 * 2'500'001);
  EXPECT_EQ(rows["weak"]["ops"], 2);
  EXPECT_EQ(rows["weak"]["cpu_of"], "client");
  ExpectNothingLeft();
}

TEST_F(CliBenchTransferTest, Pipeline) {
  auto rows = Rows(Here("pipeline", {"--size", "3000001", "-r", "2"}), "pipeline");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows["strong"]["bytes"], 2 * 3'000'001);
  ExpectNothingLeft();
}

TEST_F(CliBenchTransferTest, Get) {
  auto rows = Rows(Here("get", {"--size", "2500001", "-r", "1"}), "get");
  EXPECT_EQ(rows["warm"]["bytes"], 2 * 2'500'001);
  EXPECT_EQ(rows["warm"]["ops"], 2);
  // A round counts when the node had the time to pass its files.
  EXPECT_TRUE(WaitUntil(240'000, [&] {
    if (rows.count("local") == 0) rows = Rows(Here("get", {"--size", "1M", "-r", "1"}), "get");
    return rows.count("local") == 1;
  }));
  EXPECT_GE(rows["local"]["ops"], 1);
  rows = Rows(Here("get", {"--size", "100K", "-r", "1", "--no-short-circuit"}), "get");
  EXPECT_EQ(rows.size(), 1u);
  ExpectNothingLeft();
}

TEST_F(CliBenchTransferTest, PReads) {
  auto rows = Rows(
      Here("preads", {"--size", "2500001", "--piece", "5000", "--reads", "101", "--callers", "3"}),
      "preads");
  ASSERT_EQ(rows.size(), 2u);
  for (const char* variant : {"callers=1", "callers=3"}) {
    EXPECT_EQ(rows[variant]["ops"], 101);
    EXPECT_EQ(rows[variant]["bytes"], 101 * 5'000);
    EXPECT_LE(rows[variant]["hedge_won"], rows[variant]["hedged"]);
  }
  ExpectNothingLeft();
}

TEST_F(CliBenchTransferTest, SmallFiles) {
  auto rows =
      Rows(Here("smallfiles", {"--files", "21", "--size", "10K", "--callers", "4"}), "smallfiles");
  ASSERT_EQ(rows.size(), 2u);
  for (const char* variant : {"put callers=4", "get callers=4"}) {
    EXPECT_EQ(rows[variant]["bytes"], 21 * 10'240);
    EXPECT_EQ(rows[variant]["ops"], 21);
  }
  ExpectNothingLeft();
}

TEST_F(CliBenchTransferTest, ATableOnAClusterOfItsOwn) {
  const std::string table =
      Must(Bench("put", {"--own-cluster", "--datanodes", "2", "-r", "2", "--size", "100K"}));
  EXPECT_TRUE(table.starts_with("operation")) << table;
  EXPECT_NE(table.find("\nput        strong"), std::string::npos) << table;
  EXPECT_NE(table.find("\nput        eventual"), std::string::npos) << table;
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3) << table;
  EXPECT_NE(table.find("  all\n"), std::string::npos) << table;
  ExpectNothingLeft();
}

TEST_F(CliBenchTransferTest, AnInterruptCleansUp) {
  for (const std::string name : {"put", "get", "smallfiles"}) {
    std::vector<std::string> args = Bench(name, {"--cluster-dir", At("bench"), "--rounds", "1000"});
    if (name == "smallfiles") {
      args.insert(args.end(), {"--files", "100K", "--size", "10K"});
    } else {
      args.insert(args.end(), {"--size", "8M"});
    }
    auto process = cluster_->StartCairn(args);
    ASSERT_TRUE(process.ok()) << process.status();
    ASSERT_TRUE(WaitUntil(60'000, [&] {
      return !Run({"find", base_, "-name", "f*"}).out.empty();
    }));
    (*process)->Signal(SIGINT);
    const auto state = (*process)->Wait(60'000);
    ASSERT_TRUE(state.has_value()) << name;
    EXPECT_EQ(state->code, 130) << name;
    ExpectNothingLeft();
  }
}

// Processes whose command line names `text`.
int ProcessesWith(const std::string& text) {
  int count = 0;
  for (const auto& entry : stdfs::directory_iterator("/proc")) {
    if (ReadWholeFile(entry.path() / "cmdline").find(text) != std::string::npos) ++count;
  }
  return count;
}

TEST_F(CliBenchTransferTest, ColdReadsOnAClusterOfItsOwn) {
  auto rows = Rows(
      Bench("get", {"--own-cluster", "--datanodes", "1", "-r", "1", "--size", "1500001", "--json"}),
      "get");
  EXPECT_EQ(rows["cold"]["bytes"], 2 * 1'500'001);
  EXPECT_EQ(rows["cold"]["cpu_of"], "all");
  EXPECT_GT(rows["cold"]["ratio"], 0);
  ExpectNothingLeft();
}

TEST_F(CliBenchTransferTest, AnInterruptEndsItsOwnCluster) {
  auto process =
      cluster_->StartCairn(Bench("put", {"--own-cluster", "--size", "8M", "--rounds", "1000"}));
  ASSERT_TRUE(process.ok()) << process.status();
  // The benchmark itself and four daemons.
  ASSERT_TRUE(WaitUntil(60'000, [&] { return ProcessesWith(local_.path()) == 5; }));
  (*process)->Signal(SIGINT);
  const auto state = (*process)->Wait(60'000);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->code, 130);
  EXPECT_EQ(ProcessesWith(local_.path()), 0);
  EXPECT_TRUE(stdfs::is_empty(local_.path()));
}

TEST_F(CliBenchTransferTest, AFailureCleansUp) {
  // The baseline's folder is a file.
  const std::string file = Local("file", "");
  const CommandResult result =
      Run({"bench", "smallfiles", "--cluster-dir", At("bench"), "--dir", file, "--files", "5"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err, "cairn: bench smallfiles: " + file + ": Not a directory\n");
  EXPECT_EQ(Must({"ls", base_}), "");
}

TEST_F(CliBenchTransferTest, WrongUsage) {
  const std::string help = "; see cairn bench put --help\n";
  MustFail({"bench", "put", "--size", "0"}, 2, "cairn: bench put: --size must be above 0" + help);
  MustFail({"bench", "put", "--consistency", "fast"}, 2,
           "cairn: bench put: --consistency fast: not one of strong, eventual, weak" + help);
  MustFail({"bench", "put", "--datanodes", "3"}, 2,
           "cairn: bench put: --datanodes is for --own-cluster" + help);
  MustFail({"bench", "put", "--own-cluster", "--datanodes", "2"}, 2,
           "cairn: bench put: -r 3 needs --datanodes 3 or more" + help);
  MustFail({"bench", "put", "--cluster-dir", "/"}, 2,
           "cairn: bench put: --cluster-dir must not be /; name a directory to be used" + help);
  MustFail(
      {"bench", "put", "--own-cluster", "--cluster-dir", "cairn://other/a"}, 2,
      "cairn: bench put: unknown cluster other; client.toml needs a table [clusters.other]" + help);
  MustFail({"bench", "preads", "--size", "1K"}, 2,
           "cairn: bench preads: --piece must be above 0 and at most --size and 64M; see cairn "
           "bench preads --help\n");
  MustFail({"bench", "preads", "--reads", "0"}, 2,
           "cairn: bench preads: --reads must be above 0; see cairn bench preads --help\n");
  MustFail({"bench", "smallfiles", "--files", "0"}, 2,
           "cairn: bench smallfiles: --files must be above 0; see cairn bench smallfiles --help\n");
}

}  // namespace
}  // namespace cairn::testing
