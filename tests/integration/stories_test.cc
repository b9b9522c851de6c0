// A cluster's life as its users see it: nodes, racks and disks fail, files stay.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/cluster_view.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr int64_t kPatienceMs = 240'000;

class StoriesTest : public ::testing::Test {
 protected:
  void Start(int datanodes, std::vector<std::string> more_namenode_flags,
             std::vector<std::string> datanode_flags = {"--reserved=0"}) {
    Cluster::Options options{.datanodes = datanodes,
                             .namenode_flags = {"--heartbeat-interval=300ms", "--stale-after=5s",
                                                "--dead-after=8s", "--slow-node-threshold=0"},
                             .datanode_flags = std::move(datanode_flags)};
    for (std::string& flag : more_namenode_flags) options.namenode_flags.push_back(std::move(flag));
    auto started = Cluster::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }
  CommandResult Put(const std::string& path, const std::string& content,
                    std::vector<std::string> flags = {}) {
    std::vector<std::string> args{"put"};
    args.insert(args.end(), flags.begin(), flags.end());
    WriteWholeFile(dir_ / "source", content);
    args.insert(args.end(), {dir_ / "source", path});
    CommandResult put = cluster_->Cairn(args);
    if (put.code == 0) files_[path] = content;
    return put;
  }
  void CheckFiles() {
    for (const auto& [path, content] : files_) {
      const CommandResult got = cluster_->Cairn({"cat", path});
      EXPECT_EQ(got.code, 0) << got.err;
      EXPECT_TRUE(got.out == content) << path;
    }
  }
  double Score() {
    const nlohmann::json health = CairnJson(*cluster_, {"admin", "health"});
    return health.is_discarded() ? -1 : health.at("replication_health_score").get<double>();
  }
  bool AwaitNodes(const std::string& key, int64_t count) {
    return WaitUntil(kPatienceMs, [&] { return ReportNumber(*cluster_, key) == count; });
  }
  std::string Report() { return cluster_->Cairn({"admin", "report"}).out; }
  // Indices of the DataNodes with a replica of the file.
  std::set<size_t> Holders(const std::string& path) {
    std::set<std::string> ids;
    for (const auto& block : CairnJson(*cluster_, {"locations", path})) {
      for (const auto& node : block.at("nodes")) ids.insert(node.at("id").get<std::string>());
    }
    std::set<size_t> holders;
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      if (ids.count(cluster_->datanode(i).Field("id")) > 0) holders.insert(i);
    }
    return holders;
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
  std::map<std::string, std::string> files_;
};

TEST_F(StoriesTest, FourNodesOneFailsAndTheOthersAreBalanced) {
  Start(4, {"--block-size=1M", "--redundancy-interval=300ms"}, {"--reserved=0", "--capacity=64M"});
  ASSERT_EQ(Put("/first", RandomBytes(1, 7'000'000)).code, 0);
  ASSERT_EQ(Put("/second", RandomBytes(2, 9'500'000), {"-r", "2"}).code, 0);
  const size_t failed = *Holders("/first").begin();
  cluster_->datanode(failed).Kill();
  CheckFiles();
  ASSERT_TRUE(AwaitNodes("nodes_failed", 1)) << Report();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return IsHealthy(*cluster_); })) << Report();
  EXPECT_EQ(Holders("/first").count(failed), 0u);
  // It comes back empty: a new disk.
  std::filesystem::remove_all(cluster_->datanode(failed).data_dir());
  ASSERT_TRUE(cluster_->datanode(failed).Start().ok());
  ASSERT_TRUE(AwaitNodes("nodes_healthy", 4)) << Report();
  const CommandResult balanced =
      cluster_->Cairn({"admin", "balance", "--threshold", "5", "--wait"});
  EXPECT_EQ(balanced.code, 0) << balanced.err << Report();
  const std::string id = cluster_->datanode(failed).Field("id");
  for (const auto& node : CairnJson(*cluster_, {"admin", "nodes"})) {
    if (node.at("id") == id) EXPECT_GT(node.at("used_bytes"), 0) << Report();
  }
  CheckFiles();
}

TEST_F(StoriesTest, SixNodesTwoFailAndAnAdministratorRepairs) {
  // No round of repairs comes by itself.
  Start(6, {"--redundancy-interval=1h"});
  ASSERT_EQ(Put("/ten", RandomBytes(3, 10 << 20), {"--block-size", "1M"}).code, 0);
  EXPECT_EQ(CairnJson(*cluster_, {"locations", "/ten"}).size(), 10u);
  // A busy machine may have cost a pipeline a node.
  const auto repaired = [&] {
    EXPECT_EQ(cluster_->Cairn({"admin", "repair"}).code, 0);
    return Score() == 100;
  };
  ASSERT_TRUE(WaitUntil(kPatienceMs, repaired)) << Report();
  const std::set<size_t> holders = Holders("/ten");
  ASSERT_GE(holders.size(), 3u);
  cluster_->datanode(*holders.begin()).Kill();
  cluster_->datanode(*std::next(holders.begin())).Kill();
  ASSERT_TRUE(AwaitNodes("nodes_failed", 2)) << Report();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return Score() < 100 && Score() >= 0; })) << Report();
  CheckFiles();
  // What a round orders may be lost with a heartbeat's answer: as an administrator would, again.
  ASSERT_TRUE(WaitUntil(kPatienceMs, repaired)) << Report();
  CheckFiles();
  EXPECT_EQ(cluster_->Cairn({"fsck", "/"}).code, 0);
}

TEST_F(StoriesTest, ARackFails) {
  Start(0, {"--block-size=1M", "--redundancy-interval=300ms"});
  for (const char* rack : {"/r/a", "/r/a", "/r/b", "/r/b", "/r/c", "/r/c"}) {
    ASSERT_TRUE(cluster_->AddDataNode({fmt::format("--rack={}", rack)}).ok());
  }
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(Put(fmt::format("/f{}", i), RandomBytes(i + 1, 3'000'000), {"-r", "2"}).code, 0);
  }
  const auto racks_of = [](const nlohmann::json& block) {
    std::set<std::string> racks;
    for (const auto& node : block.at("nodes")) racks.insert(node.at("rack").get<std::string>());
    return racks;
  };
  // Replicas of one rack are moved apart, should a busy machine have left no choice.
  for (const auto& [path, content] : files_) {
    ASSERT_TRUE(WaitUntil(kPatienceMs, [&, path = path] {
      const auto blocks = CairnJson(*cluster_, {"locations", path});
      return std::all_of(blocks.begin(), blocks.end(),
                         [&](const auto& block) { return racks_of(block).size() == 2; });
    })) << path;
  }
  cluster_->datanode(0).Kill();
  cluster_->datanode(1).Kill();
  CheckFiles();  // each has a replica in another rack
  ASSERT_EQ(Put("/meanwhile", RandomBytes(9, 2'000'000)).code, 0);
  ASSERT_TRUE(AwaitNodes("nodes_failed", 2)) << Report();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return IsHealthy(*cluster_); })) << Report();
  for (const auto& [path, content] : files_) {
    EXPECT_TRUE(WaitUntil(kPatienceMs, [&, path = path] {
      const auto blocks = CairnJson(*cluster_, {"locations", path});
      return std::all_of(blocks.begin(), blocks.end(), [&](const auto& block) {
        return racks_of(block) == std::set<std::string>{"/r/b", "/r/c"};
      });
    })) << path;
  }
  CheckFiles();
}

TEST_F(StoriesTest, AFullNodeIsPassedOver) {
  Start(3, {"--block-size=1M", "--redundancy-interval=300ms"});
  // Room for two blocks.
  ASSERT_TRUE(cluster_->AddDataNode({"--capacity=2M"}).ok());
  for (int i = 0; i < 6; ++i) {
    const CommandResult put = Put(fmt::format("/f{}", i), RandomBytes(i + 1, 3'300'000));
    ASSERT_EQ(put.code, 0) << put.err;
  }
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return IsHealthy(*cluster_); })) << Report();
  for (const auto& node : CairnJson(*cluster_, {"admin", "nodes"})) {
    // Room is given out by the bytes of blocks; their checksums, 4 bytes for 4 KiB, come on top.
    const auto capacity = node.at("capacity_bytes").get<double>();
    EXPECT_LE(node.at("used_bytes").get<double>(), capacity * 1.01) << node.dump();
  }
  CheckFiles();
}

TEST_F(StoriesTest, ANodeThatFlapsDisturbsNobody) {
  Start(4, {"--block-size=1M", "--redundancy-interval=300ms"});
  std::atomic<bool> stopping{false};
  std::thread flapping([&] {
    Daemon& node = cluster_->datanode(0);
    while (!stopping) {
      node.Kill();
      EXPECT_TRUE(node.Start().ok());
    }
  });
  for (int i = 0; i < 12; ++i) {
    const CommandResult put = Put(fmt::format("/f{}", i), RandomBytes(i + 1, 2'500'000));
    EXPECT_EQ(put.code, 0) << put.err;
    if (i % 4 == 3) CheckFiles();
  }
  stopping = true;
  flapping.join();  // and with it, at the latest, the process that it started
  cluster_->datanode(0).Kill();
  ASSERT_TRUE(cluster_->datanode(0).Start().ok());
  ASSERT_EQ(files_.size(), 12u);
  ASSERT_TRUE(AwaitNodes("nodes_healthy", 4)) << Report();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] {
    return IsHealthy(*cluster_) && ReportNumber(*cluster_, "over_replicated_blocks") == 0;
  })) << Report();
  CheckFiles();
}

}  // namespace
}  // namespace cairn::testing
