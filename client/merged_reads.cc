#include "client/merged_reads.h"

#include <algorithm>

namespace cairn {

std::vector<MergedRead> MergeRanges(const std::vector<std::pair<uint64_t, uint64_t>>& ranges) {
  std::vector<size_t> order;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].second > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return ranges[a].first < ranges[b].first; });
  std::vector<MergedRead> reads;
  for (const size_t i : order) {
    const auto [offset, length] = ranges[i];
    if (!reads.empty()) {
      MergedRead& last = reads.back();
      const uint64_t last_end = last.offset + last.length;
      const uint64_t end = std::max(last_end, offset + length);
      const bool is_near = offset < last_end || offset - last_end < kMergeGapBytes;
      if (is_near && end - last.offset <= kMergedMostBytes) {
        last.length = end - last.offset;
        last.ranges.push_back(i);
        continue;
      }
    }
    reads.push_back({.offset = offset, .length = length, .ranges = {i}});
  }
  return reads;
}

}  // namespace cairn
