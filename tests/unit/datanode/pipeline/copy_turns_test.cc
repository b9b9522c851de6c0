#include "datanode/pipeline/copy_turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "common/metrics.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kNeverMs = 3'600'000;

TEST(CopyTurnsTest, CopiesHaveAllTurnsWithoutClients) {
  Metrics metrics;
  CopyTurns turns({.idle_ms = 0, .stuck_ms = kNeverMs}, &metrics);
  for (int i = 0; i < 100; ++i) turns.Wait();
}

TEST(CopyTurnsTest, CopiesHaveNoMoreTurnsThanClients) {
  Metrics metrics;
  CopyTurns turns({.idle_ms = kNeverMs, .stuck_ms = kNeverMs}, &metrics);
  constexpr int kCopies = 4;
  constexpr int kPackets = 50;
  std::atomic<int> copied = 0;
  std::vector<std::thread> copies;
  { const CopyTurns::ClientWork first(&turns); }  // until then there are no clients
  for (int i = 0; i < kCopies; ++i) {
    copies.emplace_back([&] {
      for (int packet = 0; packet < kPackets; ++packet) {
        turns.Wait();
        copied.fetch_add(1);
      }
    });
  }
  int served = 1;
  while (copied.load() < kCopies * kPackets) {
    // What was copied by now had no more turns than what was served, and the first one.
    const int copied_before = copied.load();
    EXPECT_LE(copied_before, served + 1);
    const CopyTurns::ClientWork work(&turns);
    ++served;
  }
  for (std::thread& copy : copies) copy.join();
}

TEST(CopyTurnsTest, CopiesGoOnWhenClientsAreIdle) {
  Metrics metrics;
  CopyTurns turns({.idle_ms = 5, .stuck_ms = kNeverMs}, &metrics);
  { const CopyTurns::ClientWork work(&turns); }
  for (int i = 0; i < 10; ++i) turns.Wait();
}

TEST(CopyTurnsTest, CopiesDoNotWaitForAHangingDisk) {
  Metrics metrics;
  CopyTurns turns({.idle_ms = kNeverMs, .stuck_ms = 5}, &metrics);
  const CopyTurns::ClientWork hangs(&turns);
  for (int i = 0; i < 10; ++i) turns.Wait();
}

}  // namespace
}  // namespace cairn::datanode
