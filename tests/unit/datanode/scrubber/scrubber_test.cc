// The scans beside threads that write, append to, cut and delete replicas: none of that is damage.
#include "datanode/scrubber/scrubber.h"

#include <gmock/gmock.h>

#include <chrono>
#include <random>
#include <thread>

#include "datanode/scrubber/directory_scan.h"
#include "datanode/scrubber/replica_scan.h"
#include "tests/unit/datanode/scrubber/scan_fixture.h"

namespace cairn::datanode {
namespace {

using testing::IsEmpty;

class ScrubberTest : public ScanTest {
 protected:
  static bool WaitUntil(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      if (done()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return done();
  }
  // Everything that happens to replicas, to a few blocks at once.
  void Live(uint32_t seed, int steps) {
    std::minstd_rand random(seed);
    for (int i = 0; i < steps; ++i) {
      const BlockId id = 1 + random() % 4;
      const GenerationStamp stamp = 1 + stamps_.fetch_add(1);
      const Block block{id, stamp, 1 << 20};
      switch (random() % 5) {
        case 0:
        case 1:
          Write(store_->Create(block), id, random);
          break;
        case 2:
          Write(store_->Reopen(block, 0, 0), id, random);
          break;
        case 3:
          Cut(id, stamp, random);
          break;
        default:
          if (const auto replica = store_->GetReplica({id, 0, 0}); replica.ok()) {
            store_->Delete(replica->block).IgnoreError();
          }
      }
    }
  }

  ReplicaStore& store() { return *store_; }

 private:
  static void Write(absl::StatusOr<std::unique_ptr<ReplicaWriter>> writer, BlockId id,
                    std::minstd_rand& random) {
    if (!writer.ok()) return;
    const std::string bytes = BytesOf(id, (*writer)->length() + 1 + random() % 20'000);
    GrowTo(**writer, bytes, bytes.size()).IgnoreError();
    (*writer)->Finalize(random() % 2 == 0 ? Durability::kNow : Durability::kLater).IgnoreError();
  }
  void Cut(BlockId id, GenerationStamp stamp, std::minstd_rand& random) {
    const auto found = store_->StartRecovery({id, 0, 0}, stamp);
    if (!found.ok() || found->state == RecoveryAnswer::kNone || found->block.length == 0) return;
    Block settled = found->block;
    settled.length = 1 + random() % settled.length;
    store_->FinishRecovery(settled, stamp).IgnoreError();
  }

  std::atomic<GenerationStamp> stamps_ = 0;
};

class ScrubbedLifeTest : public ScrubberTest, public testing::WithParamInterface<uint64_t> {};

TEST_P(ScrubbedLifeTest, NothingThatTheNodeDoesIsDamage) {
  ReplicaStore::Options options = OptionsFor({"/d0"});
  options.small_replica_max_bytes = GetParam();
  options.small_log_segment_bytes = 256 << 10;
  auto opened = TryOpen(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  store_ = *std::move(opened);
  ReplicaScan replicas({1, 100 << 20}, 0, "/d0", store_.get(), &clock_, &metrics_, &stop_);
  DirectoryScan folders(1, 0, "/d0", store_.get(), &clock_, &metrics_, &stop_);
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    threads.emplace_back([this, seed] { Live(seed, 120); });
  }
  std::thread syncs([&] {
    while (!done.load()) store().SyncPending();
  });
  std::thread scans([&] {
    while (!done.load()) {
      clock_.AdvanceMs(1'000);
      EXPECT_TRUE(replicas.RunOnce().ok());
      EXPECT_TRUE(folders.RunOnce().ok());
    }
  });
  for (std::thread& thread : threads) thread.join();
  done.store(true);
  syncs.join();
  scans.join();
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
  EXPECT_FALSE(store_->Volumes()[0].failed);
  for (const char* name : {"bad_total", "vanished_total", "added_total"}) {
    EXPECT_EQ(Counted(name), 0) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(SmallReplicasMax, ScrubbedLifeTest, testing::Values(0, 1 << 20));

TEST_F(ScrubberTest, FindsDamageOnEveryVolumeAndEnds) {
  store_ = Open({"/d0", "/d1"});
  for (BlockId id = 1; id <= 4; ++id) PutReplica(id, 10'000);
  for (const size_t volume : {0, 1}) {
    const std::vector<ReplicaInfo> held = store_->Replicas(volume);
    ASSERT_EQ(held.size(), 2u);
    env_.Flip("/d" + std::to_string(volume) + DataOf(held[0].block.id).substr(3), 5, 0x01);
  }
  const auto clock = NewSystemClock();
  std::atomic<bool> ready = false;
  std::atomic<int> asked = 0;
  const auto is_ready = [&] {
    ++asked;
    return ready.load();
  };
  Scrubber scrubber({.scan_period_ms = 1'000, .ready = is_ready}, store_.get(), clock.get(),
                    &metrics_);
  scrubber.Start();
  EXPECT_TRUE(WaitUntil([&] { return asked.load() >= 4; }));
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
  EXPECT_FALSE(*env_.Exists("/d0/current/scan"));
  ready.store(true);
  EXPECT_TRUE(WaitUntil([&] { return store_->BadReplicas().size() == 2; }));
  scrubber.Stop();
  EXPECT_TRUE(*env_.Exists("/d0/current/scan"));
  EXPECT_TRUE(*env_.Exists("/d1/current/scan"));
}

TEST_F(ScrubberTest, FollowsVolumesThatComeAndGo) {
  store_ = Open({"/d0", "/d1"});
  const auto clock = NewSystemClock();
  Scrubber scrubber({.scan_period_ms = 1'000}, store_.get(), clock.get(), &metrics_);
  scrubber.Start();
  ASSERT_TRUE(store_->RemoveVolume("/d0", /*force=*/false, [](const Block&) {}).ok());
  scrubber.FollowVolumes();
  ASSERT_TRUE(store_->AddVolume("/d2").ok());
  scrubber.FollowVolumes();
  store_->StartUsing(store_->Volumes());
  for (BlockId id = 1; id <= 6; ++id) PutReplica(id, 10'000);
  const std::vector<ReplicaInfo> held = store_->Replicas(2);
  ASSERT_FALSE(held.empty());
  env_.Flip("/d2" + DataOf(held[0].block.id).substr(3), 5, 0x01);
  EXPECT_TRUE(WaitUntil([&] { return store_->BadReplicas().size() == 1; }));
  scrubber.Stop();
  scrubber.FollowVolumes();  // nothing any more
  EXPECT_TRUE(*env_.Exists("/d2/current/scan"));
}

TEST_F(ScrubberTest, WithoutAPeriodNothingIsRead) {
  store_ = Open();
  PutReplica(1, 10'000);
  const auto clock = NewSystemClock();
  Scrubber scrubber({.scan_period_ms = 0, .directory_interval_ms = 1'000}, store_.get(),
                    clock.get(), &metrics_);
  scrubber.Start();
  // The folders are looked at all the same.
  ASSERT_TRUE(env_.Remove(DataOf(1)).ok());
  EXPECT_TRUE(WaitUntil([&] { return Counted("vanished_total") == 1; }));
  scrubber.Stop();
  EXPECT_FALSE(*env_.Exists("/d0/current/scan"));
}

}  // namespace
}  // namespace cairn::datanode
