// How fast the next nodes of this node's pipelines are: for the NameNode, which compares them.
//
// Why: a node that is slow but alive is noticed only by those who wait for it. Every stream keeps
// LatencyCounts of its own, under the lock that it holds anyway, and adds them here about once a
// second: a packet costs no allocation, and no lock that streams share. Thread-safe; used by the
// relays and the control session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "datanode/store/latency_window.h"

namespace cairn::datanode {

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
  const int64_t window_ms_;
  Mutex mu_;
  absl::flat_hash_map<NodeNumber, LatencyWindow> peers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
