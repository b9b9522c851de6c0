// Where pipeline recovery ends: slow nodes, clear errors, and how long a user waits at most.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "common/status.h"
#include "tests/support/process.h"
#include "tests/unit/client/recovery_fixture.h"

namespace cairn {
namespace {

using testing::FakeCluster;
using ::testing::HasSubstr;
using testing::kBlock;
using testing::kPacket;

class PipelineLimitsTest : public testing::RecoveryFixture {};

TransferOptions QuickToJudge() {
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.slow_window_ms = 1'000;
  return transfer;
}

// Alone, it is better than nothing; beside others, it goes.
TEST_F(PipelineLimitsTest, ASlowNodeIsLeftOutWhereTheOthersAreEnough) {
  FakeCluster& cluster = Start(4);
  Create(cluster, QuickToJudge());
  cluster.datanode(2).SetFaults({.packet_ms = 400});
  ExpectFinishes(cluster, kBlock, {10, 20});
}

TEST_F(PipelineLimitsTest, ASlowNodeStaysWhereTheOthersAreTooFew) {
  FakeCluster& cluster = Start(2);
  Create(cluster, QuickToJudge());
  cluster.datanode(1).SetFaults({.packet_ms = 400});
  ExpectFinishes(cluster, kBlock, {10, 20});
  EXPECT_EQ(cluster.namenode().runs("UpdatePipeline"), 1);  // it was tried once
}

TEST_F(PipelineLimitsTest, ASlowLinkIsJudgedWithMorePatience) {
  FakeCluster& cluster = Start(4);
  Create(cluster, QuickToJudge());
  cluster.datanode(2).SetFaults({.link_ms = 400});
  ASSERT_TRUE(Write(9 * kPacket).ok());  // about two windows
  EXPECT_EQ(cluster.namenode().runs("NewStamp"), 0);
  ExpectFinishes(cluster, kBlock, {10, 20});
  EXPECT_EQ(cluster.namenode().runs("UpdatePipeline"), 1);
}

TEST_F(PipelineLimitsTest, ASlowNetworkIsNobodysFault) {
  FakeCluster& cluster = Start(9);
  Create(cluster, QuickToJudge());
  for (int i = 0; i < 9; ++i) cluster.datanode(i).SetFaults({.link_ms = 30});
  const std::string more = testing::Bytes(3 * kBlock);
  ASSERT_TRUE(out_->Write(more).ok());
  ASSERT_TRUE(out_->Close().ok());
  // Where processors are slow, too, blame may fall on one; not again and again.
  EXPECT_LE(cluster.namenode().runs("UpdatePipeline"), 4);
  EXPECT_TRUE(cluster.Stored() == more);
}

TEST_F(PipelineLimitsTest, TooFewNodesIsAClearError) {
  FakeCluster& cluster = Start(2);
  TransferOptions transfer = Impatient();
  transfer.write_attempts = 3;
  Create(cluster, transfer);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(1).SetFaults({.stopped = true});
  absl::Status status = Write(kBlock / 2);
  EXPECT_EQ(KindOf(status), ErrorKind::kNotEnoughDataNodes) << status;
  EXPECT_EQ(MessageOf(status), "need 2 healthy DataNodes, 1 available; add one or use -r 1");
  EXPECT_EQ(out_->Close(), status);
}

// As in a restart of one DataNode after the other.
TEST_F(PipelineLimitsTest, ANodeThatFailedIsTakenBackWhenTheOthersAreTooFew) {
  FakeCluster& cluster = Start(2);
  TransferOptions transfer = OneByOne();
  transfer.write_attempts = 20;
  Create(cluster, transfer);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.datanode(0).SetFaults({.die_after_packets = 0});
  cluster.namenode().LoseAnswer("NewStamp", 1);
  // It is back before the writer asks again.
  absl::Status status = absl::UnknownError("not run");
  std::thread writer([&] { status = Write(2 * kPacket); });
  EXPECT_TRUE(testing::WaitUntil(20'000, [&] { return cluster.namenode().runs("NewStamp") > 0; }));
  cluster.datanode(0).SetFaults({});
  writer.join();
  ASSERT_TRUE(status.ok()) << status;
  ExpectFinishes(cluster, kBlock, {10, 20});
}

TEST_F(PipelineLimitsTest, AllNodesGoneIsAClearError) {
  FakeCluster& cluster = Start(5);
  TransferOptions transfer = Impatient();
  transfer.write_attempts = 3;
  Create(cluster, transfer);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  for (int i = 0; i < 3; ++i) cluster.datanode(i).Stop();
  const absl::Status status = Write(kBlock / 2);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("no DataNode is left of the 3 that wrote"));
}

TEST_F(PipelineLimitsTest, FullDisksEverywhereAreSaidSo) {
  FakeCluster& cluster = Start(2);
  TransferOptions transfer = OneByOne();
  transfer.write_attempts = 3;
  Create(cluster, transfer);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  for (int i = 0; i < 2; ++i) {
    cluster.datanode(i).SetFaults({.refuse_after_packets = 0, .refuse_kind = ErrorKind::kNoSpace});
  }
  const absl::Status status = Write(kBlock / 2);
  EXPECT_EQ(KindOf(status), ErrorKind::kNoSpace) << status;
}

TEST_F(PipelineLimitsTest, NodesThatGoOnFailingEndTheTries) {
  FakeCluster& cluster = Start(9);
  TransferOptions transfer = OneByOne();
  transfer.write_attempts = 4;
  Create(cluster, transfer);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  for (int i = 0; i < 9; ++i) cluster.datanode(i).SetFaults({.refuse_after_packets = 0});
  const absl::Status status = Write(kBlock / 2);
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("cannot write a block after 4 tries"));
}

// A day of writing outlives more failures than a block may have without getting on.
TEST_F(PipelineLimitsTest, TriesCountAnewWithEveryByteThatGetsOn) {
  FakeCluster& cluster = Start(9);
  TransferOptions transfer = OneByOne();
  transfer.write_attempts = 2;
  Create(cluster, transfer);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Write(kPacket).ok()) << i;
    ASSERT_TRUE(out_->HFlush().ok()) << i;
    cluster.datanode(i).SetFaults({.refuse_after_packets = 0});
  }
  ExpectFinishes(cluster, kBlock, {70, 80, 90});
}

TEST_F(PipelineLimitsTest, AFileThatWasTakenOverIsAClearErrorAtOnce) {
  FakeCluster& cluster = Start(3);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.namenode().TakeOver();
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  const absl::Status status = Write(kBlock / 2);
  EXPECT_EQ(KindOf(status), ErrorKind::kLeaseLost) << status;
  EXPECT_EQ(cluster.namenode().calls("NewStamp").size(), 1u);
}

TEST_F(PipelineLimitsTest, SoItIsWhenItsNodesHaveLostTheReplicas) {
  FakeCluster& cluster = Start(3);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  cluster.namenode().TakeOver();
  for (int i = 0; i < 3; ++i) {
    cluster.datanode(i).SetFaults({.refuse_after_packets = 0, .lost_replicas = true});
  }
  const absl::Status status = Write(kBlock / 2);
  EXPECT_EQ(KindOf(status), ErrorKind::kLeaseLost) << status;
  EXPECT_EQ(cluster.namenode().calls("NewStamp").size(), 1u);
}

TEST_F(PipelineLimitsTest, LostAnswersOfTheNameNodeAreNotNoticed) {
  FakeCluster& cluster = Start(4);
  Create(cluster);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  ASSERT_TRUE(out_->HFlush().ok());
  cluster.datanode(0).SetFaults({.refuse_after_packets = 0});
  cluster.namenode().LoseAnswer("NewStamp", 1);
  cluster.namenode().LoseAnswer("UpdatePipeline", 2);
  ExpectFinishes(cluster, kBlock, {20, 30, 40});
  EXPECT_EQ(cluster.namenode().runs("NewStamp"), 1);
  EXPECT_EQ(cluster.namenode().runs("UpdatePipeline"), 1);
}

// With the limits of a real cluster. A user must not wait longer than 5 s; this machine may be
// slow.
constexpr std::chrono::seconds kLongestWait{10};

TEST_F(PipelineLimitsTest, TwoNodesThatAreStoppedHoldAWriterUpForSecondsAtMost) {
  FakeCluster& cluster = Start(6);
  TransferOptions transfer;
  transfer.packet_bytes = kPacket;
  Create(cluster, transfer);
  ASSERT_TRUE(Write(3 * kPacket + 1).ok());
  ASSERT_TRUE(out_->HFlush().ok());
  cluster.datanode(0).SetFaults({.stopped = true});
  cluster.datanode(1).SetFaults({.stopped = true});
  const auto start = std::chrono::steady_clock::now();
  ExpectFinishes(cluster, kBlock, {30, 40, 50});
  EXPECT_LT(std::chrono::steady_clock::now() - start, kLongestWait);
}

TEST_F(PipelineLimitsTest, SoDoTwoStoppedNodesOfANewBlock) {
  FakeCluster& cluster = Start(6);
  TransferOptions transfer;
  transfer.packet_bytes = kPacket;
  cluster.datanode(0).SetFaults({.stopped = true});
  cluster.datanode(3).SetFaults({.stopped = true});
  Create(cluster, transfer);
  const auto start = std::chrono::steady_clock::now();
  ExpectFinishes(cluster, kBlock, {20, 30, 50});
  EXPECT_LT(std::chrono::steady_clock::now() - start, kLongestWait);
}

}  // namespace
}  // namespace cairn
