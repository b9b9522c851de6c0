// Threads that are kept for the next task.
#include "common/thread_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace cairn {
namespace {

constexpr int64_t kForeverMs = 3'600'000;

TEST(ThreadCacheTest, AThreadThatIsFreeTakesTheNextTask) {
  ThreadCache cache("test", kForeverMs);
  std::thread::id first;
  cache.Run([&] { first = std::this_thread::get_id(); }).Join();
  // It may not wait yet when Join returns, and then another one is made; not each time.
  bool again = false;
  for (int i = 0; i < 1000 && !again; ++i) {
    cache.Run([&] { again = std::this_thread::get_id() == first; }).Join();
  }
  EXPECT_TRUE(again);
}

TEST(ThreadCacheTest, NoTaskWaitsForAnother) {
  constexpr int kTasks = 50;
  ThreadCache cache("test", kForeverMs);
  std::atomic<int> arrived = 0;
  std::vector<ThreadCache::Task> tasks;
  for (int i = 0; i < kTasks; ++i) {
    tasks.push_back(cache.Run([&] {
      ++arrived;
      while (arrived.load() < kTasks) std::this_thread::yield();
    }));
  }
  for (ThreadCache::Task& task : tasks) task.Join();
  EXPECT_EQ(arrived.load(), kTasks);
  EXPECT_EQ(cache.threads(), static_cast<size_t>(kTasks));
}

TEST(ThreadCacheTest, IdleThreadsEnd) {
  ThreadCache cache("test", /*idle_ms=*/1);
  std::vector<ThreadCache::Task> tasks;
  tasks.reserve(8);
  for (int i = 0; i < 8; ++i) tasks.push_back(cache.Run([] {}));
  for (ThreadCache::Task& task : tasks) task.Join();
  while (cache.threads() > 0) std::this_thread::yield();
  cache.Run([] {}).Join();
}

TEST(ThreadCacheTest, ItsEndWaitsForAllTasks) {
  std::atomic<int> arrived = 0;
  std::atomic<int> ran = 0;
  {
    ThreadCache cache("test", kForeverMs);
    for (int i = 0; i < 20; ++i) {
      [[maybe_unused]] const auto task = cache.Run([&] {
        ++arrived;
        while (arrived.load() < 20) std::this_thread::yield();  // none ends before all were given
        ++ran;
      });
    }
  }
  EXPECT_EQ(ran.load(), 20);
}

}  // namespace
}  // namespace cairn
