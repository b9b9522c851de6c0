#include "client/file_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "common/crc32c.h"
#include "common/status.h"
#include "tests/support/process.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;
using testing::FakeDataNode;
using testing::FakeNameNode;
using ::testing::HasSubstr;
using testing::WaitUntil;

constexpr uint64_t kBlock = 256 << 10;  // four packets of a fake DataNode
constexpr uint64_t kSize = 3 * kBlock + 10'001;

class FileReaderTest : public ::testing::Test {
 protected:
  FileReaderTest() {
    const absl::Status status = cluster_.Write(*fs_, "/f", bytes_, {.block_size = kBlock});
    EXPECT_TRUE(status.ok()) << status;
  }

  std::unique_ptr<InputStream> Open() {
    auto in = fs_->Open("/f");
    EXPECT_TRUE(in.ok()) << in.status();
    return *std::move(in);
  }

  // All of the file, by reads of `piece` bytes.
  absl::StatusOr<std::string> ReadAll(InputStream& in, size_t piece) {
    std::string all;
    std::string buffer(piece, '\0');
    while (true) {
      ASSIGN_OR_RETURN(const size_t count, in.Read(std::span<char>(buffer)));
      if (count == 0) return all;
      all.append(buffer, 0, count);
    }
  }

  // A fault of the nearest node: every byte arrives all the same.
  void ExpectSurvives(FakeDataNode::Faults faults, size_t piece = 10'000) {
    cluster_.datanode(0).SetFaults(faults);
    const auto in = Open();
    const auto all = ReadAll(*in, piece);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE(*all == bytes_);
  }

  FakeCluster cluster_{3};
  const std::unique_ptr<FileSystem> fs_ = cluster_.Connect();
  const std::string bytes_ = Bytes(kSize);
};

TEST_F(FileReaderTest, ReadsInSequenceWithFewStreams) {
  for (const auto& [piece, streams] :
       {std::pair<size_t, int>{1000, 6}, {64 << 10, 5}, {kSize + 1, 4}}) {
    const int before = cluster_.datanode(0).reads();
    const auto in = Open();
    const auto all = ReadAll(*in, piece);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE(*all == bytes_);
    EXPECT_EQ(cluster_.datanode(0).reads() - before, streams);
    EXPECT_EQ(in->position(), kSize);
    EXPECT_EQ(in->length(), kSize);
  }
}

TEST_F(FileReaderTest, ReadsThatJumpAskForNoMoreThanTheyWant) {
  const auto in = Open();
  std::string buffer(5'000, '\0');
  for (const uint64_t offset : {uint64_t{kBlock + 100}, uint64_t{7}, uint64_t{2 * kBlock}}) {
    ASSERT_TRUE(in->Seek(offset).ok());
    ASSERT_EQ(in->Read(buffer).value(), buffer.size());
    ASSERT_EQ(in->PRead(offset + 50'000, buffer).value(), buffer.size());
  }
  const auto requests = cluster_.datanode(0).read_requests();
  ASSERT_EQ(requests.size(), 6u);
  for (const v1::ReadBlockRequest& request : requests) EXPECT_EQ(request.length(), 5'000u);
}

TEST_F(FileReaderTest, AJumpWithinWhatWasReadAheadNeedsNoStream) {
  const auto in = Open();
  std::string buffer(200, '\0');
  ASSERT_EQ(in->Read(buffer).value(), buffer.size());  // 64 KiB are asked for
  for (const uint64_t offset : {60'000, 30'000, 0, 65'000}) {
    ASSERT_TRUE(in->Seek(offset).ok());
    ASSERT_EQ(in->Read(buffer).value(), buffer.size());
    EXPECT_TRUE(buffer == bytes_.substr(offset, buffer.size()));
  }
  EXPECT_EQ(cluster_.datanode(0).reads(), 1);
}

TEST_F(FileReaderTest, SeeksAndReadsAnywhere) {
  const auto in = Open();
  std::mt19937 random(1);
  std::string buffer(70'000, '\0');
  for (int i = 0; i < 60; ++i) {
    const uint64_t offset = random() % (kSize + 1);
    const size_t want = random() % buffer.size();
    const std::string expected = bytes_.substr(offset, want);
    if (i % 2 == 0) {
      ASSERT_TRUE(in->Seek(offset).ok());
      const auto count = in->Read(std::span<char>(buffer).first(want));
      ASSERT_TRUE(count.ok()) << count.status();
      ASSERT_TRUE(buffer.substr(0, *count) == expected);
    } else {
      const auto count = in->PRead(offset, std::span<char>(buffer).first(want));
      ASSERT_TRUE(count.ok()) << count.status();
      ASSERT_TRUE(buffer.substr(0, *count) == expected);
    }
  }
}

TEST_F(FileReaderTest, BeyondTheEndIsNothingAsInPosix) {
  const auto in = Open();
  std::string buffer(100, '\0');
  EXPECT_EQ(in->PRead(kSize, buffer).value(), 0u);
  EXPECT_EQ(in->PRead(UINT64_MAX, buffer).value(), 0u);
  EXPECT_EQ(in->PRead(kSize - 1, buffer).value(), 1u);
  for (const uint64_t offset : {uint64_t{kSize}, uint64_t{kSize + 1}, UINT64_MAX}) {
    ASSERT_TRUE(in->Seek(offset).ok());
    EXPECT_EQ(in->position(), offset);
    EXPECT_EQ(in->Read(buffer).value(), 0u);
    EXPECT_EQ(in->position(), offset);
  }
  ASSERT_TRUE(in->Seek(kSize - 3).ok());
  EXPECT_EQ(in->Read(buffer).value(), 3u);
}

TEST_F(FileReaderTest, VectoredReadsFillEveryRange) {
  const auto in = Open();
  std::vector<std::string> buffers = {std::string(300'000, '\0'), std::string(100, '\0'),
                                      std::string(50, '\0'),      std::string(4'000, '\0'),
                                      std::string(0, '\0'),       std::string(100, '\0'),
                                      std::string(100, '\0'),     std::string(9'000, '\0')};
  const std::vector<uint64_t> offsets = {kBlock - 1'000, 5'000,     5'050, 4'900, 17, 0,
                                         kSize + 1,      kSize - 10};
  std::vector<ReadRange> ranges;
  for (size_t i = 0; i < offsets.size(); ++i) ranges.push_back({offsets[i], buffers[i], 77});
  const absl::Status status = in->PReadV(ranges);
  ASSERT_TRUE(status.ok()) << status;
  for (size_t i = 0; i < offsets.size(); ++i) {
    const std::string expected =
        offsets[i] >= kSize ? "" : bytes_.substr(offsets[i], buffers[i].size());
    EXPECT_EQ(ranges[i].count, expected.size()) << i;
    EXPECT_TRUE(buffers[i].substr(0, ranges[i].count) == expected) << i;
  }
  // The one over three blocks; the three near 5,000, which lie near each other; 0; the end.
  int streams = 0;
  for (int i = 0; i < 3; ++i) streams += cluster_.datanode(i).reads();
  EXPECT_EQ(streams, 3 + 1 + 1 + 1);
  EXPECT_TRUE(in->PReadV({}).ok());
}

TEST_F(FileReaderTest, VectoredReadsAreSpreadOverReplicas) {
  const auto in = Open();
  std::vector<std::string> buffers(6, std::string(1'000, '\0'));
  std::vector<ReadRange> ranges;
  for (size_t i = 0; i < buffers.size(); ++i) ranges.push_back({i * 20'000, buffers[i]});
  ASSERT_TRUE(in->PReadV(ranges).ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cluster_.datanode(i).reads(), 2) << i;
}

TEST_F(FileReaderTest, AVectoredReadThatFailsSaysSo) {
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.lost_replicas = true});
  const auto in = Open();
  std::string one(1'000, '\0');
  std::string other(1'000, '\0');
  std::vector<ReadRange> ranges = {{0, one}, {kBlock, other}};
  EXPECT_TRUE(absl::IsUnavailable(in->PReadV(ranges)));
}

TEST_F(FileReaderTest, PReadFromSeveralThreadsBesideACursor) {
  cluster_.datanode(1).SetFaults({.corrupt_reads = true});
  const auto in = Open();
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      std::string buffer(20'000, '\0');
      for (int i = 0; i < 20; ++i) {
        const uint64_t offset = random() % kSize;
        const auto count = in->PRead(offset, buffer);
        ASSERT_TRUE(count.ok()) << count.status();
        ASSERT_TRUE(buffer.substr(0, *count) == bytes_.substr(offset, buffer.size()));
      }
    });
  }
  const auto all = ReadAll(*in, 5'000);
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(*all == bytes_);
}

TEST_F(FileReaderTest, ClonesReadTheSameFileBesideEachOther) {
  cluster_.datanode(1).SetFaults({.corrupt_reads = true});
  const auto in = Open();
  ASSERT_TRUE(in->Seek(5).ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const auto own = in->Clone();
      EXPECT_EQ(own->position(), 0u);
      EXPECT_EQ(own->length(), kSize);
      const auto all = ReadAll(*own, 5'000);
      ASSERT_TRUE(all.ok()) << all.status();
      EXPECT_TRUE(*all == bytes_);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(in->position(), 5u);
}

TEST_F(FileReaderTest, WrongBytesAreNeverHandedOutAndTheirNodeIsAskedToVerify) {
  ExpectSurvives({.corrupt_reads = true});
  EXPECT_EQ(cluster_.datanode(0).verifies(), 4);  // one a block: the replica is bad, not the node
}

TEST_F(FileReaderTest, SurvivesANodeThatDiesInTheMiddle) {
  ExpectSurvives({.die_after_read_packets = 2}, kSize);
  EXPECT_EQ(cluster_.datanode(0).reads(), 1);  // left out from then on
}

TEST_F(FileReaderTest, SurvivesAReplicaThatEndsEarly) { ExpectSurvives({.short_reads = true}); }

TEST_F(FileReaderTest, SurvivesAReplicaThatIsGone) { ExpectSurvives({.lost_replicas = true}); }

TEST_F(FileReaderTest, SurvivesANodeThatNobodyListensOn) {
  cluster_.datanode(0).Stop();
  ExpectSurvives({});
}

TEST_F(FileReaderTest, SurvivesANodeThatFallsSilent) {
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.stall_ms = 1'500;
  const auto fs = cluster_.Connect(transfer);
  cluster_.datanode(0).SetFaults({.stall_reads = true});
  auto in = fs->Open("/f");
  ASSERT_TRUE(in.ok());
  const auto all = ReadAll(**in, 10'000);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(*all == bytes_);
}

TEST_F(FileReaderTest, NodesThatAreBusyAreWaitedFor) {
  cluster_.datanode(0).SetFaults({.lost_replicas = true});
  for (int i = 1; i < 3; ++i) cluster_.datanode(i).SetFaults({.busy_reads = 4});
  const auto in = Open();
  const auto all = ReadAll(*in, 10'000);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(*all == bytes_);
}

TEST_F(FileReaderTest, ButNotForEver) {
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.busy_reads = 1'000'000});
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.max_progress_ms = 300;
  const auto fs = cluster_.Connect(transfer);
  auto in = fs->Open("/f");
  ASSERT_TRUE(in.ok());
  std::string buffer(100, '\0');
  const auto count = (*in)->Read(buffer);
  EXPECT_THAT(std::string(MessageOf(count.status())),
              HasSubstr("none of its 3 replicas can be read: busy"));
}

TEST_F(FileReaderTest, WhenAllReplicasFailTheLocationsAreFetchedOnceMore) {
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.lost_replicas = true});
  const auto in = Open();
  const size_t before = cluster_.namenode().calls("GetBlockLocations").size();
  std::string buffer(100, '\0');
  const auto count = in->Read(buffer);
  EXPECT_THAT(std::string(MessageOf(count.status())),
              HasSubstr("none of its 3 replicas can be read: no such replica"));
  EXPECT_EQ(cluster_.namenode().calls("GetBlockLocations").size(), before + 1);
  EXPECT_EQ(cluster_.datanode(2).reads(), 2);
  EXPECT_TRUE(absl::IsUnavailable(count.status()));  // the file is there

  // They are back: the same stream reads on.
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({});
  const auto all = ReadAll(*in, 10'000);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(*all == bytes_);
}

TEST_F(FileReaderTest, OnlyCorruptReplicasIsAChecksumError) {
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.corrupt_reads = true});
  const auto in = Open();
  std::string buffer(100, 'u');
  const auto count = in->Read(buffer);
  EXPECT_EQ(KindOf(count.status()), ErrorKind::kChecksum);
  EXPECT_EQ(buffer, std::string(100, 'u'));
}

TEST_F(FileReaderTest, AMissingFileIsSaidSo) {
  EXPECT_EQ(MessageOf(fs_->Open("/nothing").status()), "No such file or directory");
}

TEST_F(FileReaderTest, AClosedStreamReadsNoMore) {
  const auto in = Open();
  in->Close();
  std::string buffer(10, '\0');
  EXPECT_FALSE(in->Read(buffer).ok());
}

TEST_F(FileReaderTest, ABlockThatNoLiveNodeHasIsMissing) {
  for (NodeNumber node = 1; node <= 3; ++node) cluster_.namenode().TakeForDead(node);
  const absl::Status status = ReadAll(*Open(), kSize).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("is missing: no live DataNode has"));
}

// The way to the NameNode was cut, or it has just started: nodes that come back are waited for.
class AwaitedNodesTest : public FileReaderTest {
 protected:
  AwaitedNodesTest() {
    for (NodeNumber node = 1; node <= 3; ++node) namenode().TakeForDead(node);
    const size_t before = namenode().calls("GetBlockLocations").size();
    // Once somebody has asked again.
    return_ = std::thread([this, before] {
      EXPECT_TRUE(WaitUntil(
          20'000, [&] { return namenode().calls("GetBlockLocations").size() >= before + 5; }));
      namenode().SeeAgain(2);
    });
  }
  ~AwaitedNodesTest() override { return_.join(); }

  FakeNameNode& namenode() { return cluster_.namenode(); }
  static TransferOptions Patient() {
    TransferOptions transfer = FakeCluster::FastTransfer();
    transfer.missing_ms = 60'000;
    return transfer;
  }

  const std::unique_ptr<FileSystem> patient_ = cluster_.Connect(Patient());
  std::thread return_;
};

TEST_F(AwaitedNodesTest, WhenAFileIsRead) {
  const auto in = patient_->Open("/f");
  ASSERT_TRUE(in.ok()) << in.status();
  const auto all = ReadAll(**in, kSize);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(*all == bytes_);
}

TEST_F(AwaitedNodesTest, WhenItsChecksumIsAsked) {
  const auto checksum = patient_->Checksum("/f");
  ASSERT_TRUE(checksum.ok()) << checksum.status();
  EXPECT_EQ(checksum->crc32c, Crc32c(bytes_));
}

}  // namespace
}  // namespace cairn
