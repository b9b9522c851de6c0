// How fast the next nodes of this node's pipelines are: for the NameNode, which compares them.
//
// Why: a node that is slow but alive is noticed only by those who wait for it. Every stream keeps
// LatencyCounts of its own, under the lock that it holds anyway, and adds them here about once a
// second: a packet costs no allocation, and no lock that streams share. What is older than the
// window (HDFS: RollingAverages, 5 min in parts) is forgotten, part by part. PeerLatencies is
// thread-safe; used by the relays and the control session.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/ids.h"
#include "common/mutex.h"

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

class PeerLatencies {
 public:
  // The most that a heartbeat tells of; the slowest ones.
  static constexpr size_t kMaxReported = 64;

  struct Peer {
    NodeNumber node = 0;
    uint64_t median_us = 0;
    uint64_t samples = 0;
  };

  // `window_ms`, above 0: how long a sample counts.
  explicit PeerLatencies(int64_t window_ms);

  void Add(NodeNumber node, const LatencyCounts& counts, int64_t steady_ms)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Of all with samples in the window, the slowest first.
  std::vector<Peer> Report(int64_t steady_ms) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  static constexpr size_t kParts = 6;  // one is being filled
  struct Part {
    int64_t number = -1;
    LatencyCounts counts;
  };
  using Parts = std::array<Part, kParts>;

  int64_t PartAt(int64_t steady_ms) const { return steady_ms / part_ms_; }

  const int64_t part_ms_;
  Mutex mu_;
  absl::flat_hash_map<NodeNumber, Parts> peers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
