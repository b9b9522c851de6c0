// When reads are hedged, how far they are read ahead, and how ranges are merged: the rules, without
// a network.
#include "client/hedging.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "client/latency_histogram.h"
#include "client/merged_reads.h"
#include "client/read_window.h"

namespace cairn {
namespace {

using Wait = Hedging::Wait;

constexpr int64_t kMs = 1'000;
constexpr NodeNumber kNode = 1;

TEST(LatencyHistogramTest, TellsWhatNinetyNineOfAHundredAreBelow) {
  LatencyHistogram histogram;
  EXPECT_FALSE(histogram.is_meaningful());
  for (int i = 1; i <= 500; ++i) histogram.Add(i % 200 == 0 ? 900 * kMs : 4 * kMs);
  EXPECT_TRUE(histogram.is_meaningful());
  EXPECT_GE(histogram.P99Us(), 4 * kMs);
  EXPECT_LE(histogram.P99Us(), 6 * kMs);
  for (int i = 1; i <= 100; ++i) histogram.Add(30 * kMs);
  EXPECT_GE(histogram.P99Us(), 30 * kMs);
  EXPECT_LE(histogram.P99Us(), 45 * kMs);
}

TEST(LatencyHistogramTest, Forgets) {
  LatencyHistogram histogram;
  for (int i = 0; i < 500; ++i) histogram.Add(900 * kMs);
  for (int i = 0; i < 5'000; ++i) histogram.Add(2 * kMs);
  EXPECT_LE(histogram.P99Us(), 3 * kMs);
}

TEST(LatencyHistogramTest, TakesAnyValue) {
  LatencyHistogram histogram;
  for (const int64_t us : {int64_t{-5}, int64_t{0}, INT64_MAX}) {
    for (int i = 0; i < 600; ++i) histogram.Add(us);
    EXPECT_GT(histogram.P99Us(), 0);
  }
}

TEST(HedgingTest, PatienceIsWhatANodeUsuallyTakes) {
  Hedging hedging({});
  const int64_t unknown = hedging.PatienceUs(kNode, Wait::kFirst);
  EXPECT_GT(unknown, 50 * kMs);
  for (int i = 0; i < 100; ++i) hedging.Answered(kNode, Wait::kFirst, 40 * kMs);
  EXPECT_GE(hedging.PatienceUs(kNode, Wait::kFirst), 40 * kMs);
  EXPECT_LE(hedging.PatienceUs(kNode, Wait::kFirst), 60 * kMs);
  // Of other nodes, and of streams that go on, nothing is known by that.
  EXPECT_EQ(hedging.PatienceUs(kNode + 1, Wait::kFirst), unknown);
  EXPECT_EQ(hedging.PatienceUs(kNode, Wait::kNext), unknown);
  for (int i = 0; i < 100; ++i) hedging.Answered(kNode + 1, Wait::kFirst, 1 * kMs);
  EXPECT_EQ(hedging.PatienceUs(kNode + 1, Wait::kFirst), 10 * kMs);  // not below the least
}

TEST(HedgingTest, PatienceGrowsWhereHedgesAreCommon) {
  Hedging hedging({});
  for (int i = 0; i < 200; ++i) hedging.Answered(kNode, Wait::kFirst, 2 * kMs);
  const int64_t before = hedging.PatienceUs(kNode, Wait::kFirst);
  for (int i = 0; i < 20; ++i) {
    hedging.Overtaken(kNode, Wait::kFirst, 70 * kMs, 0);
    hedging.Answered(kNode, Wait::kFirst, 70 * kMs);
  }
  EXPECT_GT(hedging.PatienceUs(kNode, Wait::kFirst), 3 * before);
}

TEST(HedgingTest, NoMoreThanAShareOfReadsIsHedged) {
  Hedging hedging({.share = 0.05, .min_us = 10 * kMs, .burst = 10});
  int hedges = 0;
  for (int i = 0; i < 1'000; ++i) {
    hedging.CountRead();
    hedges += hedging.TryHedge() ? 1 : 0;
  }
  EXPECT_GE(hedges, 55);
  EXPECT_LE(hedges, 60);
  EXPECT_EQ(hedging.statistics().hedged, static_cast<uint64_t>(hedges));
  EXPECT_EQ(hedging.statistics().reads, 1'000u);
  // What is not used is not saved up beyond the burst.
  for (int i = 0; i < 10'000; ++i) hedging.CountRead();
  hedges = 0;
  while (hedging.TryHedge()) ++hedges;
  EXPECT_EQ(hedges, 10);
}

TEST(HedgingTest, ItCanBeTurnedOff) {
  Hedging hedging({.share = 0});
  for (int i = 0; i < 100; ++i) hedging.CountRead();
  EXPECT_FALSE(hedging.TryHedge());
  EXPECT_EQ(hedging.statistics().hedged, 0u);
}

TEST(HedgingTest, ANodeThatIsOvertakenTwiceInARowIsSlowForAWhile) {
  Hedging hedging({});
  int64_t now_us = 5'000 * kMs;
  const auto overtake = [&] { hedging.Overtaken(kNode, Wait::kFirst, 10 * kMs, now_us); };
  overtake();
  EXPECT_FALSE(hedging.IsSlow(kNode, now_us));
  hedging.Answered(kNode, Wait::kFirst, 1 * kMs);
  overtake();
  EXPECT_FALSE(hedging.IsSlow(kNode, now_us));
  overtake();
  EXPECT_TRUE(hedging.IsSlow(kNode, now_us));
  EXPECT_FALSE(hedging.IsSlow(kNode + 1, now_us));
  for (int i = 0; i < 20; ++i) overtake();  // they all began before it was known
  now_us += 1'000 * kMs;
  EXPECT_FALSE(hedging.IsSlow(kNode, now_us));
  overtake();  // still so: for longer
  now_us += 1'500 * kMs;
  EXPECT_TRUE(hedging.IsSlow(kNode, now_us));
  for (int i = 0; i < 20; ++i) {
    now_us += 60'000 * kMs;
    EXPECT_FALSE(hedging.IsSlow(kNode, now_us));
    overtake();
  }
  hedging.Answered(kNode, Wait::kFirst, 1 * kMs);
  EXPECT_FALSE(hedging.IsSlow(kNode, now_us));
}

TEST(ReadWindowTest, DoublesWhileReadOnAndStartsAnewAfterAJump) {
  ReadWindow window;
  EXPECT_EQ(window.Take(0, 1'000), 64u << 10);
  uint64_t at = 64 << 10;
  for (uint64_t expected = 128 << 10; expected < ReadWindow::kMost; expected *= 2) {
    window.MoveTo(at);
    EXPECT_EQ(window.Take(at, 1'000), expected);
    at += expected;
  }
  for (int i = 0; i < 3; ++i) {
    window.MoveTo(at);
    EXPECT_EQ(window.Take(at, 1'000), ReadWindow::kNoLimit);
    at += 100 << 20;
  }
  EXPECT_EQ(window.Take(at - 7, 4'096), 4'096u);
  window.MoveTo(at - 7 + 4'096);
  EXPECT_EQ(window.Take(at - 7 + 4'096, 4'096), 64u << 10);
}

TEST(ReadWindowTest, NeverAsksForLessThanIsWanted) {
  std::mt19937_64 random(3);
  ReadWindow window;
  uint64_t at = 0;
  for (int i = 0; i < 2'000; ++i) {
    if (random() % 4 == 0) at = random() % (1ull << 40);
    const uint64_t want = 1 + random() % (1ull << (random() % 30));
    const uint64_t asked = window.Take(at, want);
    EXPECT_GE(asked, want);
    EXPECT_TRUE(asked <= 2 * std::max(want, ReadWindow::kMost) || asked == ReadWindow::kNoLimit);
    at += std::min(asked, want);
    window.MoveTo(at);
  }
}

TEST(MergeRangesTest, MergesWhatIsNear) {
  const auto reads = MergeRanges({{9'000, 10}, {0, 1'000}, {5'095, 5}, {1'000, 0}, {13'106, 1}});
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(reads[0].offset, 0u);
  EXPECT_EQ(reads[0].length, 9'010u);
  EXPECT_EQ(reads[0].ranges, (std::vector<size_t>{1, 2, 0}));
  EXPECT_EQ(reads[1].offset, 13'106u);  // 4,096 bytes lie between
  EXPECT_EQ(reads[1].ranges, (std::vector<size_t>{4}));
}

TEST(MergeRangesTest, EveryRangeIsCoveredByOneReadOfAllowedSize) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    const uint64_t spread = 1ull << (10 + random() % 20);
    for (size_t i = 0; i < random() % 40; ++i) {
      ranges.emplace_back(random() % spread, random() % (1ull << (random() % 22)));
    }
    std::vector<int> covered(ranges.size(), 0);
    uint64_t last_offset = 0;
    for (const MergedRead& read : MergeRanges(ranges)) {
      EXPECT_GE(read.offset, last_offset);
      last_offset = read.offset;
      EXPECT_TRUE(read.length <= kMergedMostBytes || read.ranges.size() == 1);
      for (const size_t i : read.ranges) {
        ++covered[i];
        EXPECT_GE(ranges[i].first, read.offset);
        EXPECT_LE(ranges[i].first + ranges[i].second, read.offset + read.length);
      }
    }
    for (size_t i = 0; i < ranges.size(); ++i) EXPECT_EQ(covered[i], ranges[i].second > 0 ? 1 : 0);
  }
}

}  // namespace
}  // namespace cairn
