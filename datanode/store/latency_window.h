// Medians of the latencies of the last minutes.
//
// Why: what is slow is told by what things took of late. Counts in buckets need no allocation for a
// sample, and what is older than the window is forgotten part by part (HDFS: RollingAverages, 5 min
// in parts). Neither is thread-safe. Used for the disks here and for peers in the pipeline.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cairn::datanode {

// How often which latency was seen: buckets of a quarter of a power of two, so that a median is
// right to about an eighth. Not thread-safe.
class LatencyCounts {
 public:
  void Add(int64_t us) {
    ++counts_[BucketOf(us)];
    ++total_;
  }
  void Add(const LatencyCounts& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
  }
  void Clear() { *this = {}; }

  uint64_t total() const { return total_; }
  uint64_t MedianUs() const;  // the middle of its bucket; 0 without samples

 private:
  static constexpr size_t kBuckets = 4 * 31;  // up to 35 minutes

  static size_t BucketOf(int64_t us) {
    const auto value = static_cast<uint64_t>(us < 4 ? 4 : us);  // the first are one
    const auto power = static_cast<size_t>(std::bit_width(value) - 1);
    const size_t bucket = 4 * power + ((value >> (power - 2)) & 3);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }

  std::array<uint32_t, kBuckets> counts_{};
  uint64_t total_ = 0;
};

class LatencyWindow {
 public:
  // `window_ms`, above 0: how long a sample counts.
  explicit LatencyWindow(int64_t window_ms);

  void Add(const LatencyCounts& counts, int64_t steady_ms);
  LatencyCounts Sum(int64_t steady_ms) const;

 private:
  static constexpr size_t kParts = 6;  // one is being filled
  struct Part {
    int64_t number = -1;
    LatencyCounts counts;
  };

  int64_t PartAt(int64_t steady_ms) const { return steady_ms / part_ms_; }

  int64_t part_ms_;
  std::array<Part, kParts> parts_;
};

}  // namespace cairn::datanode
