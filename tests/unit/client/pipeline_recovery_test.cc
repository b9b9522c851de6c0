// What a writer does when DataNodes fail in the middle of a block.
#include "client/pipeline_recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/status.h"
#include "tests/support/process.h"
#include "tests/unit/client/recovery_fixture.h"

namespace cairn {
namespace {

using testing::FakeCluster;
using testing::FakeDataNode;
using testing::kBlock;
using testing::kPacket;

class PipelineRecoveryTest : public testing::RecoveryFixture {};

TEST_F(PipelineRecoveryTest, GoesOnWithTheOthersFromTheLastAcknowledgedByte) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(5 * kPacket + 1).ok());
  cluster.datanode(1).SetFaults({.refuse_after_packets = 0});
  ExpectFinishes(cluster, kBlock, {10, 30});
  EXPECT_EQ(cluster.namenode().runs("NewStamp"), 1);
  EXPECT_EQ(cluster.namenode().runs("UpdatePipeline"), 1);
  EXPECT_EQ(cluster.namenode().runs("AbandonBlock"), 0);
  const std::vector<v1::WriteHeader> headers = cluster.datanode(0).headers();
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers[1].stage(), v1::WriteHeader::RECOVER);
  EXPECT_EQ(headers[1].from_generation(), headers[0].block().generation());
  // The packet that was on its way when the fault came may have got through.
  EXPECT_THAT(headers[1].from_length(), ::testing::AnyOf(4 * kPacket, 5 * kPacket));
  EXPECT_EQ(headers[1].block().length(), kBlock);
  EXPECT_EQ(headers[1].targets_size(), 1);
  // What the first node had beyond what all had came again; nothing before that did.
  EXPECT_LE(cluster.datanode(0).resent_packets(), 1);
  EXPECT_EQ(cluster.datanode(2).resent_packets(), 0);
}

TEST_F(PipelineRecoveryTest, EveryNodeMayFail) {
  for (int failing = 0; failing < 3; ++failing) {
    for (const FakeDataNode::Faults& faults :
         {FakeDataNode::Faults{.refuse_after_packets = 0},
          FakeDataNode::Faults{.refuse_after_packets = 0, .refuse_kind = ErrorKind::kNoSpace},
          FakeDataNode::Faults{.stopped = true}}) {
      FakeCluster& cluster = Start(3);
      Create(cluster, Impatient());
      ASSERT_TRUE(Write(5 * kPacket + 1).ok());
      cluster.datanode(failing).SetFaults(faults);
      std::vector<uint32_t> left = {10, 20, 30};
      left.erase(left.begin() + failing);
      ExpectFinishes(cluster, kBlock + 10, left);
    }
  }
}

TEST_F(PipelineRecoveryTest, AFirstNodeMayDie) {
  FakeCluster& cluster = Start(3);
  Create(cluster);
  ASSERT_TRUE(Write(5 * kPacket + 1).ok());
  cluster.datanode(0).SetFaults({.die_after_packets = 0});
  ExpectFinishes(cluster, kBlock, {20, 30});
}

TEST_F(PipelineRecoveryTest, ABlockLosesNodeAfterNodeAndGetsOthers) {
  FakeCluster& cluster = Start(6);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  ASSERT_TRUE(Write(3 * kPacket).ok());
  EXPECT_EQ(cluster.datanode(3).copies(), 0);  // two of three are enough to go on
  cluster.datanode(1).SetFaults({.refuse_after_packets = 0});
  ASSERT_TRUE(Write(3 * kPacket).ok());
  EXPECT_EQ(cluster.datanode(3).copies(), 1);  // one is not
  EXPECT_EQ(cluster.datanode(4).copies(), 1);
  cluster.datanode(2).SetFaults({.refuse_after_packets = 0});
  ExpectFinishes(cluster, kBlock, {40, 50});
  EXPECT_EQ(cluster.namenode().runs("UpdatePipeline"), 3);
}

TEST_F(PipelineRecoveryTest, AFlushedBlockGetsEveryNodeReplaced) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  ASSERT_TRUE(out_->HFlush().ok());
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  ASSERT_TRUE(Write(3 * kPacket).ok());
  ASSERT_TRUE(out_->HFlush().ok());
  // The newcomer has the flushed bytes, and takes part in the next flush.
  EXPECT_EQ(cluster.datanode(3).copies(), 1);
  EXPECT_TRUE(cluster.datanode(3).OpenReplica(FirstBlock(cluster)) == bytes_);
  ExpectFinishes(cluster, kBlock, {20, 30, 40});
}

TEST_F(PipelineRecoveryTest, TwoNodesThatMustBeTwoAreReplaced) {
  FakeCluster& cluster = Start(3);
  Create(cluster, OneByOne(), {.replication = 2});
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(1).SetFaults({.refuse_after_packets = 0});
  ExpectFinishes(cluster, kBlock, {10, 30});
}

TEST_F(PipelineRecoveryTest, AStampThatDidNotWorkIsFollowedByAnother) {
  FakeCluster& cluster = Start(6);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  const uint64_t first = cluster.datanode(2).Generation(FirstBlock(cluster));
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  cluster.datanode(1).SetFaults({.refuse_recovery = true});
  ASSERT_TRUE(Write(kPacket).ok());
  ExpectFinishes(cluster, kBlock, {30, 40, 50});
  EXPECT_EQ(cluster.namenode().runs("NewStamp"), 2);
  EXPECT_EQ(cluster.namenode().runs("UpdatePipeline"), 1);
  // The stamp that is taken over is that of the last pipeline that was journaled.
  EXPECT_EQ(cluster.datanode(2).headers().back().from_generation(), first);
  EXPECT_EQ(cluster.datanode(2).headers().back().block().generation(),
            cluster.namenode().file().blocks[0].block().generation());
}

TEST_F(PipelineRecoveryTest, ANewcomerThatTakesNoCopyIsFollowedByAnother) {
  FakeCluster& cluster = Start(5);
  Create(cluster, OneByOne(), {.replication = 2});
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(1).SetFaults({.refuse_after_packets = 0});
  cluster.datanode(2).SetFaults({.refuse_copies = true});
  cluster.datanode(3).SetFaults({.stopped = true});
  ExpectFinishes(cluster, kBlock, {10, 50});
}

TEST_F(PipelineRecoveryTest, ANewcomerThatFailsLaterIsFollowedByAnother) {
  FakeCluster& cluster = Start(5);
  Create(cluster, OneByOne(), {.replication = 2});
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(1).SetFaults({.refuse_after_packets = 0});
  cluster.datanode(2).SetFaults({.refuse_recovery = true});
  cluster.datanode(3).SetFaults({.refuse_after_packets = 2});
  ExpectFinishes(cluster, kBlock, {10, 50});
}

TEST_F(PipelineRecoveryTest, CopiesComeFromASurvivorWhoseBytesAreGood) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  ASSERT_TRUE(out_->HFlush().ok());
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  cluster.datanode(1).SetFaults({.corrupt_copies = true});
  ExpectFinishes(cluster, kBlock, {20, 30, 40});
}

// Better fewer nodes than a writer that waits for copies that do not come about.
TEST_F(PipelineRecoveryTest, GoesOnWithoutReplacementsThatDoNotComeAbout) {
  FakeCluster& cluster = Start(7);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  ASSERT_TRUE(out_->HFlush().ok());
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  for (int i = 3; i < 7; ++i) cluster.datanode(i).SetFaults({.refuse_copies = true});
  ExpectFinishes(cluster, kBlock, {20, 30});
  EXPECT_EQ(cluster.namenode().runs("NewStamp"), 3);
}

TEST_F(PipelineRecoveryTest, ASourceThatFallsSilentIsFollowedByAnother) {
  FakeCluster& cluster = Start(4);
  Create(cluster, Impatient());
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  ASSERT_TRUE(out_->HFlush().ok());
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  cluster.datanode(1).SetFaults({.stall_copies = true});
  ExpectFinishes(cluster, kBlock, {30, 40});
}

TEST_F(PipelineRecoveryTest, SeveralNodesThatFailAtOnceCostOneRecovery) {
  FakeCluster& cluster = Start(8);
  Create(cluster, Impatient());
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(0).SetFaults({.stopped = true});
  cluster.datanode(1).SetFaults({.stopped = true});
  cluster.datanode(3).SetFaults({.stopped = true});
  ExpectFinishes(cluster, kBlock, {30, 50});
  EXPECT_EQ(cluster.namenode().runs("NewStamp"), 1);
}

TEST_F(PipelineRecoveryTest, ALostReplicaMakesNoSurvivor) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  cluster.datanode(1).SetFaults({.lost_replicas = true});
  ExpectFinishes(cluster, kBlock, {30, 40});
}

// As after a power cut.
TEST_F(PipelineRecoveryTest, AReplicaThatLostAcknowledgedBytesMakesNoSurvivor) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  ASSERT_TRUE(out_->HFlush().ok());
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  cluster.datanode(1).CutReplica(FirstBlock(cluster), 2 * kPacket);
  ExpectFinishes(cluster, kBlock, {30, 40});
}

TEST_F(PipelineRecoveryTest, TheLastPacketMayFailWhenSomeHaveFinished) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(kBlock - 1).ok());
  cluster.datanode(1).SetFaults({.refuse_after_packets = 15});
  ExpectFinishes(cluster, kBlock, {10, 30});
  // The first had finished: it was opened again.
  EXPECT_EQ(cluster.datanode(0).recoveries(), 1);
  EXPECT_EQ(cluster.datanode(0).resent_packets(), 1);
}

TEST_F(PipelineRecoveryTest, TheAckOfTheLastPacketMayBeLost) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 100).ok());
  cluster.datanode(0).SetFaults({.die_after_last = 0});
  ExpectFinishes(cluster, 3 * kPacket + 100, {20, 30});
  EXPECT_EQ(cluster.datanode(2).resent_packets(), 1);
}

TEST_F(PipelineRecoveryTest, TooFewOnDiskAtTheEndAreReplaced) {
  FakeCluster& cluster = Start(5);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 100).ok());
  cluster.datanode(0).SetFaults({.short_on_disk = true});
  cluster.datanode(1).SetFaults({.short_on_disk = true});
  ExpectFinishes(cluster, 3 * kPacket + 100, {30, 40, 50});
}

TEST_F(PipelineRecoveryTest, NobodyIsLeftOutForTheWritersOwnSilence) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(0).SetFaults({.end_idle_after_packets = 6});
  ExpectFinishes(cluster, 9 * kPacket, {10, 20, 30});
  EXPECT_EQ(cluster.namenode().runs("UpdatePipeline"), 1);
}

TEST_F(PipelineRecoveryTest, AHangingDiskIsLeftOut) {
  FakeCluster& cluster = Start(3);
  TransferOptions transfer = OneByOne();
  transfer.max_progress_ms = 2'000;  // and 2 s for every node behind
  Create(cluster, transfer, {.replication = 2});
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(0).SetFaults({.hang_after_packets = 0});
  ExpectFinishes(cluster, kBlock, {20, 30});
}

TEST_F(PipelineRecoveryTest, AWrongAckIsAFailure) {
  FakeCluster& cluster = Start(3);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(0).SetFaults({.wrong_ack_after_packets = 0});
  ExpectFinishes(cluster, kBlock, {20, 30});
}

TEST_F(PipelineRecoveryTest, BadBytesAreTheirSendersFaultAtFirst) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(1).SetFaults({.corrupts_mirror = true});
  ExpectFinishes(cluster, kBlock, {10, 30});
  EXPECT_EQ(cluster.namenode().runs("UpdatePipeline"), 1);
}

TEST_F(PipelineRecoveryTest, ANodeThatGoesOnComplainingIsAtFaultItself) {
  FakeCluster& cluster = Start(5);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(2).SetFaults({.refuse_after_packets = 0, .refuse_kind = ErrorKind::kChecksum});
  ExpectFinishes(cluster, kBlock, {10, 40, 50});
}

}  // namespace
}  // namespace cairn
