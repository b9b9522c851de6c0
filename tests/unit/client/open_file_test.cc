// Reading files that are being written, and streams that wait for their readers.
#include "client/open_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>
#include <thread>

#include "common/crc32c.h"
#include "common/status.h"
#include "tests/support/process.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;
using testing::FakeNameNode;
using ::testing::HasSubstr;
using testing::WaitUntil;

constexpr uint64_t kBlock = 256 << 10;

class OpenFileTest : public ::testing::Test {
 protected:
  OpenFileTest() {
    auto out = fs_->Create("/f", {.block_size = kBlock});
    EXPECT_TRUE(out.ok()) << out.status();
    out_ = *std::move(out);
  }

  void Flush(uint64_t count) {
    const std::string more = Bytes(count);
    bytes_ += more;
    ASSERT_TRUE(out_->Write(more).ok());
    ASSERT_TRUE(out_->HFlush().ok());
  }
  // What somebody else sees, who opens the file now.
  absl::StatusOr<std::string> ReadAll() {
    const auto fs = cluster_.Connect(transfer_);
    ASSIGN_OR_RETURN(const auto in, fs->Open("/f"));
    std::string all(in->length(), '\0');
    ASSIGN_OR_RETURN(const size_t count, in->Read(all));
    if (count != all.size()) return absl::InternalError("short");
    return all;
  }
  void ExpectRead() {
    const absl::StatusOr<std::string> all = ReadAll();
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(all->size(), bytes_.size());
    EXPECT_TRUE(*all == bytes_);
  }

  FakeCluster cluster_{4};
  TransferOptions transfer_ = FakeCluster::FastTransfer();
  std::unique_ptr<FileSystem> fs_ = cluster_.Connect();
  std::unique_ptr<OutputStream> out_;
  std::string bytes_;
};

TEST_F(OpenFileTest, ReadersSeeEveryFlushedByte) {
  ExpectRead();  // nothing yet
  Flush(1);
  ExpectRead();
  Flush(100'000);
  ExpectRead();
  Flush(kBlock);
  ExpectRead();
  Flush(5 * kBlock);
  ExpectRead();
  ASSERT_TRUE(out_->Close().ok());
  ExpectRead();
}

TEST_F(OpenFileTest, SoTheyDoAfterARecovery) {
  Flush(100'000);
  cluster_.datanode(0).SetFaults({.refuse_after_packets = 0});
  Flush(10'000);
  ExpectRead();
}

TEST_F(OpenFileTest, OneNodeIsEnoughToKnowTheLength) {
  Flush(100'000);
  cluster_.datanode(0).Stop();
  cluster_.datanode(1).SetFaults({.lost_replicas = true});
  ExpectRead();
}

// It came back with less, after a power cut.
TEST_F(OpenFileTest, AShortReplicaHidesNothing) {
  Flush(100'000);
  cluster_.datanode(0).CutReplica(cluster_.namenode().file().blocks[0].block().id(), 50'000);
  ExpectRead();
  EXPECT_EQ(cluster_.datanode(0).reads(), 0);
}

TEST_F(OpenFileTest, ALengthThatNobodyTellsIsAnError) {
  Flush(100'000);
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).Stop();
  const absl::Status status = ReadAll().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("is being written, and its length"));
}

// Its replica was lost, or never came: what silent nodes have may have been acknowledged.
TEST_F(OpenFileTest, ANodeWithoutAReplicaDoesNotSpeakForSilentOnes) {
  Flush(100'000);
  cluster_.datanode(0).SetFaults({.lost_replicas = true});
  for (int i = 1; i < 3; ++i) cluster_.datanode(i).Stop();
  const absl::Status status = ReadAll().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST_F(OpenFileTest, NorForOnesThatTheNameNodeDoesNotSee) {
  Flush(100'000);
  cluster_.datanode(0).SetFaults({.lost_replicas = true});
  for (NodeNumber node = 2; node <= 3; ++node) cluster_.namenode().TakeForDead(node);
  transfer_.missing_ms = 300;
  const absl::Status status = ReadAll().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("not all of its DataNodes are live"));
  cluster_.datanode(0).SetFaults({});
  ExpectRead();
}

// It has just started, and they report one by one.
TEST_F(OpenFileTest, TheyAreWaitedFor) {
  Flush(100'000);
  transfer_.missing_ms = 60'000;
  FakeNameNode& namenode = cluster_.namenode();
  for (NodeNumber node = 1; node <= 3; ++node) namenode.TakeForDead(node);
  const size_t before = namenode.calls("GetBlockLocations").size();
  std::thread reports([&] {
    EXPECT_TRUE(WaitUntil(
        20'000, [&] { return namenode.calls("GetBlockLocations").size() >= before + 6; }));
    namenode.SeeAgain(2);
  });
  ExpectRead();
  reports.join();
}

TEST_F(OpenFileTest, ANodeThatWasRestartedDoesNotSayThatThereIsNothing) {
  Flush(100'000);
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.restarted = true});
  const absl::Status status = ReadAll().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("restarted"));
  cluster_.datanode(1).SetFaults({});
  ExpectRead();
}

TEST_F(OpenFileTest, ABlockThatNoNodeHasIsEmpty) {
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.lost_replicas = true});
  ExpectRead();
}

TEST_F(OpenFileTest, AnAppendedFileIsReadBeforeAndAfterItsFirstByte) {
  Flush(100'000);
  ASSERT_TRUE(out_->Close().ok());
  out_ = *fs_->Append("/f", {});
  ExpectRead();
  Flush(5);
  ExpectRead();
}

TEST_F(OpenFileTest, AReaderGoesOnWhenTheFileGrowsAndItsNodesChange) {
  Flush(100'000);
  const auto in = fs_->Open("/f");
  ASSERT_TRUE(in.ok());
  std::string buffer(100'000, '\0');
  ASSERT_EQ((*in)->Read(std::span<char>(buffer).first(10)).value(), 10u);
  cluster_.datanode(1).SetFaults({.refuse_after_packets = 0});
  Flush(10'000);
  ASSERT_TRUE(out_->Close().ok());
  cluster_.datanode(0).SetFaults({.lost_replicas = true});
  (*in)->Close();
  const auto again = (*in)->PRead(10, buffer);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, 99'990u);
  EXPECT_TRUE(buffer.substr(0, *again) == bytes_.substr(10, *again));
}

TEST_F(OpenFileTest, ItsChecksumIsThatOfWhatMayBeRead) {
  Flush(kBlock + 100'000);
  const auto checksum = fs_->Checksum("/f");
  ASSERT_TRUE(checksum.ok()) << checksum.status();
  EXPECT_EQ(checksum->crc32c, Crc32c(bytes_));
}

TEST_F(OpenFileTest, AReaderThatWasTakenForIdleReadsOnAtTheSameNode) {
  Flush(kBlock);
  ASSERT_TRUE(out_->Close().ok());
  cluster_.datanode(0).SetFaults({.idle_after_packets = 1});
  ExpectRead();
  EXPECT_EQ(cluster_.datanode(0).reads(), 4);  // packets of 64 KiB
  EXPECT_EQ(cluster_.datanode(1).reads(), 0);
}

TEST_F(OpenFileTest, ANodeThatTakesEveryReaderForIdleHasFailed) {
  Flush(kBlock);
  ASSERT_TRUE(out_->Close().ok());
  cluster_.datanode(0).SetFaults({.idle_after_packets = 0});
  ExpectRead();
  EXPECT_EQ(cluster_.datanode(0).reads(), 2);
  EXPECT_EQ(cluster_.datanode(1).reads(), 1);
}

// A disk may be busy for longer than a writer would wait for a node.
TEST_F(OpenFileTest, ReplicasThatAreAllSlowAreWaitedFor) {
  Flush(kBlock);
  ASSERT_TRUE(out_->Close().ok());
  transfer_.stall_ms = 1'000;
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.read_delay_ms = 5'000});
  ExpectRead();
  EXPECT_EQ(cluster_.datanode(0).reads(), 2);
}

}  // namespace
}  // namespace cairn
