#include "common/mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "common/clock.h"

namespace cairn {
namespace {

struct Guarded {
  Mutex mu;
  int value ABSL_GUARDED_BY(mu) = 0;
};
struct Shared {
  SharedMutex mu;
  int value ABSL_GUARDED_BY(mu) = 0;
};

TEST(MutexTest, Excludes) {
  Guarded guarded;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 5000; ++j) {
        MutexLock lock(guarded.mu);
        ++guarded.value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(guarded.mu);
  EXPECT_EQ(guarded.value, 20'000);
}

TEST(MutexTest, WaitForTimesOut) {
  Mutex mu;
  CondVar cv;
  MutexLock lock(mu);
  EXPECT_FALSE(cv.WaitFor(mu, std::chrono::milliseconds(1)));
}

TEST(TurnMutexTest, Excludes) {
  TurnMutex mu;
  int value = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 5000; ++j) {
        i % 2 == 0 ? mu.Lock() : mu.LockInTurn();
        ++value;
        mu.Unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(value, 20'000);
}

TEST(TurnMutexTest, ALoopInTurnKeepsNobodyOut) {
  TurnMutex mu;
  std::atomic<bool> stop = false;
  std::thread loop([&] {
    while (!stop) {
      mu.LockInTurn();
      mu.Unlock();
    }
  });
  for (int i = 0; i < 1000; ++i) {
    mu.Lock();
    mu.Unlock();
  }
  stop = true;
  loop.join();
}

TEST(SharedMutexTest, AWriterGetsThroughAStreamOfReaders) {
  Shared shared;
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 16; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        ReaderLock lock(shared.mu);
        (void)shared.value;
      }
    });
  }
  for (int i = 0; i < 100; ++i) {  // with glibc's default preference this never ends
    WriterLock lock(shared.mu);
    ++shared.value;
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  ReaderLock lock(shared.mu);
  EXPECT_EQ(shared.value, 100);
}

TEST(ClockTest, SystemAndManual) {
  const auto system = NewSystemClock();
  const int64_t steady = system->SteadyMs();
  EXPECT_GE(system->SteadyMs(), steady);
  EXPECT_GT(system->WallMs(), 1'600'000'000'000);
  ManualClock manual(5);
  manual.AdvanceMs(10);
  EXPECT_EQ(manual.WallMs(), 15);
  EXPECT_EQ(manual.SteadyMs(), 15);
}

}  // namespace
}  // namespace cairn
