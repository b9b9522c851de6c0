// Blocks through failures: nodes that die in the middle of a write, replicas that rot, disks that
// are full, copies that come and go (P3, P4, P8).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/integration/cluster_view.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr size_t kMiB = 1 << 20;

// Failures are noticed within seconds.
const std::vector<std::string> kQuick = {"--heartbeat-interval=300ms", "--stale-after=3s",
                                         "--dead-after=8s", "--redundancy-interval=300ms",
                                         "--slow-node-threshold=0"};

class PipelineTest : public ::testing::Test {
 protected:
  void StartCluster(int datanodes, std::vector<std::string> namenode_flags,
                    const std::vector<std::string>& datanode_flags = {}) {
    namenode_flags.insert(namenode_flags.end(), kQuick.begin(), kQuick.end());
    auto started = Cluster::Start({.datanodes = datanodes,
                                   .namenode_flags = std::move(namenode_flags),
                                   .datanode_flags = datanode_flags});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }

  void Put(const std::string& content, const std::string& path,
           const std::vector<std::string>& flags = {"--block-size=1M"}) {
    WriteWholeFile(dir_ / "local", content);
    std::vector<std::string> args = {"put"};
    args.insert(args.end(), flags.begin(), flags.end());
    args.insert(args.end(), {dir_ / "local", path});
    const CommandResult put = cluster_->Cairn(args);
    ASSERT_EQ(put.code, 0) << put.err;
  }

  void ExpectContent(const std::string& path, const std::string& content) {
    const CommandResult got = cluster_->Cairn({"get", "-f", path, dir_ / "got"});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_TRUE(ReadWholeFile(dir_ / "got") == content) << path << " has other bytes";
  }

  void ExpectHealed() {
    EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
        << cluster_->Cairn({"admin", "health"}).out << cluster_->Cairn({"admin", "nodes"}).out;
    const CommandResult fsck = cluster_->Cairn({"fsck", "/"});
    EXPECT_EQ(fsck.code, 0) << fsck.out;
  }

  // All replica files of a block, on all nodes.
  std::vector<std::string> ReplicaFiles(uint64_t block_id) {
    std::vector<std::string> files;
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      const auto found = FinalizedFiles(cluster_->datanode(i), block_id);
      files.insert(files.end(), found.begin(), found.end());
    }
    return files;
  }

  // Harms one replica of each block in turn; reads stay right, and in the end every block has
  // `replication` good replicas again and no bad one.
  void DamageAndExpectRepair(size_t replication) {
    const std::string content = RandomBytes(5, 4 * kMiB);
    Put(content, "/file");
    const nlohmann::json blocks = CairnJson(*cluster_, {"locations", "/file"});
    ASSERT_EQ(blocks.size(), 4u);
    for (size_t i = 0; i < blocks.size(); ++i) {
      // A busy machine may have cost a pipeline a node.
      std::vector<std::string> files;
      ASSERT_TRUE(WaitUntil(240'000, [&] {
        files = ReplicaFiles(blocks[i].at("block_id"));
        return files.size() == replication;
      }));
      const std::string& victim = files[i % files.size()];
      if (i % 4 == 0) FlipByte(victim, 300'000);
      if (i % 4 == 1) std::filesystem::resize_file(victim, 700'001);
      if (i % 4 == 2) FlipByte(victim, -1);
      if (i % 4 == 3) WriteWholeFile(victim, "");
    }
    const auto repaired = [&] {
      for (size_t i = 0; i < blocks.size(); ++i) {
        const auto files = ReplicaFiles(blocks[i].at("block_id"));
        if (files.size() != replication) return false;
        for (const std::string& file : files) {
          if (ReadWholeFile(file) != content.substr(i * kMiB, kMiB)) return false;
        }
      }
      return true;
    };
    // A bad replica is found when it is read, and a reader takes any of them.
    EXPECT_TRUE(WaitUntil(240'000, [&] {
      ExpectContent("/file", content);
      return HasFailure() || repaired();
    })) << cluster_->Cairn({"admin", "health"}).out;
    ExpectHealed();
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(PipelineTest, ANodeThatDiesInTheMiddleOfAPutIsReplaced) {
  StartCluster(5, {});
  const std::string content = RandomBytes(1, 20 * kMiB + 12'345);
  const size_t half = 10 * kMiB + 700'000;
  SlowPut put(cluster_.get(), {"--block-size=4M", "-r", "3"}, "/file");
  ASSERT_TRUE(put.Feed(content.substr(0, half)));
  // Two of the file's blocks are on disk, and one is open.
  size_t victim = 0;
  ASSERT_TRUE(WaitUntil(60'000, [&] {
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      victim = i;
      if (!OpenFiles(cluster_->datanode(i)).empty()) return CountFinalized(*cluster_) == 2 * 3;
    }
    return false;
  }));
  cluster_->datanode(victim).Kill();
  ASSERT_TRUE(put.Feed(content.substr(half)));
  const CommandResult result = put.Finish();
  ASSERT_EQ(result.code, 0) << result.err;
  ExpectContent("/file", content);

  EXPECT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "nodes_failed") == 1; }));
  ExpectHealed();
  for (const auto& block : CairnJson(*cluster_, {"locations", "/file"})) {
    EXPECT_EQ(block.at("nodes").size(), 3u) << block;
    for (const auto& node : block.at("nodes")) {
      EXPECT_NE(node.at("id"), cluster_->datanode(victim).Field("id"));
    }
  }
  ExpectContent("/file", content);

  // It comes back: what it holds counts again, and what is too many goes.
  ASSERT_TRUE(cluster_->datanode(victim).Start().ok());
  EXPECT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "nodes_healthy") == 5; }));
  ExpectHealed();
  EXPECT_TRUE(WaitUntil(60'000, [&] { return CountFinalized(*cluster_) == 6 * 3; }))
      << CountFinalized(*cluster_);
  ExpectContent("/file", content);
}

TEST_F(PipelineTest, ANodeThatStopsAnsweringIsRoutedAround) {
  StartCluster(4, {});
  const std::string content = RandomBytes(2, 3 * kMiB);
  Put(content, "/file", {"--block-size=1M", "-r", "3"});
  Daemon& node = cluster_->datanode(1);
  node.Signal(SIGSTOP);
  EXPECT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "nodes_failed") == 1; }));
  ExpectHealed();
  ExpectContent("/file", content);
  Put(content, "/other", {"--block-size=1M", "-r", "3"});
  node.Signal(SIGCONT);
  EXPECT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "nodes_healthy") == 4; }));
  ExpectHealed();
  ExpectContent("/other", content);
}

TEST_F(PipelineTest, BadReplicasAreReplacedElsewhere) {
  StartCluster(3, {"--replication=2"});
  DamageAndExpectRepair(2);
}

TEST_F(PipelineTest, BadReplicasAreReplacedWhereThereIsNowhereElse) {
  StartCluster(3, {"--replication=3"});
  DamageAndExpectRepair(3);
}

TEST_F(PipelineTest, TheLastReplicaIsNeverServedBad) {
  StartCluster(1, {"--replication=1"});
  const std::string content = RandomBytes(6, kMiB);
  Put(content, "/file");
  const auto files = FinalizedFiles(cluster_->datanode(0));
  ASSERT_EQ(files.size(), 1u);
  FlipByte(files.front(), 500'000);
  const CommandResult read = cluster_->Cairn({"cat", "/file"});
  EXPECT_EQ(read.code, 1);
  EXPECT_TRUE(read.err.starts_with("cairn: cat: /file: ")) << read.err;
  EXPECT_TRUE(content.starts_with(read.out));  // what came is right
  EXPECT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "corrupt_blocks") == 1; }));
  EXPECT_EQ(cluster_->Cairn({"fsck", "/"}).code, 1);
  // The only copy stays where it is.
  EXPECT_EQ(FinalizedFiles(cluster_->datanode(0)), files);
}

TEST_F(PipelineTest, AFullClusterSaysSoAndKeepsNothing) {
  StartCluster(3, {}, {"--capacity=6M"});
  WriteWholeFile(dir_ / "big", RandomBytes(7, 20 * kMiB));
  const CommandResult put = cluster_->Cairn({"put", "--block-size=1M", dir_ / "big", "/big"});
  EXPECT_EQ(put.code, 1);
  EXPECT_EQ(std::count(put.err.begin(), put.err.end(), '\n'), 1) << put.err;
  EXPECT_TRUE(put.err.starts_with("cairn: put: /big: ")) << put.err;
  // From the NameNode, or from a DataNode that it thought had room.
  const bool told = put.err.find("bytes free") != std::string::npos ||
                    put.err.find("No space left on device") != std::string::npos;
  EXPECT_TRUE(told) << put.err;
  EXPECT_EQ(cluster_->Cairn({"test", "-e", "/big"}).code, 1);
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    return cluster_->Cairn({"ls", "/"}).out.empty();
  })) << cluster_->Cairn({"ls", "/"}).out;
  EXPECT_TRUE(WaitUntil(60'000, [&] { return CountFinalized(*cluster_) == 0; }));
  // The space is free again.
  const std::string small = RandomBytes(8, 3 * kMiB);
  EXPECT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "used_bytes") == 0; }))
      << ReportNumber(*cluster_, "used_bytes");
  Put(small, "/small");
  ExpectContent("/small", small);
}

TEST_F(PipelineTest, TooFewNodesAreNamed) {
  StartCluster(1, {});
  const std::string content = RandomBytes(9, 100'000);
  WriteWholeFile(dir_ / "local", content);
  const CommandResult put = cluster_->Cairn({"put", dir_ / "local", "/file"});
  EXPECT_EQ(put.code, 1);
  EXPECT_EQ(put.err,
            "cairn: put: /file: need 2 healthy DataNodes, 1 available; add one or use -r 1\n");
  EXPECT_EQ(cluster_->Cairn({"ls", "/"}).out, "");
  Put(content, "/file", {"-r", "1"});
  ExpectContent("/file", content);

  // Two are enough for three copies; the third is made when there is a node for it.
  ASSERT_TRUE(cluster_->AddDataNode().ok());
  Put(content, "/two");
  EXPECT_EQ(ReportNumber(*cluster_, "under_replicated_blocks"), 1);
  EXPECT_EQ(cluster_->Cairn({"fsck", "/"}).code, 0);
  ASSERT_TRUE(cluster_->AddDataNode().ok());
  ExpectHealed();
}

TEST_F(PipelineTest, RemovedFilesLeaveTheDisks) {
  StartCluster(3, {});
  for (int i = 0; i < 3; ++i) {
    ASSERT_NO_FATAL_FAILURE(Put(RandomBytes(10, 2 * kMiB), fmt::format("/f{}", i)));
  }
  EXPECT_TRUE(WaitUntil(240'000, [&] { return CountFinalized(*cluster_) == 18; }))
      << CountFinalized(*cluster_);
  ASSERT_EQ(cluster_->Cairn({"rm", "/f0", "/f1"}).code, 0);
  EXPECT_TRUE(WaitUntil(60'000, [&] { return CountFinalized(*cluster_) == 6; }))
      << CountFinalized(*cluster_);
  // A replaced file's blocks go, too.
  Put(RandomBytes(11, kMiB), "/f2", {"-f", "--block-size=1M"});
  EXPECT_TRUE(WaitUntil(60'000, [&] { return CountFinalized(*cluster_) == 3; }))
      << CountFinalized(*cluster_);
  // What is removed while a node is away goes when it comes back.
  cluster_->datanode(2).Kill();
  ASSERT_EQ(cluster_->Cairn({"rm", "/f2"}).code, 0);
  EXPECT_TRUE(WaitUntil(60'000, [&] { return CountFinalized(*cluster_) == 1; }));
  ASSERT_TRUE(cluster_->datanode(2).Start().ok());
  EXPECT_TRUE(WaitUntil(60'000, [&] { return CountFinalized(*cluster_) == 0; }));
}

TEST_F(PipelineTest, SetrepWaitsForTheCopies) {
  StartCluster(4, {});
  const std::string content = RandomBytes(12, 2 * kMiB);
  Put(content, "/file", {"--block-size=1M", "-r", "1"});
  for (const size_t replication : {4u, 2u, 3u, 1u}) {
    SCOPED_TRACE(replication);
    const CommandResult set =
        cluster_->Cairn({"setrep", "-w", std::to_string(replication), "/file"});
    ASSERT_EQ(set.code, 0) << set.err;
    for (const auto& block : CairnJson(*cluster_, {"locations", "/file"})) {
      EXPECT_EQ(block.at("nodes").size(), replication);
    }
    EXPECT_TRUE(WaitUntil(60'000, [&] { return CountFinalized(*cluster_) == 2 * replication; }))
        << CountFinalized(*cluster_);
    ExpectContent("/file", content);
  }
}

}  // namespace
}  // namespace cairn::testing
