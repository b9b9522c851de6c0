#include "common/background_task.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "common/metrics.h"

namespace cairn {
namespace {

constexpr int64_t kNever = 3'600'000;  // ms: longer than any test

// Counts runs and lets a test wait for them.
class Runs {
 public:
  int Add() {
    MutexLock lock(mu_);
    ++count_;
    changed_.SignalAll();
    return count_;
  }
  // Returns false when they did not come within a minute.
  bool Await(int count) {
    MutexLock lock(mu_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (count_ < count && std::chrono::steady_clock::now() < deadline) {
      changed_.WaitFor(mu_, std::chrono::seconds(1));
    }
    return count_ >= count;
  }
  int count() {
    MutexLock lock(mu_);
    return count_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mu_) = 0;
};

TEST(BackgroundTaskTest, RunsAtTheInterval) {
  Metrics metrics;
  Runs runs;
  BackgroundTask task(
      "beat", 1, [&] { return runs.Add(), absl::OkStatus(); }, &metrics);
  task.Start();
  EXPECT_TRUE(runs.Await(5));
  task.Stop();
  const int after = runs.count();
  task.Wake();
  EXPECT_EQ(runs.count(), after);
  EXPECT_EQ(metrics.AddCounter("cairn_task_runs_total", "", {{"task", "beat"}})->Value(), after);
  EXPECT_EQ(metrics.AddCounter("cairn_task_failures_total", "", {{"task", "beat"}})->Value(), 0);
}

TEST(BackgroundTaskTest, WakeRunsAtOnce) {
  Metrics metrics;
  Runs runs;
  BackgroundTask task(
      "lazy", {.interval_ms = kNever, .run_at_start = false},
      [&] { return runs.Add(), absl::OkStatus(); }, &metrics);
  task.Start();
  EXPECT_EQ(runs.count(), 0);
  for (int i = 1; i <= 3; ++i) {
    task.Wake();
    EXPECT_TRUE(runs.Await(i));
  }
}

TEST(BackgroundTaskTest, AWakeDuringARunIsNotLost) {
  Metrics metrics;
  Runs runs;
  BackgroundTask* self = nullptr;
  BackgroundTask task(
      "again", kNever,
      [&] {
        if (runs.Add() == 1) self->Wake();
        return absl::OkStatus();
      },
      &metrics);
  self = &task;
  task.Start();
  EXPECT_TRUE(runs.Await(2));
}

TEST(BackgroundTaskTest, FailuresAreRetriedBeforeTheInterval) {
  Metrics metrics;
  Runs runs;
  BackgroundTask task(
      "shaky", {.interval_ms = kNever, .min_backoff_ms = 1},
      [&] { return runs.Add() < 4 ? absl::UnavailableError("not yet") : absl::OkStatus(); },
      &metrics);
  task.Start();
  EXPECT_TRUE(runs.Await(4));
  task.Stop();
  EXPECT_EQ(runs.count(), 4);  // and after success the interval holds
  EXPECT_EQ(metrics.AddCounter("cairn_task_failures_total", "", {{"task", "shaky"}})->Value(), 3);
}

TEST(BackgroundTaskTest, StopsPromptlyWhileWaiting) {
  Metrics metrics;
  Runs runs;
  BackgroundTask task(
      "long", kNever, [&] { return runs.Add(), absl::OkStatus(); }, &metrics);
  task.Start();
  EXPECT_TRUE(runs.Await(1));
  task.Stop();
  task.Stop();
  BackgroundTask never_started(
      "idle", kNever, [] { return absl::OkStatus(); }, &metrics);
  never_started.Stop();
}

TEST(BackoffTest, GrowsIsBoundedAndJitters) {
  EXPECT_EQ(BackoffMs(1, 200, 10'000, 1), 200);
  EXPECT_EQ(BackoffMs(1, 200, 10'000, 0), 100);
  EXPECT_EQ(BackoffMs(2, 200, 10'000, 1), 400);
  EXPECT_EQ(BackoffMs(5, 200, 10'000, 1), 3200);
  EXPECT_EQ(BackoffMs(7, 200, 10'000, 1), 10'000);
  EXPECT_EQ(BackoffMs(1'000'000, 200, 10'000, 1), 10'000);
  EXPECT_EQ(BackoffMs(1'000'000, 200, 10'000, 0), 5000);
  EXPECT_EQ(BackoffMs(3, 500, 100, 1), 100);
}

}  // namespace
}  // namespace cairn
