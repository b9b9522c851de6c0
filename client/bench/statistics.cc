#include "client/bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace cairn::bench {

float Percentile(std::vector<float>& values, double percent) {
  if (values.empty()) return 0;
  const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
  const size_t index = rank < 1 ? 0 : std::min(static_cast<size_t>(rank), values.size()) - 1;
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {.median = median, .min = values.front(), .max = values.back()};
}

Spread RatioOf(const std::vector<double>& values, const std::vector<double>& baselines) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(values.size(), baselines.size()); ++i) {
    if (baselines[i] > 0) ratios.push_back(values[i] / baselines[i]);
  }
  return SpreadOf(std::move(ratios));
}

}  // namespace cairn::bench
