// Disks that were set back: a DataNode or a NameNode restored from an older copy of its directory
// (P3, P6). Old replicas are never read, and an old NameNode harms nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/cluster_view.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr size_t kMiB = 1 << 20;

class RestoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = Cluster::Start(
        {.datanodes = 3,
         .namenode_flags = {"--block-size=1M", "--heartbeat-interval=300ms", "--stale-after=1500ms",
                            "--dead-after=5s", "--redundancy-interval=300ms"},
         .datanode_flags = {"--reserved=0"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }

  void Must(std::vector<std::string> args) {
    const CommandResult result = cluster_->Cairn(args);
    ASSERT_EQ(result.code, 0) << ::testing::PrintToString(args) << ": " << result.err;
  }
  void Put(const std::string& path, const std::string& content) {
    WriteWholeFile(dir_ / "local", content);
    Must({"put", "-f", dir_ / "local", path});
  }
  void ExpectContent(const std::string& path, const std::string& content) {
    const CommandResult got = cluster_->Cairn({"cat", path});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_TRUE(got.out == content) << path << " has other bytes";
  }
  void AwaitHealth() {
    EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
        << cluster_->Cairn({"admin", "health"}).out;
  }

  // The daemon's directory as it is now; it must not run.
  void Save(Daemon& daemon) {
    std::filesystem::remove(daemon.data_dir() + "/local.sock");  // no file that could be copied
    std::filesystem::copy(daemon.data_dir(), dir_ / "copy",
                          std::filesystem::copy_options::recursive);
  }
  void Restore(Daemon& daemon) {
    std::filesystem::remove_all(daemon.data_dir());
    std::filesystem::rename(dir_ / "copy", daemon.data_dir());
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(RestoreTest, ReplicasOfAnOlderDataNodeAreNotReadAndGo) {
  const std::string grown = RandomBytes(1, kMiB + 300'000);
  const std::string cut = RandomBytes(2, 2 * kMiB);
  const std::string kept = RandomBytes(3, kMiB);
  Put("/grown", grown);
  Put("/cut", cut);
  Put("/kept", kept);
  Put("/gone", kept);
  Put("/replaced", kept);
  Daemon& node = cluster_->datanode(0);
  node.Kill();
  Save(node);
  ASSERT_TRUE(node.Start().ok());
  AwaitHealth();

  const std::string more = RandomBytes(4, 200'001);
  WriteWholeFile(dir_ / "more", more);
  Must({"append", dir_ / "more", "/grown"});
  Must({"truncate", "-s", "1500000", "/cut"});
  Must({"rm", "/gone"});
  Put("/replaced", cut);
  AwaitHealth();

  node.Kill();
  Restore(node);
  ASSERT_TRUE(node.Start().ok());
  // At once, and as long as the old replicas are there.
  for (int i = 0; i < 10; ++i) {
    ExpectContent("/grown", grown + more);
    ExpectContent("/cut", cut.substr(0, 1'500'000));
    ExpectContent("/kept", kept);
    ExpectContent("/replaced", cut);
  }
  AwaitHealth();
  // Blocks: 2 of grown, 2 of cut, 1 of kept, 2 of replaced; three replicas of each, none too many.
  EXPECT_TRUE(WaitUntil(240'000, [&] { return CountFinalized(*cluster_) == 21; }))
      << CountFinalized(*cluster_);
  const auto names_at = [&](size_t node) {
    std::set<std::string> names;
    for (const std::string& file : FinalizedFiles(cluster_->datanode(node))) {
      names.insert(std::filesystem::path(file).filename());
    }
    return names;
  };
  EXPECT_TRUE(WaitUntil(240'000, [&] { return names_at(0) == names_at(1); }));
  for (size_t i = 1; i < 3; ++i) cluster_->datanode(i).Kill();  // from the restored one alone
  ExpectContent("/grown", grown + more);
  ExpectContent("/cut", cut.substr(0, 1'500'000));
  ExpectContent("/replaced", cut);
}

TEST_F(RestoreTest, AnOlderNameNodeHarmsNothingAndGoesOnWhenTold) {
  const std::string before = RandomBytes(5, kMiB);
  const std::string after = RandomBytes(6, 2 * kMiB);
  Put("/before", before);
  Daemon& namenode = cluster_->namenode();
  ASSERT_TRUE(namenode.Stop().ok());
  Save(namenode);
  ASSERT_TRUE(namenode.Start().ok());
  ASSERT_TRUE(cluster_->AwaitSafeModeOff().ok());
  Put("/after", after);
  AwaitHealth();
  ASSERT_EQ(CountFinalized(*cluster_), 9u);

  namenode.Kill();
  Restore(namenode);
  ASSERT_TRUE(namenode.Start().ok());
  ASSERT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "nodes_healthy") == 3; }));
  EXPECT_EQ(cluster_->Cairn({"admin", "safe-mode", "get"}).out, "on\n");
  ExpectContent("/before", before);
  EXPECT_NE(cluster_->Cairn({"put", "--timeout=2s", dir_ / "local", "/new"}).code, 0);
  EXPECT_NE(cluster_->Cairn({"admin", "safe-mode", "leave"}).code, 0);
  EXPECT_EQ(CountFinalized(*cluster_), 9u) << "it deleted what it does not know";

  ASSERT_TRUE(namenode.Stop().ok());
  namenode.flags().push_back("--accept-older-journal");
  ASSERT_TRUE(namenode.Start().ok());
  ASSERT_TRUE(cluster_->AwaitSafeModeOff().ok());
  ExpectContent("/before", before);
  Put("/new", after);
  ExpectContent("/new", after);
  EXPECT_NE(cluster_->Cairn({"test", "-e", "/after"}).code, 0);
  EXPECT_GE(CountFinalized(*cluster_), 15u) << "replicas of the lost range were deleted";
}

}  // namespace
}  // namespace cairn::testing
