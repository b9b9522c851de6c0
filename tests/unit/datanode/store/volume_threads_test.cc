// Volumes come and go beside threads that write, read and delete: no wrong byte, nothing hangs, and
// what stays is whole.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

constexpr BlockId kBlocks = 40;
constexpr int kChanges = 30;

class VolumeThreadsTest : public StoreTest {
 protected:
  static std::string Bytes(BlockId id) { return BytesOf(id, 1'000 + id * 500); }

  // Until `done`. Everything may fail where a volume goes; what is read must be right.
  void Live(uint32_t seed) {
    std::minstd_rand random(seed);
    while (!done_.load()) {
      const BlockId id = 1 + random() % kBlocks;
      switch (random() % 4) {
        case 0:
          Put(*store_, {id, 1, 1 << 20}, Bytes(id)).IgnoreError();
          break;
        case 1:
          store_->Delete({id, 1, 0}).IgnoreError();
          break;
        case 2:
          store_->SyncPending();
          break;
        default:
          if (const auto bytes = Get(*store_, {id, 1, 0}); bytes.ok()) {
            // What a writer that was stopped left may be read as far as it was acknowledged.
            EXPECT_TRUE(*bytes == Bytes(id).substr(0, bytes->size())) << id;
            ++read_;
          }
      }
    }
  }

  std::unique_ptr<ReplicaStore> store_;
  std::atomic<bool> done_ = false;
  std::atomic<uint64_t> read_ = 0;
};

TEST_F(VolumeThreadsTest, VolumesComeAndGoUnderLoad) {
  ReplicaStore::Options options = OptionsFor({"/d0", "/d1", "/d2"});
  options.small_replica_max_bytes = 8 << 10;  // some of them
  options.small_log_segment_bytes = 256 << 10;
  store_ = *TryOpen(options);
  std::vector<std::thread> threads;
  for (uint32_t seed = 1; seed <= 3; ++seed) threads.emplace_back([this, seed] { Live(seed); });
  threads.emplace_back([this] {
    while (!done_.load()) {
      for (const VolumeInfo& info : store_->Volumes()) store_->Replicas(info.index);
      store_->SmallLogs();
      EXPECT_TRUE(store_->CheckVolumes().ok());
    }
  });
  // On a busy machine all changes may be through before a thread has begun.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto nothing_read = [&] {
    return read_.load() == 0 && std::chrono::steady_clock::now() < deadline;
  };
  for (int i = 0; i < kChanges || nothing_read(); ++i) {
    const std::string path = "/d" + std::to_string(1 + i % 2);
    const auto removed = store_->RemoveVolume(path, /*force=*/true, [](const Block&) {});
    ASSERT_TRUE(removed.ok()) << removed.status();
    const auto added = store_->AddVolume(path);
    ASSERT_TRUE(added.ok()) << added.status();
    store_->StartUsing(store_->Volumes());
  }
  done_.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(read_.load(), 0u);
  EXPECT_TRUE(store_->BadReplicas().empty());
  for (const VolumeInfo& info : store_->Volumes()) {
    EXPECT_FALSE(info.failed) << info.path;
    for (const ReplicaInfo& replica : store_->Replicas(info.index)) {
      if (replica.state != ReplicaState::kFinalized) continue;
      EXPECT_TRUE(Same(Get(*store_, replica.block), Bytes(replica.block.id)));
    }
  }
}

}  // namespace
}  // namespace cairn::datanode
