#include "datanode/store/disk_meter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "common/steady_time.h"
#include "datanode/store/volume.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kMs = 1'000;

DiskFigures Writes(uint64_t median_us, uint64_t samples = 100) {
  return {.write = {.median_us = median_us, .samples = samples}, .sync = {}};
}

class SlowDisksTest : public testing::Test {
 protected:
  void Judge(int times) {
    for (int i = 0; i < times; ++i) slow_.Judge(disks_);
  }
  bool IsSlow(const std::string& id) const { return slow_.Find(id) != nullptr; }

  std::map<std::string, DiskFigures> disks_ = {
      {"a", Writes(4 * kMs)}, {"b", Writes(5 * kMs)}, {"c", Writes(400 * kMs)}};
  SlowDisks slow_;
};

TEST_F(SlowDisksTest, OneAmongOthersByJudgementsInARow) {
  Judge(2);
  EXPECT_FALSE(IsSlow("c"));
  Judge(1);
  ASSERT_TRUE(IsSlow("c"));
  EXPECT_EQ(slow_.Find("c")->us, 400 * kMs);
  EXPECT_EQ(slow_.Find("c")->others_us, 5 * kMs);
  EXPECT_FALSE(IsSlow("a"));
  disks_["c"] = Writes(75 * kMs);  // of a limit of 100 ms: not well below
  Judge(10);
  EXPECT_TRUE(IsSlow("c"));
  disks_["c"] = Writes(60 * kMs);
  Judge(2);
  EXPECT_TRUE(IsSlow("c"));
  Judge(1);
  EXPECT_FALSE(IsSlow("c"));
}

TEST_F(SlowDisksTest, AJudgementInBetweenBeginsTheCountAnew) {
  Judge(2);
  disks_["c"] = Writes(4 * kMs);
  Judge(1);
  disks_["c"] = Writes(400 * kMs);
  Judge(2);
  EXPECT_FALSE(IsSlow("c"));
}

TEST_F(SlowDisksTest, NotMeasuredAnyMoreIsTriedAgain) {
  Judge(3);
  ASSERT_TRUE(IsSlow("c"));
  disks_["c"] = {};
  Judge(3);
  EXPECT_FALSE(IsSlow("c"));
}

TEST_F(SlowDisksTest, SyncsCountToo) {
  for (auto& [id, figures] : disks_) figures = {.write = figures.write, .sync = {30 * kMs, 50}};
  disks_["c"].write = {4 * kMs, 100};
  disks_["a"].sync.median_us = 200 * kMs;
  Judge(3);
  ASSERT_TRUE(IsSlow("a"));
  EXPECT_EQ(slow_.Find("a")->us, 200 * kMs);
  EXPECT_EQ(slow_.Find("a")->others_us, 30 * kMs);
  EXPECT_FALSE(IsSlow("c"));
}

TEST_F(SlowDisksTest, NothingToCompareWith) {
  disks_ = {{"c", Writes(900 * kMs)}};
  Judge(5);
  EXPECT_FALSE(IsSlow("c"));
  disks_["a"] = Writes(1 * kMs, SlowDisks::kMinSamples - 1);
  Judge(5);
  EXPECT_FALSE(IsSlow("c"));
  disks_["a"] = Writes(1 * kMs, SlowDisks::kMinSamples);
  Judge(3);
  EXPECT_TRUE(IsSlow("c"));
}

TEST_F(SlowDisksTest, FastDisksMayDiffer) {
  disks_ = {{"a", Writes(1 * kMs)}, {"b", Writes(1 * kMs)}, {"c", Writes(99 * kMs)}};
  Judge(5);
  EXPECT_FALSE(IsSlow("c"));
}

TEST_F(SlowDisksTest, HardDisksBesideAFastOneAreComparedWithEachOther) {
  disks_ = {{"ssd", Writes(2 * kMs)}, {"a", Writes(150 * kMs)}, {"b", Writes(120 * kMs)}};
  Judge(5);
  EXPECT_FALSE(IsSlow("a"));
  EXPECT_FALSE(IsSlow("b"));
}

TEST_F(SlowDisksTest, DisksThatAreGoneAreForgotten) {
  Judge(3);
  disks_.erase("c");
  Judge(1);
  EXPECT_FALSE(IsSlow("c"));
}

TEST(DiskMeterTest, WritesAreToldForOneMiB) {
  DiskMeter meter;
  for (int i = 0; i < 3; ++i) meter.NoteWrite(256 << 10, 1'000, 5);
  meter.NoteWrite(4 << 10, 1'000'000, 5);  // too small to say anything
  meter.NoteSync(2'000, 5);
  const DiskFigures figures = meter.Report(5);
  EXPECT_EQ(figures.write.samples, 3u);
  EXPECT_NEAR(static_cast<double>(figures.write.median_us), 4'000, 500);
  EXPECT_EQ(figures.sync.samples, 1u);
  EXPECT_EQ(meter.Report(5 + 2 * DiskMeter::kWindowMs).write.samples, 0u);
}

class SlowVolumeTest : public StoreTest {};

// A disk whose syncs take 130 ms more than those of the other one.
TEST_F(SlowVolumeTest, GetsNewReplicasLast) {
  const auto store = Open({"/fast", "/slow"});
  env_.SetHook([](FaultOp op, const std::string& path) {
    const bool slow = op == FaultOp::kSync && path.starts_with("/slow");
    if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return absl::OkStatus();
  });
  BlockId id = 0;
  const auto put = [&](int count) {
    for (int i = 0; i < count; ++i) {
      ++id;
      ASSERT_TRUE(Put(*store, {id, 1, 4096}, BytesOf(id, 4096)).ok());
    }
  };
  put(20);  // in turns
  ASSERT_EQ(store->Volumes()[1].blocks, 10u);
  const int64_t now_ms = SteadyNowMs();
  for (int i = 0; i < SlowDisks::kJudgements; ++i) store->JudgeDisks(now_ms);
  EXPECT_EQ(store->Volumes()[0].slow_us, 0u);
  EXPECT_GE(store->Volumes()[1].slow_us, SlowDisks::kThresholdUs);
  put(10);
  EXPECT_EQ(store->Volumes()[1].blocks, 10u);
  EXPECT_EQ(store->Volumes()[0].blocks, 20u);
  // It gets nothing, so that it is not measured any more: it is tried again.
  const int64_t later_ms = now_ms + 2 * DiskMeter::kWindowMs;
  for (int i = 0; i < SlowDisks::kJudgements; ++i) store->JudgeDisks(later_ms);
  EXPECT_EQ(store->Volumes()[1].slow_us, 0u);
  put(4);
  EXPECT_GT(store->Volumes()[1].blocks, 10u);
}

TEST_F(SlowVolumeTest, TakesWhatFitsNowhereElse) {
  env_.SetHook([](FaultOp op, const std::string& path) {
    const bool slow = op == FaultOp::kSync && path.starts_with("/slow");
    if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return absl::OkStatus();
  });
  const auto store = Open({"/fast", "/slow"});
  for (BlockId id = 1; id <= 20; ++id) {
    ASSERT_TRUE(Put(*store, {id, 1, 4096}, BytesOf(id, 4096)).ok());
  }
  const int64_t now_ms = SteadyNowMs();
  for (int i = 0; i < SlowDisks::kJudgements; ++i) store->JudgeDisks(now_ms);
  ASSERT_GT(store->Volumes()[1].slow_us, 0u);
  const uint64_t most = store->Volumes()[0].remaining_bytes / 4 * 3;
  const auto first = store->Create({100, 1, most});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ((*first)->volume().path(), "/fast");
  const auto second = store->Create({101, 1, most});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->volume().path(), "/slow");
}

}  // namespace
}  // namespace cairn::datanode
