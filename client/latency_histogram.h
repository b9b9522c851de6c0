// How long something usually takes, lately: a histogram that forgets.
//
// Buckets grow by a half, so a quantile is at most that much too high; when 512 values are in, all
// counts are halved, so that what was long ago fades. 320 bytes. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cairn {

class LatencyHistogram {
 public:
  // Of what 20 values say little can be told.
  static constexpr uint32_t kEnough = 20;

  void Add(int64_t us) {
    size_t bucket = 0;
    for (int64_t end = kFirstUs; us >= end && bucket + 1 < kBuckets; end += end / 2) ++bucket;
    ++counts_[bucket];
    if (++total_ < kFull) return;
    total_ = 0;
    for (uint32_t& count : counts_) total_ += count /= 2;
  }

  bool is_meaningful() const { return total_ >= kEnough; }

  // What 99 of 100 values are below.
  int64_t P99Us() const {
    const uint32_t above = total_ / 100;
    uint32_t seen = 0;
    int64_t end = kFirstUs;
    for (const uint32_t count : counts_) {
      seen += count;
      if (seen + above >= total_) break;
      end += end / 2;
    }
    return end;
  }

 private:
  static constexpr size_t kBuckets = 40;  // up to many minutes
  static constexpr int64_t kFirstUs = 100;
  static constexpr uint32_t kFull = 512;

  std::array<uint32_t, kBuckets> counts_ = {};
  uint32_t total_ = 0;
};

}  // namespace cairn
