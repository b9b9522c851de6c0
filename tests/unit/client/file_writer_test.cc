#include "client/file_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <thread>

#include "common/status.h"
#include "tests/support/process.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;
using testing::FakeDataNode;
using ::testing::HasSubstr;

constexpr uint64_t kBlock = 128 << 10;

CreateOptions SmallBlocks() { return {.block_size = kBlock}; }

// True when `node` counts as a holder of a block of the file.
bool HoldsAny(FakeCluster& cluster, int node) {
  for (const auto& block : cluster.namenode().file().blocks) {
    const auto& storages = block.storages();
    if (std::count(storages.begin(), storages.end(), cluster.datanode(node).storage()) > 0) {
      return true;
    }
  }
  return false;
}

class FileWriterTest : public ::testing::Test {
 protected:
  // A fault of one node: the file arrives all the same, elsewhere.
  void ExpectSurvives(int node, FakeDataNode::Faults faults,
                      TransferOptions transfer = FakeCluster::FastTransfer()) {
    cluster_.datanode(node).SetFaults(faults);
    const auto fs = cluster_.Connect(transfer);
    const std::string bytes = Bytes(3 * kBlock + 5'000);
    const absl::Status status = cluster_.Write(*fs, "/f", bytes, SmallBlocks());
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(cluster_.namenode().file().closed);
    EXPECT_TRUE(cluster_.Stored() == bytes);
    // Left out from then on; while the first block ended, the next may have begun with it.
    const int repairs =
        cluster_.namenode().runs("AbandonBlock") + cluster_.namenode().runs("UpdatePipeline");
    EXPECT_GE(repairs, 1);
    EXPECT_LE(repairs, 2);
    EXPECT_FALSE(HoldsAny(cluster_, node));
    EXPECT_LE(cluster_.datanode(node).setups(), 2);
  }

  FakeCluster cluster_{4};
};

TEST_F(FileWriterTest, SizesAroundTheBordersOfPacketsAndBlocks) {
  for (const uint64_t size :
       {uint64_t{1}, uint64_t{4095}, uint64_t{4096}, uint64_t{16 << 10}, uint64_t{(16 << 10) + 1},
        kBlock - 1, kBlock, kBlock + 1, 2 * kBlock, 5 * kBlock + 77}) {
    FakeCluster cluster(3);
    const auto fs = cluster.Connect();
    const std::string bytes = Bytes(size);
    ASSERT_TRUE(cluster.Write(*fs, "/f", bytes, SmallBlocks()).ok()) << size;
    const auto file = cluster.namenode().file();
    EXPECT_TRUE(file.closed);
    EXPECT_EQ(file.blocks.size(), (size + kBlock - 1) / kBlock);
    for (const auto& block : file.blocks) EXPECT_EQ(block.storages_size(), 3);
    EXPECT_TRUE(cluster.Stored() == bytes) << size;
    EXPECT_EQ(cluster.namenode().runs("AbandonBlock"), 0);
  }
}

// Writes a block and the start of the next while the nodes sync the first.
class BlockEndTest : public FileWriterTest {
 protected:
  BlockEndTest() {
    for (int i = 0; i < 4; ++i) cluster_.datanode(i).SetFaults({.hold_last = true});
    out_ = *fs_->Create("/f", SmallBlocks());
    EXPECT_TRUE(out_->Write(std::string_view(bytes_).substr(0, kBlock / 2)).ok());
    EXPECT_TRUE(out_->HFlush().ok());  // the block stays from now on
    EXPECT_TRUE(out_->Write(std::string_view(bytes_).substr(kBlock / 2)).ok());
  }
  void Release() {
    for (int i = 0; i < 4; ++i) cluster_.datanode(i).SetFaults({});
  }

  const std::string bytes_ = Bytes(kBlock + 100'000);
  const std::unique_ptr<FileSystem> fs_ = cluster_.Connect();
  std::unique_ptr<OutputStream> out_;
};

TEST_F(BlockEndTest, TheNextBlockFillsMeanwhile) {
  const auto file = cluster_.namenode().file();
  ASSERT_EQ(file.blocks.size(), 2u);
  for (const auto& block : file.blocks) EXPECT_EQ(block.storages_size(), 0);
  Release();
  ASSERT_TRUE(out_->Close().ok());
  EXPECT_TRUE(cluster_.Stored() == bytes_);
}

TEST_F(BlockEndTest, WhatIsFlushedBehindItIsRead) {
  // Once all of the second block has come, the flush waits for nothing but the end of the first.
  const BlockId second = cluster_.namenode().file().blocks[1].block().id();
  std::thread release([&] {
    const auto came = [&](int i) {
      return cluster_.datanode(i).OpenReplica(second).size() == bytes_.size() - kBlock;
    };
    while (!came(0) && !came(1) && !came(2) && !came(3)) std::this_thread::yield();
    Release();
  });
  ASSERT_TRUE(out_->HFlush().ok());
  const auto in = cluster_.Connect()->Open("/f");
  ASSERT_TRUE(in.ok()) << in.status();
  ASSERT_EQ((*in)->length(), bytes_.size());
  std::string all(bytes_.size(), '\0');
  EXPECT_EQ((*in)->Read(all).value(), bytes_.size());
  EXPECT_TRUE(all == bytes_);
  release.join();
}

TEST_F(BlockEndTest, ItsFailureIsTheFiles) {
  for (int i = 0; i < 4; ++i) {
    cluster_.datanode(i).SetFaults({.refuse_setup = true, .die_after_last = 0});
  }
  EXPECT_FALSE(out_->Close().ok());
  EXPECT_FALSE(cluster_.namenode().file().closed);
}

TEST_F(BlockEndTest, AnAbandonedFileDoesNotWaitForIt) {
  EXPECT_TRUE(out_->Abandon().ok());
  EXPECT_EQ(cluster_.namenode().runs("Complete"), 0);
}

TEST_F(FileWriterTest, AnEmptyFileGivesItsBlockBack) {
  const auto fs = cluster_.Connect();
  ASSERT_TRUE(cluster_.Write(*fs, "/f", "").ok());
  EXPECT_TRUE(cluster_.namenode().file().closed);
  EXPECT_TRUE(cluster_.namenode().file().blocks.empty());
  EXPECT_EQ(cluster_.namenode().runs("AbandonBlock"), 1);
}

TEST_F(FileWriterTest, AnEmptyFileThatIsKnownToBeAsksForNoBlock) {
  const auto fs = cluster_.Connect();
  ASSERT_TRUE(cluster_.Write(*fs, "/f", "", {.expected_length = 0}).ok());
  EXPECT_TRUE(cluster_.namenode().file().closed);
  EXPECT_EQ(cluster_.namenode().runs("AbandonBlock"), 0);
}

TEST_F(FileWriterTest, PublishesUnderTheNameWithModeAndTimes) {
  const auto fs = cluster_.Connect();
  ASSERT_TRUE(
      cluster_
          .Write(*fs, "/d/f", "hello",
                 {.mode = 0640, .overwrite = true, .publish = true, .mtime_ms = 7, .atime_ms = 8})
          .ok());
  const auto file = cluster_.namenode().file();
  EXPECT_THAT(file.created.path(), ::testing::StartsWith("/d/f._COPYING_."));
  EXPECT_TRUE(file.created.unpublished());
  EXPECT_FALSE(file.created.overwrite());
  EXPECT_EQ(file.completed.publish_as(), "/d/f");
  EXPECT_TRUE(file.completed.overwrite());
  EXPECT_TRUE(file.completed.set_mode());
  EXPECT_EQ(file.completed.mode(), 0640u);
  EXPECT_EQ(file.completed.mtime_ms(), 7);
  EXPECT_EQ(file.completed.atime_ms(), 8);
}

TEST_F(FileWriterTest, PublishRefusesANameThatIsThere) {
  const auto fs = cluster_.Connect();
  ASSERT_TRUE(cluster_.Write(*fs, "/f", "hello").ok());
  EXPECT_EQ(MessageOf(fs->Create("/f", {.publish = true}).status()), "File exists");
  EXPECT_TRUE(fs->Create("/f", {.overwrite = true, .publish = true}).ok());
  EXPECT_EQ(MessageOf(fs->Create("/", {.overwrite = true, .publish = true}).status()),
            "Is a directory");
}

TEST_F(FileWriterTest, AStreamThatIsNotClosedLeavesNothing) {
  const auto fs = cluster_.Connect();
  {
    auto out = fs->Create("/f", SmallBlocks());
    ASSERT_TRUE(out.ok());
    EXPECT_TRUE((*out)->Write(Bytes(kBlock + 50'000)).ok());
  }
  EXPECT_TRUE(cluster_.namenode().files().empty());
  EXPECT_EQ(cluster_.namenode().runs("AbandonFile"), 1);
}

TEST_F(FileWriterTest, ACloseTwiceIsHarmlessAndAWriteAfterItIsNot) {
  const auto fs = cluster_.Connect();
  auto out = fs->Create("/f", SmallBlocks());
  ASSERT_TRUE(out.ok());
  EXPECT_TRUE((*out)->Write("hello").ok());
  EXPECT_TRUE((*out)->Close().ok());
  EXPECT_TRUE((*out)->Close().ok());
  EXPECT_TRUE((*out)->Abandon().ok());
  EXPECT_FALSE((*out)->Write("more").ok());
  EXPECT_EQ((*out)->length(), 5u);
  EXPECT_TRUE(cluster_.namenode().file().closed);
}

TEST_F(FileWriterTest, CompleteIsAskedForUntilTheReplicasAreKnown) {
  cluster_.namenode().Refuse(
      "Complete", 2, WithKind(absl::UnavailableError("not yet"), ErrorKind::kNotYetReplicated));
  const auto fs = cluster_.Connect();
  EXPECT_TRUE(cluster_.Write(*fs, "/f", "hello").ok());
  EXPECT_EQ(cluster_.namenode().calls("Complete").size(), 3u);
}

TEST_F(FileWriterTest, LostAnswersOfTheNameNodeAreNotNoticed) {
  for (const char* method : {"Create", "AddBlock", "Complete"}) {
    cluster_.namenode().LoseAnswer(method, 1);
  }
  const auto fs = cluster_.Connect();
  const std::string bytes = Bytes(2 * kBlock);
  ASSERT_TRUE(cluster_.Write(*fs, "/f", bytes, SmallBlocks()).ok());
  EXPECT_TRUE(cluster_.Stored() == bytes);
  EXPECT_EQ(cluster_.namenode().runs("Create"), 1);
}

TEST_F(FileWriterTest, SurvivesARefusedSetup) { ExpectSurvives(1, {.refuse_setup = true}); }

TEST_F(FileWriterTest, SurvivesAFirstNodeThatNobodyListensOn) {
  cluster_.datanode(0).Stop();
  const auto fs = cluster_.Connect();
  const std::string bytes = Bytes(kBlock + 5);
  ASSERT_TRUE(cluster_.Write(*fs, "/f", bytes, SmallBlocks()).ok());
  EXPECT_TRUE(cluster_.Stored() == bytes);
}

TEST_F(FileWriterTest, SurvivesAFirstNodeThatDiesInTheMiddle) {
  ExpectSurvives(0, {.die_after_packets = 3});
}

TEST_F(FileWriterTest, SurvivesAFirstNodeThatDiesAtTheLastPacket) {
  ExpectSurvives(0, {.die_after_packets = static_cast<int>(kBlock / (16 << 10)) - 1});
}

TEST_F(FileWriterTest, SurvivesAMiddleNodeThatFailsInTheMiddle) {
  ExpectSurvives(1, {.refuse_after_packets = 3});
}

TEST_F(FileWriterTest, SurvivesAMiddleNodeThatStopsInTheMiddle) {
  ExpectSurvives(1, {.refuse_after_packets = 3, .cancels = true});
}

TEST_F(FileWriterTest, SurvivesANodeThatFallsSilent) {
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.stall_ms = 4'000;
  ExpectSurvives(0, {.stall_after_packets = 2}, transfer);
}

TEST_F(FileWriterTest, OneNodeThatHasLessOnDiskIsNotCounted) {
  cluster_.datanode(1).SetFaults({.short_on_disk = true});
  const auto fs = cluster_.Connect();
  ASSERT_TRUE(cluster_.Write(*fs, "/f", "hello").ok());
  const auto file = cluster_.namenode().file();
  ASSERT_EQ(file.blocks.size(), 1u);
  EXPECT_THAT(file.blocks[0].storages(), ::testing::ElementsAre(10, 30));
}

TEST_F(FileWriterTest, TooFewDurableReplicasAreWrittenAgain) {
  cluster_.datanode(0).SetFaults({.short_on_disk = true});
  cluster_.datanode(1).SetFaults({.short_on_disk = true});
  const auto fs = cluster_.Connect();
  ASSERT_TRUE(cluster_.Write(*fs, "/f", "hello").ok());
  EXPECT_THAT(cluster_.namenode().file().blocks[0].storages(), ::testing::ElementsAre(30, 40));
}

TEST_F(FileWriterTest, AReplicaWithoutAStorageIsNotCounted) {
  cluster_.datanode(1).SetFaults({.no_storage = true});
  const auto fs = cluster_.Connect();
  ASSERT_TRUE(cluster_.Write(*fs, "/f", "hello").ok());
  EXPECT_THAT(cluster_.namenode().file().blocks[0].storages(), ::testing::ElementsAre(10, 30));
}

TEST_F(FileWriterTest, TooFewReplicasWithAStorageAreWrittenAgain) {
  cluster_.datanode(0).SetFaults({.no_storage = true});
  cluster_.datanode(1).SetFaults({.no_storage = true});
  const auto fs = cluster_.Connect();
  ASSERT_TRUE(cluster_.Write(*fs, "/f", "hello").ok());
  EXPECT_THAT(cluster_.namenode().file().blocks[0].storages(), ::testing::ElementsAre(30, 40));
}

// As in a restart of one DataNode after the other.
TEST_F(FileWriterTest, ANodeThatFailedIsTakenBackWhenTheOthersAreTooFew) {
  FakeCluster cluster(3);
  const auto fs = cluster.Connect();
  const std::string bytes = Bytes(2 * kBlock);
  const std::string_view all = bytes;
  auto out = fs->Create("/f", SmallBlocks());
  ASSERT_TRUE(out.ok());
  cluster.datanode(0).SetFaults({.refuse_setup = true});
  ASSERT_TRUE((*out)->Write(all.substr(0, kBlock)).ok());
  cluster.datanode(0).SetFaults({});
  cluster.datanode(1).SetFaults({.refuse_setup = true});
  const absl::Status status = (*out)->Write(all.substr(kBlock));
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE((*out)->Close().ok());
  EXPECT_TRUE(cluster.Stored() == bytes);
  EXPECT_THAT(cluster.namenode().file().blocks[0].storages(), ::testing::ElementsAre(20, 30));
  EXPECT_THAT(cluster.namenode().file().blocks[1].storages(), ::testing::ElementsAre(10, 30));
}

TEST_F(FileWriterTest, TooFewNodesIsTheNameNodesClearErrorOnceNoneIsLeftOut) {
  cluster_.datanode(0).SetFaults({.refuse_setup = true});
  cluster_.namenode().Refuse(
      "AddBlock", 2,
      WithKind(absl::ResourceExhaustedError("need 2 healthy DataNodes, 1 available"),
               ErrorKind::kNotEnoughDataNodes));
  const auto fs = cluster_.Connect();
  const absl::Status status = cluster_.Write(*fs, "/f", "hello");
  EXPECT_EQ(KindOf(status), ErrorKind::kNotEnoughDataNodes);
  EXPECT_EQ(MessageOf(status), "need 2 healthy DataNodes, 1 available");
  EXPECT_EQ(cluster_.namenode().calls("AddBlock").size(), 2u);
  EXPECT_TRUE(cluster_.namenode().files().empty());  // nothing is left
}

TEST_F(FileWriterTest, NodesThatGoOnFailingEndTheTries) {
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.refuse_setup = true});
  const auto fs = cluster_.Connect();
  const absl::Status status = cluster_.Write(*fs, "/f", "hello");
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("cannot write a block after 5 tries"));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("not now"));
  EXPECT_TRUE(cluster_.namenode().files().empty());
}

// CANCELLED is for what the user stops.
TEST_F(FileWriterTest, APeersCancelledIsAFailureOfTheNode) {
  for (const FakeDataNode::Faults& faults :
       {FakeDataNode::Faults{.refuse_after_packets = 0, .cancels = true},
        FakeDataNode::Faults{.die_after_packets = 0, .cancels = true}}) {
    FakeCluster cluster(8);
    for (int i = 0; i < 8; ++i) cluster.datanode(i).SetFaults(faults);
    const auto fs = cluster.Connect();
    const absl::Status status = cluster.Write(*fs, "/f", "hello");
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  }
}

TEST_F(FileWriterTest, GivesUpAfterSomeTries) {
  FakeCluster cluster(8);
  for (int i = 0; i < 8; ++i) cluster.datanode(i).SetFaults({.refuse_after_packets = 0});
  const auto fs = cluster.Connect();
  const absl::Status status = cluster.Write(*fs, "/f", "hello");
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("cannot write a block after 5 tries"));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("No space left on device"));
}

TEST_F(FileWriterTest, TheLeaseIsRenewedWhileAFileIsOpen) {
  cluster_.namenode().SetLeaseSoftLimit(60);
  const auto fs = cluster_.Connect();
  auto out = fs->Create("/f", {});
  ASSERT_TRUE(out.ok());
  ASSERT_TRUE(testing::WaitUntil(
      30'000, [&] { return cluster_.namenode().calls("RenewLease").size() >= 3; }));
  EXPECT_EQ(cluster_.namenode().calls("RenewLease")[0].client_id,
            cluster_.namenode().calls("Create")[0].client_id);
}

}  // namespace
}  // namespace cairn
