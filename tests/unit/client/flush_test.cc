// HFlush and HSync, what they leave in packets, idle pipelines, and consistency levels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string_view>
#include <thread>

#include "common/status.h"
#include "tests/support/process.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using ::testing::ElementsAre;
using testing::FakeCluster;
using testing::WaitUntil;

constexpr uint64_t kBlock = 128 << 10;

class FlushTest : public ::testing::Test {
 protected:
  std::unique_ptr<OutputStream> Create(Consistency consistency = Consistency::kStrong,
                                       TransferOptions transfer = FakeCluster::FastTransfer()) {
    fs_ = cluster_.Connect(transfer);
    auto out = fs_->Create("/f", {.block_size = kBlock, .consistency = consistency});
    EXPECT_TRUE(out.ok()) << out.status();
    return *std::move(out);
  }
  BlockId Block(int index) { return cluster_.namenode().file().blocks.at(index).block().id(); }
  // All nodes of the pipeline have these bytes of the file's first block.
  void ExpectOpen(const std::string& bytes) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(cluster_.datanode(i).OpenReplica(Block(0)) == bytes) << i;
    }
  }

  FakeCluster cluster_{3};
  std::unique_ptr<FileSystem> fs_;
};

TEST_F(FlushTest, AllNodesHaveWhatWasFlushedWithinAndOnBordersOfChunks) {
  const auto out = Create();
  const std::string bytes = Bytes(kBlock - 1);
  const std::string_view all = bytes;
  size_t at = 0;
  for (const size_t piece : {1, 1, 4093, 1, 1, 4095, 8192, 5000, 16 << 10, 0, 20'000}) {
    ASSERT_TRUE(out->Write(all.substr(at, piece)).ok());
    at += piece;
    ASSERT_TRUE(out->HFlush().ok());
    ExpectOpen(bytes.substr(0, at));
  }
  EXPECT_EQ(cluster_.datanode(0).syncs(), 0);
  ASSERT_TRUE(out->Write(all.substr(at)).ok());
  ASSERT_TRUE(out->Close().ok());
  EXPECT_TRUE(cluster_.Stored() == bytes);
  EXPECT_EQ(cluster_.datanode(0).setups(), 1);
}

TEST_F(FlushTest, AFlushOfNothingSendsNothing) {
  const auto out = Create();
  ASSERT_TRUE(out->HFlush().ok());
  ASSERT_TRUE(out->HSync().ok());
  EXPECT_EQ(cluster_.datanode(0).setups(), 0);
  ASSERT_TRUE(out->Write("hello").ok());
  ASSERT_TRUE(out->HFlush().ok());
  ASSERT_TRUE(out->HFlush().ok());
  EXPECT_EQ(cluster_.datanode(0).resent_packets(), 0);
  ASSERT_TRUE(out->HSync().ok());
  ASSERT_TRUE(out->HSync().ok());
  EXPECT_EQ(cluster_.datanode(0).syncs(), 1);
  EXPECT_EQ(cluster_.datanode(2).syncs(), 1);
  ASSERT_TRUE(out->Close().ok());
  EXPECT_TRUE(cluster_.Stored() == "hello");
}

TEST_F(FlushTest, AFlushOnTheBorderOfABlockIsTheEndOfTheBlock) {
  const auto out = Create();
  const std::string bytes = Bytes(kBlock);
  ASSERT_TRUE(out->Write(bytes).ok());
  ASSERT_TRUE(out->HFlush().ok());
  ASSERT_TRUE(out->HSync().ok());
  EXPECT_TRUE(cluster_.datanode(0).Replica(Block(0)) == bytes);
  EXPECT_EQ(cluster_.datanode(0).syncs(), 0);
  ASSERT_TRUE(out->Close().ok());
  EXPECT_EQ(cluster_.namenode().file().blocks.size(), 1u);
}

TEST_F(FlushTest, ANodeThatDidNotSyncHasFailed) {
  const auto out = Create();
  ASSERT_TRUE(out->Write("hello").ok());
  ASSERT_TRUE(out->HSync().ok());
  cluster_.datanode(1).SetFaults({.short_on_disk = true});
  ASSERT_TRUE(out->Write(" world").ok());
  ASSERT_TRUE(out->HSync().ok());
  ASSERT_TRUE(out->Close().ok());
  EXPECT_THAT(cluster_.namenode().file().blocks[0].storages(), ElementsAre(10, 30));
}

TEST_F(FlushTest, FlushesAfterTheEndAreErrors) {
  auto out = Create();
  ASSERT_TRUE(out->Write("hello").ok());
  ASSERT_TRUE(out->Close().ok());
  EXPECT_FALSE(out->HFlush().ok());
  EXPECT_FALSE(out->HSync().ok());
}

TEST_F(FlushTest, AnIdlePipelineIsKeptAlive) {
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.heartbeat_ms = 30;
  const auto out = Create(Consistency::kStrong, transfer);
  ASSERT_TRUE(out->Write("hello").ok());
  ASSERT_TRUE(out->HFlush().ok());
  ASSERT_TRUE(WaitUntil(20'000, [&] { return cluster_.datanode(0).heartbeats() >= 3; }));
  ASSERT_TRUE(out->Write(" world").ok());
  ASSERT_TRUE(out->Close().ok());
  EXPECT_TRUE(cluster_.Stored() == "hello world");
  EXPECT_EQ(cluster_.namenode().runs("NewStamp"), 0);
}

// The writer is elsewhere; when it comes back it need not wait for what is known.
TEST_F(FlushTest, AnIdlePipelineThatFallsSilentIsNoticed) {
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.heartbeat_ms = 30;
  transfer.stall_ms = 4'000;
  const auto out = Create(Consistency::kStrong, transfer);
  ASSERT_TRUE(out->Write("hello").ok());
  ASSERT_TRUE(out->HFlush().ok());
  cluster_.datanode(0).SetFaults({.stall_after_packets = 0});
  std::this_thread::sleep_for(std::chrono::milliseconds(1'000));  // for what it was at
  const int before = cluster_.datanode(0).heartbeats();
  std::this_thread::sleep_for(std::chrono::milliseconds(10'000));  // idle, that is the test
  EXPECT_EQ(cluster_.datanode(0).heartbeats(), before);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(out->Write(" world").ok());
  ASSERT_TRUE(out->HFlush().ok());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(4'000));
  ASSERT_TRUE(out->Close().ok());
  EXPECT_TRUE(cluster_.Stored() == "hello world");
}

// A flush finds out too.
TEST_F(FlushTest, AFlushAfterTheNodesWentIsNoLie) {
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.write_attempts = 2;
  const auto out = Create(Consistency::kStrong, transfer);
  ASSERT_TRUE(out->Write("hello").ok());
  ASSERT_TRUE(out->HFlush().ok());
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).Stop();
  ASSERT_TRUE(out->Write(" world").ok());  // kept, to fill a packet
  EXPECT_FALSE(out->HFlush().ok());
}

TEST_F(FlushTest, TheHeaderSaysTheConsistency) {
  for (const auto& [consistency, expected] :
       {std::pair(Consistency::kStrong, v1::STRONG),
        std::pair(Consistency::kEventual, v1::EVENTUAL), std::pair(Consistency::kWeak, v1::WEAK)}) {
    FakeCluster cluster(3);
    const auto fs = cluster.Connect();
    const std::string bytes = Bytes(2 * kBlock + 5);
    ASSERT_TRUE(
        cluster.Write(*fs, "/f", bytes, {.block_size = kBlock, .consistency = consistency}).ok());
    EXPECT_EQ(cluster.datanode(0).headers().at(0).consistency(), expected);
    EXPECT_EQ(cluster.namenode().file().created.consistency(), expected);
    for (const auto& block : cluster.namenode().file().blocks) {
      EXPECT_THAT(block.storages(), ElementsAre(10, 20, 30));  // of a weak one, who will have it
    }
    EXPECT_TRUE(cluster.Stored() == bytes);
  }
}

TEST_F(FlushTest, AnEventualBlockNeedsNoDiskButAllItsNodes) {
  cluster_.datanode(1).SetFaults({.short_on_disk = true});
  const auto out = Create(Consistency::kEventual);
  ASSERT_TRUE(out->Write("hello").ok());
  ASSERT_TRUE(out->Close().ok());
  EXPECT_THAT(cluster_.namenode().file().blocks[0].storages(), ElementsAre(10, 30));
}

TEST_F(FlushTest, AWeakBlockNeedsItsFirstNodeAlone) {
  FakeCluster one(1);
  const auto fs = one.Connect();
  ASSERT_TRUE(one.Write(*fs, "/f", "hello", {.consistency = Consistency::kWeak}).ok());
  EXPECT_THAT(one.namenode().file().blocks[0].storages(), ElementsAre(10));
}

TEST_F(FlushTest, AWeakBlockWhoseFirstNodeFailsIsWrittenOn) {
  const auto out = Create(Consistency::kWeak);
  const std::string bytes = Bytes(100'000);
  ASSERT_TRUE(out->Write(bytes).ok());
  cluster_.datanode(0).SetFaults({.die_after_last = 0});
  ASSERT_TRUE(out->Close().ok());
  EXPECT_THAT(cluster_.namenode().file().blocks[0].storages(), ElementsAre(20, 30));
  EXPECT_TRUE(cluster_.Stored() == bytes);
}

// The end of a block would promise less than HSync did.
TEST_F(FlushTest, ASyncedStreamSyncsWholeBlocksToo) {
  const auto out = Create(Consistency::kEventual);
  const std::string bytes = Bytes(2 * kBlock + 1);
  const std::string_view all = bytes;
  ASSERT_TRUE(out->Write(all.substr(0, 5)).ok());
  ASSERT_TRUE(out->HSync().ok());
  EXPECT_EQ(cluster_.datanode(2).syncs(), 1);
  ASSERT_TRUE(out->Write(all.substr(5)).ok());
  EXPECT_EQ(cluster_.datanode(2).syncs(), 3);
  ASSERT_TRUE(out->Close().ok());
  EXPECT_TRUE(cluster_.Stored() == bytes);
}

}  // namespace
}  // namespace cairn
