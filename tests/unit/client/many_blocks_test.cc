// Files of known size: several of their blocks are filled at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "client/byte_source.h"
#include "common/status.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;
using ::testing::HasSubstr;

constexpr uint64_t kBlock = 128 << 10;
constexpr int kNodes = 5;

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) override {
    ++reads_;
    if (offset >= fails_from_) return absl::UnavailableError("the disk is gone");
    if (offset >= bytes_.size()) return size_t{0};
    return std::string_view(bytes_).substr(offset).copy(out.data(), out.size());
  }
  void FailFrom(uint64_t offset) { fails_from_ = offset; }
  const std::string& bytes() const { return bytes_; }
  int reads() const { return reads_; }

 private:
  const std::string bytes_;
  uint64_t fails_from_ = UINT64_MAX;
  std::atomic<int> reads_{0};
};

class ManyBlocksTest : public ::testing::Test {
 protected:
  static std::unique_ptr<OutputStream> Create(FileSystem& fs) {
    auto created = fs.Create("/f", {.block_size = kBlock});
    EXPECT_TRUE(created.ok()) << created.status();
    return *std::move(created);
  }
  absl::Status Put(ByteSource& source, uint64_t expected) {
    const auto out = Create(*fs_);
    RETURN_IF_ERROR(out->WriteFrom(source, expected));
    return out->Close();
  }
  void SetFaults(const testing::FakeDataNode::Faults& faults) {
    for (int i = 0; i < kNodes; ++i) cluster_.datanode(i).SetFaults(faults);
  }
  size_t BlocksOfFile() { return cluster_.namenode().file().blocks.size(); }

  FakeCluster cluster_{kNodes};
  const std::unique_ptr<FileSystem> fs_ = cluster_.Connect();
};

TEST_F(ManyBlocksTest, SizesAroundTheBordersOfBlocks) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, kBlock - 1, kBlock, kBlock + 1, 2 * kBlock,
                              3 * kBlock - 5'000, 4 * kBlock, 9 * kBlock + 77}) {
    FakeCluster cluster(3);
    const auto fs = cluster.Connect();
    MemorySource source(Bytes(size));
    const auto out = Create(*fs);
    ASSERT_TRUE(out->WriteFrom(source, size).ok()) << size;
    EXPECT_EQ(out->length(), size);
    ASSERT_TRUE(out->Close().ok()) << size;
    EXPECT_TRUE(cluster.namenode().file().closed);
    EXPECT_EQ(cluster.namenode().file().blocks.size(), (size + kBlock - 1) / kBlock);
    EXPECT_TRUE(cluster.Stored() == source.bytes()) << size;
  }
}

TEST_F(ManyBlocksTest, ThreeAreOpenBesideTheLast) {
  SetFaults({.hold_last = true});
  MemorySource source(Bytes(3 * kBlock + 40'000));
  std::thread release([&] {
    // None can end before all are there.
    while (BlocksOfFile() < 4) std::this_thread::yield();
    for (const auto& block : cluster_.namenode().file().blocks) {
      EXPECT_EQ(block.storages_size(), 0);
    }
    SetFaults({});
  });
  const absl::Status status = Put(source, source.bytes().size());
  release.join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(cluster_.Stored() == source.bytes());
}

TEST_F(ManyBlocksTest, NoMoreThanFourAreOpen) {
  SetFaults({.hold_last = true});
  MemorySource source(Bytes(20 * kBlock));
  std::atomic<bool> ended{false};
  std::thread release([&] {
    while (BlocksOfFile() < 3) std::this_thread::yield();
    SetFaults({});
    while (!ended) {
      int open = 0;
      for (const auto& block : cluster_.namenode().file().blocks) {
        if (block.storages_size() == 0) ++open;
      }
      EXPECT_LE(open, 4);
      std::this_thread::yield();
    }
  });
  const absl::Status status = Put(source, source.bytes().size());
  ended = true;
  release.join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(cluster_.Stored() == source.bytes());
}

TEST_F(ManyBlocksTest, ASourceThatGrewIsWrittenToItsEnd) {
  MemorySource source(Bytes(5 * kBlock));
  ASSERT_TRUE(Put(source, 2 * kBlock + 1).ok());
  EXPECT_TRUE(cluster_.Stored() == source.bytes());
}

TEST_F(ManyBlocksTest, ASourceThatShrankIsAnError) {
  MemorySource source(Bytes(3 * kBlock));
  const auto out = Create(*fs_);
  const absl::Status status = out->WriteFrom(source, 8 * kBlock);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr(std::to_string(3 * kBlock)));
  EXPECT_EQ(out->Close(), status);
  EXPECT_TRUE(out->Abandon().ok());
  EXPECT_EQ(cluster_.namenode().runs("Complete"), 0);
}

TEST_F(ManyBlocksTest, ASourceMayShrinkWhereNoBlocksHaveBegun) {
  MemorySource source(Bytes(10'000));
  ASSERT_TRUE(Put(source, kBlock).ok());
  EXPECT_TRUE(cluster_.Stored() == source.bytes());
}

TEST_F(ManyBlocksTest, AnErrorOfTheSourceIsGivenBack) {
  for (const uint64_t from : {uint64_t{0}, 2 * kBlock + 5'000, 4 * kBlock + 1}) {
    MemorySource source(Bytes(4 * kBlock + 9'000));
    source.FailFrom(from);
    const auto out = Create(*fs_);
    const absl::Status status = out->WriteFrom(source, source.bytes().size());
    EXPECT_EQ(status.message(), "the disk is gone") << status;
    const int reads = source.reads();
    EXPECT_TRUE(out->Abandon().ok());
    EXPECT_EQ(source.reads(), reads);
  }
}

TEST_F(ManyBlocksTest, WhatFailedIsToldRatherThanWhatItStopped) {
  SetFaults({.refuse_after_packets = 2, .refuse_kind = ErrorKind::kNoSpace});
  MemorySource source(Bytes(8 * kBlock));
  const absl::Status status = Put(source, source.bytes().size());
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.message(), ::testing::Not(HasSubstr("gave the file up")));
}

TEST_F(ManyBlocksTest, WithinABlockItGoesOn) {
  const auto out = Create(*fs_);
  MemorySource source(Bytes(3 * kBlock));
  ASSERT_TRUE(out->Write("before").ok());
  ASSERT_TRUE(out->WriteFrom(source, source.bytes().size()).ok());
  ASSERT_TRUE(out->Write("behind").ok());
  ASSERT_TRUE(out->Close().ok());
  EXPECT_TRUE(cluster_.Stored() == "before" + source.bytes() + "behind");
}

TEST_F(ManyBlocksTest, OneAfterTheOtherIfAskedFor) {
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.blocks_at_once = 4;
  EXPECT_EQ(
      KindOf(FileSystem::Connect({.namenodes = {"127.0.0.1:1"}, .transfer = transfer}).status()),
      ErrorKind::kUsage);
  transfer.blocks_at_once = 1;
  MemorySource source(Bytes(4 * kBlock + 10));
  const auto out = Create(*cluster_.Connect(transfer));
  ASSERT_TRUE(out->WriteFrom(source, source.bytes().size()).ok());
  ASSERT_TRUE(out->Close().ok());
  EXPECT_TRUE(cluster_.Stored() == source.bytes());
}

// Nodes fail and come back at random places of several blocks at once.
TEST_F(ManyBlocksTest, NodesFailMeanwhile) {
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    FakeCluster cluster(kNodes);
    TransferOptions transfer = FakeCluster::FastTransfer();
    transfer.heartbeat_ms = 20;
    transfer.write_attempts = 12;
    transfer.retry_pause_ms = 5;
    const auto fs = cluster.Connect(transfer);
    std::mt19937 random(seed);
    MemorySource source(Bytes(6 * kBlock + random() % kBlock));
    for (const int node :
         {static_cast<int>(random() % kNodes), static_cast<int>(random() % kNodes)}) {
      const int after = static_cast<int>(random() % 12);
      switch (random() % 4) {
        case 0:
          cluster.datanode(node).SetFaults({.die_after_packets = after});
          break;
        case 1:
          cluster.datanode(node).SetFaults({.refuse_after_packets = after});
          break;
        case 2:
          cluster.datanode(node).SetFaults({.refuse_setup = true});
          break;
        default:
          cluster.datanode(node).SetFaults({.die_after_last = 0});
          break;
      }
    }
    const auto out = Create(*fs);
    absl::Status status = out->WriteFrom(source, source.bytes().size());
    if (status.ok()) status = out->Close();
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(cluster.Stored() == source.bytes());
    for (const auto& block : cluster.namenode().file().blocks) EXPECT_GE(block.storages_size(), 2);
  }
}

}  // namespace
}  // namespace cairn
