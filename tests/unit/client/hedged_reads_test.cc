// Reads beside a node that is late, at the start or in the middle: another replica is read, every
// byte arrives once and in order, and what is not needed any more is let go.
#include <gtest/gtest.h>

#include <utility>

#include "client/replica_race.h"
#include "common/status.h"
#include "tests/support/process.h"
#include "tests/support/relay.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;
using testing::FakeDataNode;
using testing::WaitUntil;

constexpr uint64_t kBlock = 256 << 10;  // four packets of a fake DataNode
constexpr uint64_t kSize = 3 * kBlock + 10'001;
constexpr int64_t kPatienceMs = 120'000;  // of a test

class HedgedReadsTest : public ::testing::Test {
 protected:
  HedgedReadsTest() {
    const absl::Status status = cluster_.Write(*fs_, "/f", bytes_, {.block_size = kBlock});
    EXPECT_TRUE(status.ok()) << status;
  }

  // A node that says nothing would be given up after longer than a test may take.
  static TransferOptions Hedged() {
    TransferOptions transfer = FakeCluster::FastTransfer();
    transfer.stall_ms = transfer.max_progress_ms = 10 * kPatienceMs;
    transfer.hedge_share = 1;
    return transfer;
  }

  std::unique_ptr<InputStream> Open() {
    auto in = fs_->Open("/f");
    EXPECT_TRUE(in.ok()) << in.status();
    return *std::move(in);
  }

  void ExpectReadsAll(size_t piece) {
    const auto in = Open();
    std::string all;
    std::string buffer(piece, '\0');
    while (true) {
      const absl::StatusOr<size_t> count = in->Read(buffer);
      ASSERT_TRUE(count.ok()) << count.status();
      if (*count == 0) break;
      all.append(buffer, 0, *count);
    }
    EXPECT_EQ(all.size(), bytes_.size());
    EXPECT_TRUE(all == bytes_);
  }

  FakeCluster cluster_{3};
  const std::unique_ptr<FileSystem> fs_ = cluster_.Connect(Hedged());
  const std::string bytes_ = Bytes(kSize);
};

TEST_F(HedgedReadsTest, ASilentNodeIsNotWaitedFor) {
  cluster_.datanode(0).SetFaults({.stall_reads = true});
  ExpectReadsAll(10'000);
  const ReadStatistics statistics = fs_->GetReadStatistics();
  EXPECT_GE(statistics.hedged, 1u);
  EXPECT_GE(statistics.hedge_won, 1u);
  EXPECT_LE(statistics.hedge_won, statistics.hedged);
  EXPECT_EQ(statistics.failures, 0u);
}

TEST_F(HedgedReadsTest, TheOneThatLostIsBrokenOff) {
  cluster_.datanode(0).SetFaults({.stall_reads = true});
  const auto in = Open();
  std::string buffer(100, '\0');
  ASSERT_EQ(in->PRead(5, buffer).value(), 100u);
  EXPECT_TRUE(buffer == bytes_.substr(5, 100));
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return cluster_.datanode(0).broken_off_reads() == 1; }));
}

TEST_F(HedgedReadsTest, ANodeThatFallsSilentInTheMiddleIsLeft) {
  cluster_.datanode(0).SetFaults({.stall_after_read_packets = 2});
  ExpectReadsAll(kSize);
  EXPECT_GE(fs_->GetReadStatistics().hedge_won, 1u);
  EXPECT_EQ(fs_->GetReadStatistics().failures, 0u);
}

TEST_F(HedgedReadsTest, OneReplicaOfThreeIsEnough) {
  cluster_.datanode(0).SetFaults({.stall_reads = true});
  cluster_.datanode(1).SetFaults({.stall_after_read_packets = 1});
  ExpectReadsAll(kSize);
  cluster_.datanode(1).Stop();
  ExpectReadsAll(100'000);
}

TEST_F(HedgedReadsTest, AHedgeThatFailsIsFollowedByAnother) {
  cluster_.datanode(0).SetFaults({.stall_reads = true});
  cluster_.datanode(1).SetFaults({.corrupt_reads = true});
  ExpectReadsAll(kSize);
  EXPECT_GE(fs_->GetReadStatistics().failures, 1u);
}

TEST_F(HedgedReadsTest, ANodeThatStaysSilentIsSoonAskedLast) {
  cluster_.datanode(0).SetFaults({.stall_reads = true});
  const auto in = Open();
  std::string buffer(100, '\0');
  for (uint64_t i = 0; i < 40; ++i) {
    ASSERT_EQ(in->PRead(i * 1'000, buffer).value(), 100u);
    ASSERT_TRUE(buffer == bytes_.substr(i * 1'000, 100));
  }
  EXPECT_LT(cluster_.datanode(0).reads(), 30);  // it is tried again, now and then
  cluster_.datanode(0).SetFaults({});
  const int before = cluster_.datanode(0).reads();
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] {
    EXPECT_TRUE(in->PRead(7, buffer).ok());
    return cluster_.datanode(0).reads() >= before + 3;
  })) << "it is not used again";
}

TEST_F(HedgedReadsTest, ABadChecksumInTheMiddleCostsNoByte) {
  cluster_.datanode(0).SetFaults({.corrupt_read_packet = 2});
  ExpectReadsAll(kSize);
  EXPECT_GE(cluster_.datanode(0).verifies(), 1);
}

TEST_F(HedgedReadsTest, WithoutABudgetAStalledNodeIsGivenUp) {
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.stall_ms = 1'500;
  const auto fs = cluster_.Connect(transfer);
  cluster_.datanode(0).SetFaults({.stall_reads = true});
  const auto in = fs->Open("/f");
  ASSERT_TRUE(in.ok()) << in.status();
  std::string buffer(100, '\0');
  ASSERT_EQ((*in)->PRead(5, buffer).value(), 100u);
  EXPECT_EQ(fs->GetReadStatistics().hedged, 0u);
  EXPECT_GE(fs->GetReadStatistics().failures, 1u);
}

TEST_F(HedgedReadsTest, ANodeThatTakesNoConnectionIsNotWaitedFor) {
  // Connections are taken by the kernel, and nobody ever speaks on them.
  const auto relay = testing::Relay::Start();
  ASSERT_TRUE(relay.ok()) << relay.status();
  (*relay)->Hold();
  cluster_.datanode(0).AdvertiseAs((*relay)->address());
  const auto fs = cluster_.Connect(Hedged());
  const auto in = fs->Open("/f");
  ASSERT_TRUE(in.ok()) << in.status();
  std::string buffer(100, '\0');
  ASSERT_EQ((*in)->PRead(5, buffer).value(), 100u);
  EXPECT_TRUE(buffer == bytes_.substr(5, 100));
  EXPECT_GE(fs->GetReadStatistics().hedge_won, 1u);
}

TEST_F(HedgedReadsTest, OptionsThatMakeNoSenseAreRefused) {
  for (const auto& [share, min_ms] : {std::pair<double, int64_t>{-0.1, 10}, {1.1, 10}, {0.5, 0}}) {
    TransferOptions transfer;
    transfer.hedge_share = share;
    transfer.hedge_min_ms = min_ms;
    EXPECT_EQ(
        KindOf(FileSystem::Connect({.namenodes = {"127.0.0.1:1"}, .transfer = transfer}).status()),
        ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace cairn
