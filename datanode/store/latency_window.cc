#include "datanode/store/latency_window.h"

#include <algorithm>

namespace cairn::datanode {

uint64_t LatencyCounts::MedianUs() const {
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (2 * seen < total_ || seen == 0) continue;
    const size_t power = bucket / 4;
    const uint64_t quarter = uint64_t{1} << (power - 2);
    return (4 + bucket % 4) * quarter + quarter / 2;
  }
  return 0;
}

LatencyWindow::LatencyWindow(int64_t window_ms)
    : part_ms_(std::max<int64_t>(1, window_ms / static_cast<int64_t>(kParts - 1))) {}

void LatencyWindow::Add(const LatencyCounts& counts, int64_t steady_ms) {
  const int64_t number = PartAt(steady_ms);
  Part& part = parts_[static_cast<size_t>(number) % kParts];
  if (part.number > number) return;  // the clock was read long before the lock was had
  if (part.number < number) part = {number, {}};
  part.counts.Add(counts);
}

LatencyCounts LatencyWindow::Sum(int64_t steady_ms) const {
  const int64_t now = PartAt(steady_ms);
  LatencyCounts sum;
  for (const Part& part : parts_) {
    const bool recent = part.number >= 0 && part.number + static_cast<int64_t>(kParts) > now;
    if (recent) sum.Add(part.counts);
  }
  return sum;
}

}  // namespace cairn::datanode
