// What a disk's writes and syncs take of late, and which of a node's disks are slow beside the
// others.
//
// Why: a disk that is dying is slow long before it fails. The node's peers see a slow node
// (peer_latencies.h), diluted by its other disks; the node itself can tell which disk it is. As in
// HDFS, a disk is compared with the others of its node: it is slow above a threshold and three
// times the median of the others, in writes or in syncs, by several judgements in a row; and is not
// any more when it is well below that, or was not measured (it gets no new replicas while it is
// slow), for as many. Reads are not measured: of those that come out of the page cache nothing
// follows.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "datanode/store/latency_window.h"

namespace cairn::datanode {

struct LatencyFigure {
  uint64_t median_us = 0;
  uint64_t samples = 0;
};
struct DiskFigures {
  LatencyFigure write;  // of 1 MiB
  LatencyFigure sync;
};

// Of one disk. Thread-safe; written to by OpenFiles.
class DiskMeter {
 public:
  static constexpr int64_t kWindowMs = 300'000;
  // Smaller writes say little: what a call costs at all outweighs them.
  static constexpr uint64_t kLeastBytes = 64 << 10;

  void NoteWrite(uint64_t bytes, int64_t us, int64_t steady_ms) ABSL_LOCKS_EXCLUDED(mu_);
  void NoteSync(int64_t us, int64_t steady_ms) ABSL_LOCKS_EXCLUDED(mu_);
  DiskFigures Report(int64_t steady_ms) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;
  LatencyWindow writes_ ABSL_GUARDED_BY(mu_){kWindowMs};
  LatencyWindow syncs_ ABSL_GUARDED_BY(mu_){kWindowMs};
};

// Of a node's disks, by storage id. Pure; not thread-safe.
class SlowDisks {
 public:
  // HDFS has 20 ms and only reports. A hard disk under load may need that long beside an SSD.
  static constexpr uint64_t kThresholdUs = 100'000;
  static constexpr uint64_t kMultiplier = 3;   // of the others' median, as in HDFS
  static constexpr uint64_t kMinSamples = 10;  // fewer say nothing
  static constexpr int kJudgements = 3;        // in a row, for a verdict and for its end
  static constexpr double kWellBelow = 0.7;    // of the limit

  struct Verdict {
    uint64_t us = 0;         // of a write or a sync, whichever it is slow in; 0: not measured
    uint64_t others_us = 0;  // the median of the others'
  };

  // Compares them once. Those that are not among `disks` are forgotten.
  void Judge(const std::map<std::string, DiskFigures>& disks);
  // nullptr: it is not slow.
  const Verdict* Find(const std::string& storage_id) const;

 private:
  struct State {
    bool slow = false;
    Verdict verdict;
    int against = 0;  // judgements in a row that speak against what is held of it
  };

  std::map<std::string, State> states_;
};

}  // namespace cairn::datanode
