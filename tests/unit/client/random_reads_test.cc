// Random sequences of Seek, Read, PRead and PReadV beside replicas that fail in every way: what is
// read is what a string would give.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "common/status.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;
using testing::FakeDataNode;

constexpr uint64_t kBlock = 256 << 10;
constexpr uint64_t kSize = 2 * kBlock + 70'001;
constexpr int kNodes = 3;

class RandomReads {
 public:
  explicit RandomReads(uint32_t seed) : random_(seed), cluster_(kNodes), bytes_(Bytes(kSize)) {
    TransferOptions transfer = FakeCluster::FastTransfer();
    transfer.stall_ms = 1'000;
    transfer.hedge_share = Below(2) == 0 ? 1 : 0.05;
    fs_ = cluster_.Connect(transfer);
  }

  void Run() {
    const absl::Status written = cluster_.Write(*fs_, "/f", bytes_, {.block_size = kBlock});
    ASSERT_TRUE(written.ok()) << written;
    auto opened = fs_->Open("/f");
    ASSERT_TRUE(opened.ok()) << opened.status();
    in_ = *std::move(opened);
    // Beside it, another thread reads from the same file.
    std::thread beside([this, seed = random_()] { ReadBeside(seed); });
    for (int step = 0; step < 80; ++step) {
      if (Below(6) == 0) ChangeFaults();
      Step();
      if (::testing::Test::HasFatalFailure()) break;
    }
    beside.join();
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  uint64_t AnyOffset() { return Below(10) == 0 ? kSize + Below(5'000) : Below(kSize); }
  uint64_t AnyLength() { return Below(1ull << (1 + Below(18))); }

  // One node stays as it should be: what there is can then be read.
  void ChangeFaults() {
    const auto good = static_cast<int>(Below(kNodes));
    for (int i = 0; i < kNodes; ++i) {
      FakeDataNode::Faults faults;
      const auto after = static_cast<int>(Below(4));
      const uint64_t dice = i == good ? 99 : Below(8);
      faults.corrupt_reads = dice == 0;
      faults.lost_replicas = dice == 1;
      faults.short_reads = dice == 2;
      if (dice == 3) faults.corrupt_read_packet = after;
      if (dice == 4) faults.die_after_read_packets = after;
      if (dice == 5) faults.idle_after_packets = after;
      // What is silent is left by a hedge, or after so long that there cannot be many.
      if (dice == 6 && silent_ > 0) {
        --silent_;
        faults.stall_after_read_packets = after;
      }
      if (dice == 7) faults.read_delay_ms = static_cast<int>(Below(30));
      cluster_.datanode(i).SetFaults(faults);
    }
  }

  std::string Expected(uint64_t offset, uint64_t length) const {
    return offset >= kSize ? "" : bytes_.substr(offset, length);
  }

  void Step() {
    const uint64_t dice = Below(8);
    if (dice == 0) {
      position_ = AnyOffset();
    } else if (dice == 1) {
      position_ += Below(100'000);  // forward
    } else if (dice == 2) {
      position_ -= std::min(position_, Below(20'000));
    } else if (dice == 3) {
      return PRead();
    } else if (dice == 4) {
      return PReadV();
    } else {
      return Read();
    }
    ASSERT_TRUE(in_->Seek(position_).ok());
    ASSERT_EQ(in_->position(), position_);
  }

  void Read() {
    std::string buffer(AnyLength(), '\0');
    const absl::StatusOr<size_t> count = in_->Read(buffer);
    ASSERT_TRUE(count.ok()) << count.status();
    const std::string expected = Expected(position_, buffer.size());
    ASSERT_EQ(*count, expected.size());
    ASSERT_TRUE(buffer.substr(0, *count) == expected) << position_;
    position_ += *count;
    ASSERT_EQ(in_->position(), position_);
  }

  void PRead() {
    const uint64_t offset = AnyOffset();
    std::string buffer(AnyLength(), '\0');
    const absl::StatusOr<size_t> count = in_->PRead(offset, buffer);
    ASSERT_TRUE(count.ok()) << count.status();
    const std::string expected = Expected(offset, buffer.size());
    ASSERT_EQ(*count, expected.size());
    ASSERT_TRUE(buffer.substr(0, *count) == expected) << offset;
  }

  void PReadV() {
    std::vector<std::string> buffers(Below(12));
    std::vector<ReadRange> ranges;
    const uint64_t near = AnyOffset();
    for (std::string& buffer : buffers) {
      buffer.resize(AnyLength() / 4);
      ranges.push_back({Below(2) == 0 ? AnyOffset() : near + Below(30'000), buffer});
    }
    const absl::Status status = in_->PReadV(ranges);
    ASSERT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < ranges.size(); ++i) {
      const std::string expected = Expected(ranges[i].offset, buffers[i].size());
      ASSERT_EQ(ranges[i].count, expected.size());
      ASSERT_TRUE(buffers[i].substr(0, ranges[i].count) == expected) << ranges[i].offset;
    }
  }

  void ReadBeside(uint32_t seed) {
    std::mt19937 random(seed);
    std::string buffer(3'000, '\0');
    for (int i = 0; i < 40; ++i) {
      const uint64_t offset = random() % (kSize - buffer.size());
      // While it reads, faults may move from node to node until all have failed.
      if (!in_->PRead(offset, buffer).ok()) continue;
      ASSERT_TRUE(buffer == bytes_.substr(offset, buffer.size())) << offset;
    }
  }

  std::mt19937 random_;
  FakeCluster cluster_;
  const std::string bytes_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<InputStream> in_;
  uint64_t position_ = 0;
  int silent_ = 8;
};

class RandomReadsTest : public ::testing::TestWithParam<uint32_t> {};

TEST_P(RandomReadsTest, AreWhatAStringGives) { RandomReads(GetParam()).Run(); }

INSTANTIATE_TEST_SUITE_P(Seeds, RandomReadsTest, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace cairn
