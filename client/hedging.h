// When another replica is asked because the first one is late, and how often that may be done.
//
// Why by what a node usually takes: a limit in milliseconds that suits one disk is too long for
// another, and too short once the cluster is loaded; the node's own 99th percentile moves with it
// (Dean and Barroso, "The Tail at Scale"). Why a budget: when everything is slow, asking twice
// makes it slower; so at most a share of reads is, however late they are. Readers that were
// overtaken count with the time they had waited, so that the percentile rises with a node's load.
// A node that others overtook twice in a row, without an answer in between, is asked last for a
// while: one that has stopped does not cost every read its patience. ADR 0025.
//
// One for all streams of a client. Times are microseconds of the steady clock. Thread-safe.
#pragma once

#include <cstdint>
#include <map>

#include "client/latency_histogram.h"
#include "client/types.h"
#include "common/ids.h"
#include "common/mutex.h"

namespace cairn {

class Hedging {
 public:
  struct Options {
    double share = 0.05;      // of reads; 0: none is hedged
    int64_t min_us = 10'000;  // of patience
    double burst = 10;        // hedges that may be saved up, and are there at the start
  };
  // What was waited for: a node's first bytes, or more of a stream.
  enum class Wait { kFirst, kNext };

  explicit Hedging(const Options& options) : options_(options), budget_(options.burst) {}
  Hedging(const Hedging&) = delete;
  Hedging& operator=(const Hedging&) = delete;

  // How long to wait for a node before another one is asked.
  int64_t PatienceUs(NodeNumber node, Wait wait) const ABSL_LOCKS_EXCLUDED(mu_);
  // Whether it is better asked last.
  bool IsSlow(NodeNumber node, int64_t now_us) const ABSL_LOCKS_EXCLUDED(mu_);

  // A range of a block is going to be read.
  void CountRead() ABSL_LOCKS_EXCLUDED(mu_);
  // Whether the budget has room for another replica to be asked; if so, it is used.
  bool TryHedge() ABSL_LOCKS_EXCLUDED(mu_);
  // Bytes came after a wait.
  void Answered(NodeNumber node, Wait wait, int64_t waited_us) ABSL_LOCKS_EXCLUDED(mu_);
  // Nothing came so far, and now another replica is read.
  void Overtaken(NodeNumber node, Wait wait, int64_t waited_us, int64_t now_us)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The one that was asked in addition was the first to answer.
  void CountWon() ABSL_LOCKS_EXCLUDED(mu_);
  // A replica could not be read.
  void CountFailure() ABSL_LOCKS_EXCLUDED(mu_);

  ReadStatistics statistics() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Node {
    LatencyHistogram first;
    LatencyHistogram next;
    int overtaken = 0;  // in a row
    int64_t slow_until_us = INT64_MIN;

    LatencyHistogram& Of(Wait wait) { return wait == Wait::kFirst ? first : next; }
  };

  const Options options_;
  mutable Mutex mu_;
  std::map<NodeNumber, Node> nodes_ ABSL_GUARDED_BY(mu_);
  double budget_ ABSL_GUARDED_BY(mu_);
  ReadStatistics statistics_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
