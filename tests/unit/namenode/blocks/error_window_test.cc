// Errors count for a window, and each once.
#include "namenode/blocks/error_window.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <utility>

namespace cairn::namenode {
namespace {

constexpr int64_t kWindowMs = 300'000;

TEST(ErrorWindowTest, ErrorsOfTheLastMinutesCount) {
  ErrorWindow window;
  int64_t now = 1'000'000'000;
  window.Note({100, 50}, kWindowMs, now);  // before the first word
  EXPECT_EQ(window.Recent(kWindowMs, now).total(), 0u);
  window.Note({103, 50}, kWindowMs, now);
  now += 60'000;
  window.Note({103, 51}, kWindowMs, now);
  EXPECT_EQ(window.Recent(kWindowMs, now).disk, 3u);
  EXPECT_EQ(window.Recent(kWindowMs, now).checksum, 1u);
  now += kWindowMs - 60'000;
  EXPECT_EQ(window.Recent(kWindowMs, now).total(), 4u);
  now += 60'000;
  EXPECT_EQ(window.Recent(kWindowMs, now).total(), 1u);
  now += 60'000;
  EXPECT_EQ(window.Recent(kWindowMs, now).total(), 0u);
}

TEST(ErrorWindowTest, AnotherProcessCountsFromZero) {
  ErrorWindow window;
  window.Note({100, 0}, kWindowMs, 0);
  window.Restarted();
  window.Note({7, 0}, kWindowMs, 0);
  EXPECT_EQ(window.Recent(kWindowMs, 0).disk, 7u);
  window.Note({3, 0}, kWindowMs, 0);  // a counter that goes back counts nothing
  EXPECT_EQ(window.Recent(kWindowMs, 0).disk, 7u);
}

// Against a list of all errors: none within the window is missed, none older than a window and a
// part counts.
TEST(ErrorWindowTest, RandomTimes) {
  std::mt19937_64 random(7);
  for (const int64_t window_ms : {int64_t{1}, int64_t{3}, int64_t{1'000}, kWindowMs}) {
    ErrorWindow window;
    window.Restarted();
    std::deque<std::pair<int64_t, uint64_t>> told;
    int64_t now = static_cast<int64_t>(random() % 1'000'000);
    uint64_t counted = 0;
    for (int i = 0; i < 2'000; ++i) {
      now +=
          static_cast<int64_t>(random() % (random() % 20 == 0 ? 3 * window_ms : window_ms / 5 + 1));
      const uint64_t errors = random() % 4;
      counted += errors;
      window.Note({counted, 0}, window_ms, now);
      told.emplace_back(now, errors);
      uint64_t least = 0;
      uint64_t most = 0;
      const int64_t part_ms = window_ms / 5 + 1;
      for (const auto& [at, count] : told) {
        if (now - at < window_ms - part_ms) least += count;
        if (now - at <= window_ms + 2 * part_ms + 4) most += count;
      }
      EXPECT_GE(window.Recent(window_ms, now).disk, least);
      EXPECT_LE(window.Recent(window_ms, now).disk, most);
    }
  }
}

}  // namespace
}  // namespace cairn::namenode
