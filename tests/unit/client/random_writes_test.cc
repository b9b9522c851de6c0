// Files written through nodes that fail at random: nothing that was flushed is ever missing.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/status.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;
using testing::FakeDataNode;
using testing::FakeNameNode;

constexpr uint64_t kBlock = 128 << 10;
constexpr int kNodes = 7;
constexpr int kFaultyAtOnce = 2;

class RandomWrites {
 public:
  explicit RandomWrites(uint32_t seed) : random_(seed), cluster_(kNodes) {
    TransferOptions transfer = FakeCluster::FastTransfer();
    transfer.stall_ms = 500;
    transfer.heartbeat_ms = 20;
    transfer.write_attempts = 12;
    transfer.retry_pause_ms = 5;
    fs_ = cluster_.Connect(transfer);
  }

  void Run() {
    auto created = fs_->Create("/f", {.block_size = kBlock});
    ASSERT_TRUE(created.ok()) << created.status();
    out_ = *std::move(created);
    for (int step = 0; step < 60; ++step) {
      Step();
      if (::testing::Test::HasFatalFailure()) return;
    }
    const absl::Status closed = out_->Close();
    ASSERT_TRUE(closed.ok()) << closed;
    ExpectAllThere();
  }

 private:
  uint32_t Below(uint32_t limit) { return random_() % limit; }

  void Step() {
    if (Below(5) == 0) BreakOne();
    if (Below(4) == 0) MendOne();
    const std::string more = Bytes(1 + Below(Below(2) == 0 ? 50 : 40'000));
    absl::Status status = out_->Write(more);
    ASSERT_TRUE(status.ok()) << status;
    bytes_ += more;
    const uint32_t dice = Below(6);
    if (dice < 2) {
      status = dice == 0 ? out_->HSync() : out_->HFlush();
      ASSERT_TRUE(status.ok()) << status;
      ExpectFlushed();
    } else if (dice == 2 && Below(3) == 0) {
      status = out_->Close();
      ASSERT_TRUE(status.ok()) << status;
      ExpectAllThere();
      auto opened = fs_->Append("/f", {});
      ASSERT_TRUE(opened.ok()) << opened.status();
      out_ = *std::move(opened);
    }
  }

  void BreakOne() {
    if (faulty_.size() >= kFaultyAtOnce) return;
    const int node = static_cast<int>(Below(kNodes));
    const int after = static_cast<int>(Below(4));
    FakeDataNode::Faults faults;
    switch (Below(9)) {
      case 0:
        faults.stopped = true;
        break;
      case 1:
        faults.die_after_packets = after;
        break;
      case 2:
        faults.refuse_after_packets = after;
        faults.refuse_kind = ErrorKind::kNoSpace;
        break;
      case 3:
        faults.stall_after_packets = after;
        break;
      case 4:
        faults.refuse_recovery = true;
        faults.refuse_setup = Below(2) == 0;
        break;
      case 5:
        faults.refuse_copies = true;
        faults.die_after_last = static_cast<int>(Below(2)) - 1;
        break;
      case 6:
        faults.short_on_disk = true;
        break;
      case 7:
        faults.stall_copies = true;
        break;
      default:
        faults.refuse_after_packets = after;
        break;
    }
    cluster_.datanode(node).SetFaults(faults);
    faulty_.push_back(node);
  }

  void MendOne() {
    if (faulty_.empty()) return;
    cluster_.datanode(faulty_.front()).SetFaults({});
    faulty_.erase(faulty_.begin());
  }

  // Every node of the journaled pipeline has the open block, under the journaled stamp, up to here.
  void ExpectFlushed() {
    const FakeNameNode::FileState file = cluster_.namenode().file();
    const uint64_t in_block = bytes_.size() % kBlock;
    if (in_block == 0) return;
    const v1::Block& block = file.blocks.back().block();
    const auto pipeline = file.pipelines.find(block.id());
    if (pipeline == file.pipelines.end()) return;  // reopened, and nothing added
    const std::string expected = bytes_.substr(bytes_.size() - in_block);
    ASSERT_GE(pipeline->second.size(), 2u);
    for (const uint32_t number : pipeline->second) {
      FakeDataNode& node = cluster_.datanode(static_cast<int>(number) - 1);
      ASSERT_TRUE(node.OpenReplica(block.id()) == expected) << number;
      ASSERT_EQ(node.Generation(block.id()), block.generation()) << number;
    }
  }

  void ExpectAllThere() {
    const FakeNameNode::FileState file = cluster_.namenode().file();
    ASSERT_TRUE(file.closed);
    uint64_t offset = 0;
    for (const v1::FinishedBlock& block : file.blocks) {
      const uint64_t length = block.block().length();
      ASSERT_GE(block.storages_size(), 2);
      for (const uint32_t storage : block.storages()) {
        FakeDataNode& node = cluster_.datanode(static_cast<int>(storage) / 10 - 1);
        ASSERT_TRUE(node.Replica(block.block().id()) == bytes_.substr(offset, length));
        ASSERT_EQ(node.Generation(block.block().id()), block.block().generation());
      }
      offset += length;
    }
    ASSERT_EQ(offset, bytes_.size());
  }

  std::mt19937 random_;
  FakeCluster cluster_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<OutputStream> out_;
  std::string bytes_;
  std::vector<int> faulty_;
};

TEST(RandomWritesTest, NothingThatWasFlushedIsEverMissing) {
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    RandomWrites(seed).Run();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace cairn
