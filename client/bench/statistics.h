// What a benchmark makes of its measurements: percentiles, and the middle and the ends of its
// rounds.
//
// Why apart: every figure that Cairn publishes is a median of rounds with its spread, beside a
// baseline that was measured in turn with it; the arithmetic is written and tested once. Used by
// the benchmarks of `cairn bench` and those of tests/bench. Pure functions, thread-safe.
#pragma once

#include <vector>

namespace cairn::bench {

// The smallest value that at least `percent` of them do not exceed (nearest rank); 0 without
// values. Reorders them.
float Percentile(std::vector<float>& values, double percent);

struct Spread {
  double median = 0;  // of an even number, the mean of the two in the middle
  double min = 0;
  double max = 0;
};
// All 0 without values.
Spread SpreadOf(std::vector<double> values);

// Of each round, a measurement over its baseline; rounds without a baseline are left out.
Spread RatioOf(const std::vector<double>& values, const std::vector<double>& baselines);

}  // namespace cairn::bench
