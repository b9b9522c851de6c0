// Readers beside DataNodes that are stopped (SIGSTOP) or killed while they are read: every byte
// arrives, and a node that is only silent costs a moment, not the time after which it has failed.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <random>
#include <string>

#include "client/file_system.h"
#include "tests/support/cluster.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kSize = 32 << 20;  // one block, of which a stream holds a part
// A node that is given up for its silence makes a test fail by its time limit.
constexpr int64_t kStallMs = 10 * 60'000;
constexpr auto kMostWait = std::chrono::seconds(120);

class HedgedReadsTest : public ::testing::Test {
 protected:
  HedgedReadsTest() : bytes_(kSize, '\0') {
    std::mt19937 random(7);
    for (size_t i = 0; i < bytes_.size(); i += 4) {
      const uint32_t word = random();
      std::copy_n(reinterpret_cast<const char*>(&word), 4, bytes_.begin() + i);
    }
  }

  // The first node is in the rack of the reader, who is on another host, and so is read first.
  void SetUp() override {
    auto started = Cluster::Start({.datanodes = 1, .datanode_flags = {"--reserved=0"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(cluster_->AddDataNode({"--rack=/far"}).ok());
    TransferOptions transfer;
    transfer.stall_ms = transfer.max_progress_ms = kStallMs;
    auto fs = FileSystem::Connect({.namenodes = {cluster_->rpc_address()},
                                   .rack = "/default-rack",
                                   .host = "elsewhere",
                                   .short_circuit = false,  // it would read on without the node
                                   .transfer = transfer});
    ASSERT_TRUE(fs.ok()) << fs.status();
    fs_ = *std::move(fs);
    auto out = fs_->Create("/f", {.replication = 3});
    ASSERT_TRUE(out.ok()) << out.status();
    ASSERT_TRUE((*out)->Write(bytes_).ok());
    ASSERT_TRUE((*out)->Close().ok());
    auto blocks = fs_->GetBlockLocations("/f");
    ASSERT_TRUE(WaitUntil(240'000, [&] {  // a busy machine may have cost the pipeline a node
      blocks = fs_->GetBlockLocations("/f");
      return blocks.ok() && blocks->size() == 1 && blocks->front().nodes.size() == 3;
    })) << blocks.status();
    ASSERT_EQ(blocks->front().nodes.front().id, Node(0).Field("id"));
    auto in = fs_->Open("/f");
    ASSERT_TRUE(in.ok()) << in.status();
    in_ = *std::move(in);
    began_ = std::chrono::steady_clock::now();
  }
  void TearDown() override {
    for (size_t i = 0; cluster_ != nullptr && i < cluster_->datanodes(); ++i) {
      if (cluster_->datanode(i).running()) cluster_->datanode(i).Signal(SIGCONT);
    }
  }

  Daemon& Node(size_t i) { return cluster_->datanode(i); }

  void PReads(int count) {
    std::mt19937 random(11);
    std::string buffer(4'096, '\0');
    for (int i = 0; i < count; ++i) {
      const uint64_t offset = random() % (kSize - buffer.size());
      const absl::StatusOr<size_t> got = in_->PRead(offset, buffer);
      ASSERT_TRUE(got.ok()) << got.status();
      ASSERT_TRUE(buffer == bytes_.substr(offset, buffer.size())) << offset;
    }
  }

  void ReadOn(uint64_t until) {
    std::string buffer(100'000, '\0');
    while (in_->position() < until) {
      const uint64_t offset = in_->position();
      const absl::StatusOr<size_t> got = in_->Read(buffer);
      ASSERT_TRUE(got.ok()) << got.status();
      ASSERT_EQ(*got, std::min<uint64_t>(buffer.size(), kSize - offset));
      ASSERT_TRUE(bytes_.compare(offset, *got, buffer, 0, *got) == 0) << offset;
    }
  }

  std::chrono::steady_clock::time_point began_;  // with all there
  std::string bytes_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<InputStream> in_;
};

TEST_F(HedgedReadsTest, AStoppedNodeCostsAMoment) {
  ASSERT_NO_FATAL_FAILURE(PReads(50));
  Node(0).Signal(SIGSTOP);
  ASSERT_NO_FATAL_FAILURE(PReads(200));
  EXPECT_GT(fs_->GetReadStatistics().hedged, 0u);
  EXPECT_GT(fs_->GetReadStatistics().hedge_won, 0u);
  EXPECT_LT(std::chrono::steady_clock::now() - began_, kMostWait);
}

TEST_F(HedgedReadsTest, NodesStoppedInTheMiddleOfAStream) {
  ASSERT_NO_FATAL_FAILURE(ReadOn(kSize / 4));
  Node(0).Signal(SIGSTOP);
  ASSERT_NO_FATAL_FAILURE(ReadOn(kSize / 2));
  Node(1).Signal(SIGSTOP);
  ASSERT_NO_FATAL_FAILURE(ReadOn(kSize));
  EXPECT_GT(fs_->GetReadStatistics().hedge_won, 0u);
  EXPECT_LT(std::chrono::steady_clock::now() - began_, kMostWait);
}

TEST_F(HedgedReadsTest, NodesKilledInTheMiddleOfAStream) {
  ASSERT_NO_FATAL_FAILURE(ReadOn(kSize / 4));
  Node(0).Kill();
  ASSERT_NO_FATAL_FAILURE(ReadOn(kSize / 2));
  Node(1).Kill();
  ASSERT_NO_FATAL_FAILURE(ReadOn(kSize));
  EXPECT_GT(fs_->GetReadStatistics().failures, 0u);
}

TEST_F(HedgedReadsTest, OneStoppedAndOneKilled) {
  Node(0).Signal(SIGSTOP);
  Node(1).Kill();
  ASSERT_NO_FATAL_FAILURE(PReads(100));
  ASSERT_NO_FATAL_FAILURE(ReadOn(kSize));
}

}  // namespace
}  // namespace cairn::testing
