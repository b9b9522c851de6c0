#include "common/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace cairn {
namespace {

// A door that threads wait at until it is opened.
class Gate {
 public:
  void Wait() {
    MutexLock lock(mu_);
    ++waiting_;
    arrived_.SignalAll();
    while (!open_) opened_.Wait(mu_);
  }
  void AwaitWaiters(int count) {
    MutexLock lock(mu_);
    while (waiting_ < count) arrived_.Wait(mu_);
  }
  void Open() {
    MutexLock lock(mu_);
    open_ = true;
    opened_.SignalAll();
  }

 private:
  Mutex mu_;
  CondVar arrived_;
  CondVar opened_;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
};

TEST(ThreadPoolTest, RunsEverythingBeforeItStops) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool("test", 4, 10'000);
    for (int i = 0; i < 5000; ++i) ASSERT_TRUE(pool.Submit([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 5000);
}

TEST(ThreadPoolTest, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  ThreadPool pool("test", 1, 1000);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.Submit([&order, i] { order.push_back(i); }));
  pool.Stop();
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(ThreadPoolTest, RefusesWhenFullOrStopped) {
  Gate gate;
  std::atomic<int> ran = 0;
  ThreadPool pool("test", 2, 3);
  ASSERT_TRUE(pool.Submit([&] { gate.Wait(); }));
  ASSERT_TRUE(pool.Submit([&] { gate.Wait(); }));
  gate.AwaitWaiters(2);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.Submit([&] { ++ran; }));
  EXPECT_FALSE(pool.Submit([&] { ++ran; }));
  EXPECT_EQ(pool.queued(), 3u);
  gate.Open();
  pool.Stop();
  EXPECT_EQ(ran, 3);
  EXPECT_FALSE(pool.Submit([&] { ++ran; }));
  pool.Stop();
  EXPECT_EQ(ran, 3);
}

TEST(ThreadPoolTest, TasksMaySubmit) {
  std::atomic<int> ran = 0;
  ThreadPool pool("test", 1, 10);
  Gate gate;
  ASSERT_TRUE(pool.Submit([&] {
    EXPECT_TRUE(pool.Submit([&] { ++ran; }));
    gate.Wait();
  }));
  gate.AwaitWaiters(1);
  gate.Open();
  pool.Stop();
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace cairn
