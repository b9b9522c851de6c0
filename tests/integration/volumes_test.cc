// Disks that are added to and taken from DataNodes while files are written and read: no file
// notices, and administrators are told what they must know.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/node_fixture.h"
#include "tests/support/http_get.h"
#include "tests/support/sick_disk_control.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

class VolumesTest : public NodeTest {
 protected:
  // A directory for node `node`, which is not its first one.
  std::string DirOf(size_t node, const std::string& name = "more") {
    return cluster_->datanode(node).data_dir() + "-" + name;
  }
  CommandResult Volumes(size_t node, std::vector<std::string> args = {}) {
    args.insert(args.begin(), {"admin", "volumes", IdOf(node)});
    return cluster_->Cairn(std::move(args));
  }
  // Once more, as it says, while something on a busy disk does not end.
  CommandResult Remove(size_t node, std::vector<std::string> args) {
    args.insert(args.begin(), "--remove");
    CommandResult removed;
    EXPECT_TRUE(WaitUntil(kPatienceMs, [&] {
      removed = Volumes(node, args);
      return removed.err.find("remove it again") == std::string::npos;
    }));
    return removed;
  }
  // The NameNode knows these volumes of it, and nothing is wrong with the node.
  bool AwaitVolumes(size_t node, std::vector<std::string> paths) {
    return AwaitReport(node, [&](const nlohmann::json& report) {
      std::vector<std::string> have;
      for (const auto& volume : report.at("volumes")) have.push_back(volume.at("path"));
      return report.at("status") == "healthy" && have == paths;
    });
  }
};

TEST_F(VolumesTest, DisksComeAndGoUnderLoad) {
  StartCluster(4);
  const std::string first = cluster_->datanode(0).data_dir();
  const std::string more = DirOf(0);
  PutLoop writer(cluster_.get(), &dir_);
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return writer.written() >= 4; })) << writer.errors();

  // An empty disk: it is used, and the answer says what to do for it to last.
  const CommandResult added = Volumes(0, {"--add", more});
  ASSERT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(added.out, fmt::format("{} uses {} now, where it found 0 replicas\n"
                                   "add {} to --data-dir, or a restart forgets it\n",
                                   IdOf(0), more, more));
  ASSERT_TRUE(AwaitVolumes(0, {first, more})) << ReportOf(0).dump();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return FinalizedFiles(more).size() >= 3; }));
  const nlohmann::json listed = CairnJson(*cluster_, {"admin", "volumes", IdOf(0)});
  ASSERT_EQ(listed.at("volumes").size(), 2u) << listed.dump();
  EXPECT_EQ(listed.at("node_id"), IdOf(0));
  EXPECT_EQ(listed.at("volumes")[1].at("path"), more);
  EXPECT_GE(listed.at("volumes")[1].at("blocks"), 1);

  // The disk that it had goes, by force: something may be being written there.
  const CommandResult removed = Remove(0, {first, "--force"});
  ASSERT_EQ(removed.code, 0) << removed.err;
  EXPECT_THAT(removed.out, HasSubstr(fmt::format("take {} out of --data-dir", first)));
  ASSERT_TRUE(AwaitVolumes(0, {more})) << ReportOf(0).dump();
  EXPECT_FALSE(std::filesystem::exists(first + "/local.sock"));
  EXPECT_TRUE(
      WaitUntil(kPatienceMs, [&] { return std::filesystem::exists(more + "/local.sock"); }));
  const size_t then = writer.written();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return writer.written() > then + 3; }))
      << writer.errors();
  writer.Stop();
  EXPECT_EQ(writer.errors(), "");
  EXPECT_TRUE(AwaitHealthy()) << cluster_->Cairn({"admin", "health"}).out;
  CheckFiles(writer.written());
  EXPECT_EQ(ReportNumber(*cluster_, "missing_blocks"), 0);
  EXPECT_FALSE(FinalizedFiles(first).empty());  // its files stay

  // And it comes back: what it holds is counted again, and what is too much goes.
  const CommandResult back = Volumes(0, {"--add", first});
  ASSERT_EQ(back.code, 0) << back.err;
  ASSERT_TRUE(AwaitVolumes(0, {more, first})) << ReportOf(0).dump();
  EXPECT_TRUE(AwaitHealthy()) << cluster_->Cairn({"admin", "health"}).out;
  CheckFiles(writer.written());
  const absl::StatusOr<HttpReply> metrics =
      HttpGet(cluster_->datanode(0).Field("http"), "/metrics");
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_THAT(metrics->body, HasSubstr("cairn_datanode_volume_failed{path=\"" + more + "\"} 0"));

  // A restart goes by --data-dir again.
  ASSERT_TRUE(cluster_->datanode(0).Stop().ok());
  ASSERT_TRUE(cluster_->datanode(0).Start().ok());
  ASSERT_TRUE(AwaitVolumes(0, {first})) << ReportOf(0).dump();
  EXPECT_TRUE(AwaitHealthy()) << cluster_->Cairn({"admin", "health"}).out;
  CheckFiles(writer.written());
}

// One of two disks: syncs there take two seconds more.
TEST_F(VolumesTest, ASlowDiskIsFoundAndGetsNewReplicasLast) {
  const std::string slow = dir_ / "slow";
  const SickDisk disk(slow, dir_ / "sickness");
  disk.Make({.slow_syncs_ms = 2'000});
  const auto place = [&](const std::string& name) { return name == "dn0" ? disk.At() : Place(); };
  StartCluster(3, {.datanode_flags = {"--small-replica-max=0"}, .place = place});
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_EQ(Volumes(0, {"--add", slow}).code, 0);
  ASSERT_TRUE(AwaitVolumes(0, {cluster_->datanode(0).data_dir(), slow}));
  PutLoop writer(cluster_.get(), &dir_);
  const std::string reason = "volume " + slow + " is slow: ";
  ASSERT_TRUE(AwaitReport(0, [&](const nlohmann::json& report) {
    return report.at("reason").get<std::string>().starts_with(reason) &&
           report.at("status") == "degraded" && report.at("volumes")[0].at("slow") == false &&
           report.at("volumes")[1].at("slow") == true;
  })) << ReportOf(0).dump();
  EXPECT_THAT(Volumes(0).out, HasSubstr(" slow "));
  writer.Stop();
  EXPECT_EQ(writer.errors(), "");
  ASSERT_TRUE(AwaitHealthy());

  const size_t there = FinalizedFiles(slow).size();
  const size_t elsewhere = FinalizedFiles(cluster_->datanode(0)).size();
  EXPECT_GT(there, 0u);
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(cluster_->Cairn({"put", dir_ / "f1", fmt::format("/later{}", i)}).code, 0);
  }
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] {  // a busy machine may have cost a pipeline the node
    return FinalizedFiles(cluster_->datanode(0)).size() == elsewhere + 4;
  })) << FinalizedFiles(cluster_->datanode(0)).size();
  EXPECT_EQ(FinalizedFiles(slow).size(), there);
  CheckFiles(writer.written());
}

TEST_F(VolumesTest, WhatCannotBeDoneIsRefusedInOneLine) {
  StartCluster(3);
  const std::string first = cluster_->datanode(0).data_dir();
  const std::string other = cluster_->datanode(1).data_dir();
  const auto fails = [&](std::vector<std::string> args, int code, const std::string& message) {
    const CommandResult result = Volumes(0, args);
    EXPECT_EQ(result.code, code) << ::testing::PrintToString(args) << result.err;
    EXPECT_THAT(result.err, HasSubstr(message)) << ::testing::PrintToString(args);
    EXPECT_EQ(result.out, "") << ::testing::PrintToString(args);
    const bool one_line = std::count(result.err.begin(), result.err.end(), '\n') == 1;
    EXPECT_TRUE(one_line || code == 2) << result.err;
  };
  fails({"--add", "relative"}, 2, "is not absolute");
  fails({"--add", "/a", "--remove", "/b"}, 2, "one change at a time");
  fails({"--force"}, 2, "--force goes with --remove");
  fails({"--add", first}, 1, "a data directory of this node already");
  fails({"--add", first + "/current/below"}, 1, "lies within the data directory " + first);
  fails({"--add", other}, 1, "in use by a running daemon");
  fails({"--remove", "/no/such"}, 1, "/no/such: not a data directory of this node");
  fails({"--remove", first}, 1, "no other data directory of this node works");
  fails({"--remove", first, "--force"}, 1, "no other data directory of this node works");
  const CommandResult nobody = cluster_->Cairn({"admin", "volumes", "no-such-node"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("no DataNode is called 'no-such-node'"));

  // One who is no superuser may look, and no more.
  const std::string more = DirOf(0);
  const auto as_somebody = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {"--user", "somebody", "admin", "volumes", IdOf(0)});
    return cluster_->Cairn(std::move(args));
  };
  EXPECT_THAT(as_somebody({}).out, HasSubstr(first));
  for (const auto& args :
       std::vector<std::vector<std::string>>{{"--add", more}, {"--remove", first}}) {
    const CommandResult refused = as_somebody(args);
    EXPECT_EQ(refused.code, 1);
    EXPECT_EQ(refused.err,
              "cairn: admin volumes: Permission denied: user somebody is no superuser\n");
  }
  EXPECT_FALSE(std::filesystem::exists(more));

  // A replica that is being written keeps its disk, unless forced; then its writer goes on.
  ASSERT_EQ(Volumes(0, {"--add", more}).code, 0);
  ASSERT_TRUE(AwaitVolumes(0, {first, more}));
  const std::string content = RandomBytes(7, 6'000'000);
  SlowPut slow(cluster_.get(), {"-r", "3", "--block-size=64M", "--timeout=100s"}, "/slow");
  ASSERT_TRUE(slow.Feed(content.substr(0, 4'000'000)));
  std::string written;
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] {
    for (const std::string& dir : {first, more}) {
      if (!OpenFiles(dir).empty()) written = dir;
    }
    return !written.empty();
  }));
  fails({"--remove", written}, 1, "1 replica is being written there");
  const std::string rest = written == first ? more : first;
  const CommandResult idle = Volumes(0, {"--remove", rest});
  EXPECT_EQ(idle.code, 0) << idle.err;
  ASSERT_EQ(Volumes(0, {"--add", rest}).code, 0);
  ASSERT_TRUE(AwaitVolumes(0, {written, rest})) << ReportOf(0).dump();
  const CommandResult forced = Remove(0, {written, "--force", "--json"});
  EXPECT_EQ(forced.code, 0) << forced.err;
  EXPECT_EQ(nlohmann::json::parse(forced.out).at("volume").at("path"), written);
  ASSERT_TRUE(slow.Feed(content.substr(4'000'000)));
  const CommandResult put = slow.Finish();
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_TRUE(AwaitHealthy()) << cluster_->Cairn({"admin", "health"}).out;
  EXPECT_TRUE(cluster_->Cairn({"cat", "/slow"}).out == content);
}

}  // namespace
}  // namespace cairn::testing
