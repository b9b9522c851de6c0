// A file that is being written while DataNodes fail. For the tests of pipeline recovery.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/client/fake_cluster.h"

namespace cairn::testing {

inline constexpr uint64_t kPacket = 16 << 10;
inline constexpr uint64_t kBlock = 16 * kPacket;

class RecoveryFixture : public ::testing::Test {
 protected:
  // Packets go out and come back one at a time, so that faults come where they are wanted.
  static TransferOptions OneByOne() {
    TransferOptions transfer = FakeCluster::FastTransfer();
    transfer.window_packets = 1;
    transfer.write_attempts = 8;
    return transfer;
  }
  static TransferOptions Impatient() {
    TransferOptions transfer = OneByOne();
    transfer.stall_ms = 4'000;
    return transfer;
  }

  FakeCluster& Start(int nodes) {
    out_.reset();
    fs_.reset();
    bytes_.clear();
    cluster_ = std::make_unique<FakeCluster>(nodes);
    return *cluster_;
  }
  void Create(FakeCluster& cluster, const TransferOptions& transfer = OneByOne(),
              CreateOptions options = {}) {
    fs_ = cluster.Connect(transfer);
    options.block_size = kBlock;
    auto out = fs_->Create("/f", options);
    ASSERT_TRUE(out.ok()) << out.status();
    out_ = *std::move(out);
  }
  absl::Status Write(uint64_t count) {
    const std::string more = Bytes(count);
    bytes_ += more;
    return out_->Write(more);
  }
  // The rest of a file of `size` bytes, which must then be there, on these storages. Their order is
  // that of the last pipeline: on a busy machine nodes may leave it and come back.
  void ExpectFinishes(FakeCluster& cluster, uint64_t size, const std::vector<uint32_t>& storages) {
    absl::Status status = Write(size - bytes_.size());
    ASSERT_TRUE(status.ok()) << status;
    status = out_->Close();
    ASSERT_TRUE(status.ok()) << status;
    const FakeNameNode::FileState file = cluster.namenode().file();
    EXPECT_TRUE(file.closed);
    ASSERT_FALSE(file.blocks.empty());
    EXPECT_THAT(file.blocks[0].storages(), ::testing::UnorderedElementsAreArray(storages));
    for (int i = 0; i < cluster.size(); ++i) {
      const auto& listed = file.blocks[0].storages();
      if (std::count(listed.begin(), listed.end(), cluster.datanode(i).storage()) == 0) continue;
      EXPECT_TRUE(cluster.datanode(i).Replica(file.blocks[0].block().id()) ==
                  bytes_.substr(0, kBlock))
          << i;
    }
    EXPECT_TRUE(cluster.Stored() == bytes_);
  }
  BlockId FirstBlock(FakeCluster& cluster) const {
    return cluster.namenode().file().blocks.at(0).block().id();
  }

  std::unique_ptr<FakeCluster> cluster_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<OutputStream> out_;
  std::string bytes_;
};

}  // namespace cairn::testing
