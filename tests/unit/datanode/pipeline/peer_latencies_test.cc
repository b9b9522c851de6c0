#include "datanode/pipeline/peer_latencies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

namespace cairn::datanode {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

LatencyCounts Counts(const std::vector<int64_t>& samples) {
  LatencyCounts counts;
  for (const int64_t us : samples) counts.Add(us);
  return counts;
}

TEST(LatencyCountsTest, MedianIsRightToAnEighth) {
  EXPECT_EQ(LatencyCounts().MedianUs(), 0u);
  std::mt19937_64 random(5);
  for (int round = 0; round < 500; ++round) {
    std::vector<int64_t> samples(1 + random() % 200);
    for (int64_t& us : samples)
      us = 4 + static_cast<int64_t>(random() % (1ull << (3 + random() % 28)));
    const LatencyCounts counts = Counts(samples);
    EXPECT_EQ(counts.total(), samples.size());
    std::sort(samples.begin(), samples.end());
    const auto median = static_cast<double>(samples[(samples.size() - 1) / 2]);
    EXPECT_GE(static_cast<double>(counts.MedianUs()), 0.87 * median - 1);
    EXPECT_LE(static_cast<double>(counts.MedianUs()), 1.13 * median + 1);
  }
}

TEST(LatencyCountsTest, AnyNumberIsTaken) {
  for (const int64_t us : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{3}}) {
    EXPECT_LE(Counts({us}).MedianUs(), 5u) << us;
  }
  EXPECT_GT(Counts({INT64_MAX}).MedianUs(), 1'000'000'000u);
}

TEST(PeerLatenciesTest, SamplesCountForAWindow) {
  PeerLatencies latencies(300'000);
  int64_t now = 5'000'000;
  latencies.Add(2, Counts({1'000, 1'000, 1'000}), now);
  latencies.Add(3, Counts({}), now);
  now += 120'000;
  latencies.Add(2, Counts({50'000, 50'000}), now);
  latencies.Add(4, Counts({20'000}), now);
  auto report = latencies.Report(now);
  ASSERT_THAT(report, SizeIs(2));
  EXPECT_EQ(report[0].node, 4u);  // the slowest first
  EXPECT_EQ(report[0].samples, 1u);
  EXPECT_EQ(report[1].node, 2u);
  EXPECT_EQ(report[1].samples, 5u);
  EXPECT_NEAR(static_cast<double>(report[1].median_us), 1'000, 130);
  now += 240'000;  // the first samples are a window and a part old
  report = latencies.Report(now);
  ASSERT_THAT(report, SizeIs(2));
  EXPECT_EQ(report[0].node, 2u);
  EXPECT_EQ(report[0].samples, 2u);
  EXPECT_NEAR(static_cast<double>(report[0].median_us), 50'000, 6'500);
  EXPECT_THAT(latencies.Report(now + 120'000), IsEmpty());
}

TEST(PeerLatenciesTest, TellsOfTheSlowestWhereThereAreMany) {
  PeerLatencies latencies(300'000);
  for (NodeNumber node = 1; node <= 500; ++node) {
    latencies.Add(node, Counts({node == 77 ? 900'000 : 1'000}), 0);
  }
  const auto report = latencies.Report(0);
  ASSERT_THAT(report, SizeIs(PeerLatencies::kMaxReported));
  EXPECT_EQ(report.front().node, 77u);
}

TEST(PeerLatenciesTest, ManyStreamsTellAtOnce) {
  PeerLatencies latencies(300'000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&latencies] {
      for (int i = 0; i < 500; ++i) {
        latencies.Add(static_cast<NodeNumber>(1 + i % 3), Counts({1'000}), 10 + i);
        if (i % 50 == 0) latencies.Report(10 + i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint64_t samples = 0;
  for (const auto& peer : latencies.Report(510)) samples += peer.samples;
  EXPECT_EQ(samples, 2'000u);
}

}  // namespace
}  // namespace cairn::datanode
