#include "client/bench/statistics.h"

#include <gtest/gtest.h>

namespace cairn::bench {
namespace {

TEST(PercentileTest, IsTheNearestRank) {
  std::vector<float> values = {5, 1, 4, 2, 3};
  EXPECT_EQ(Percentile(values, 50), 3);
  EXPECT_EQ(Percentile(values, 99), 5);
  EXPECT_EQ(Percentile(values, 100), 5);
  EXPECT_EQ(Percentile(values, 20), 1);
  EXPECT_EQ(Percentile(values, 21), 2);
  EXPECT_EQ(Percentile(values, 0), 1);
}

TEST(PercentileTest, OfNothingIsZero) {
  std::vector<float> values;
  EXPECT_EQ(Percentile(values, 50), 0);
}

TEST(SpreadTest, HasMedianAndEnds) {
  const Spread odd = SpreadOf({3, 9, 1});
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 9);
  EXPECT_EQ(SpreadOf({4, 2}).median, 3);
  EXPECT_EQ(SpreadOf({}).median, 0);
}

TEST(RatioTest, GoesRoundByRound) {
  // A slow machine in one round slows both: the ratio does not see it.
  const Spread ratio = RatioOf({100, 10, 90}, {200, 20, 100});
  EXPECT_DOUBLE_EQ(ratio.median, 0.5);
  EXPECT_DOUBLE_EQ(ratio.max, 0.9);
  EXPECT_EQ(RatioOf({1, 2}, {0, 4}).median, 0.5);
  EXPECT_EQ(RatioOf({1}, {}).median, 0);
}

}  // namespace
}  // namespace cairn::bench
