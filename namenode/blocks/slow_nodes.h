// Which DataNodes are slower than the others, by what their peers measured.
//
// Why: a node whose disk or link has become slow still sends its heartbeats, and drags every
// pipeline that it is in. Each DataNode tells with its heartbeats what a packet to the next node of
// its pipelines takes; here a node's figure is the median of what its peers say of it, so that one
// reporter that is slow itself brings nobody down, and the figures of all nodes are compared.
//
// The rule is that of HDFS's OutlierDetector: with m the median of all figures and MAD the median
// of their distances from m, times 1.4826 (which makes it a standard deviation where they are
// normal), a node is slow above the highest of: the threshold, 3 m, m + 3 MAD. Other than HDFS's,
// a verdict needs several judgements in a row, and is kept until the figure is well below that
// limit, so that nobody flaps. A figure that has run out (a slow node gets no writes) is no reason
// to keep a verdict: the node is tried again.
//
// Pure: no clock, no lock. Not thread-safe; used by the DatanodeTable.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "namenode/blocks/types.h"

namespace cairn::namenode {

class SlowNodes {
 public:
  static constexpr double kMultiplier = 3;      // of median and deviation, as in HDFS
  static constexpr double kDeviation = 1.4826;  // of a MAD
  static constexpr size_t kMinNodes = 4;        // fewer cannot be compared (HDFS: 10)
  static constexpr size_t kMinReporters = 2;    // one may be the slow one itself
  static constexpr uint64_t kMinSamples = 20;   // of a node, of all its reporters
  // Fewer of one reporter say nothing.
  static constexpr uint64_t kMinReporterSamples = 3;
  static constexpr int kJudgements = 3;      // in a row, for a verdict and for its end
  static constexpr double kWellBelow = 0.7;  // of the limit
  static constexpr size_t kMaxPeers = 256;   // of one report; what is beyond is not taken in
  // Whose reports one call of Judge takes in: a bound on how long that takes.
  static constexpr size_t kReportersAtOnce = 500;

  struct Verdict {
    uint64_t latency_us = 0;  // of a packet to the node; 0: not measured of late
    uint64_t peers_us = 0;    // the median of all nodes
  };

  // Nobody is slow below `threshold_us`; 0: nobody is at all. What a reporter said counts for
  // `expiry_ms`.
  SlowNodes(uint64_t threshold_us, int64_t expiry_ms)
      : threshold_us_(threshold_us), expiry_ms_(expiry_ms) {}

  // What `reporter` measured, in place of what it said before.
  void Report(NodeNumber reporter, absl::Span<const PeerLatency> peers, int64_t now_ms);
  // Compares all nodes, once it has gone through all reporters: where these are many, each call
  // goes through some of them. Returns those that have become slow, or have ceased to be.
  std::vector<NodeNumber> Judge(int64_t now_ms);

  // nullptr: it is not slow. Valid until Judge.
  const Verdict* Find(NodeNumber node) const {
    const auto it = slow_.find(node);
    return it == slow_.end() ? nullptr : &it->second;
  }
  // As last judged; 0: not measured, or by too few.
  uint64_t LatencyUs(NodeNumber node) const {
    const auto it = figures_.find(node);
    return it == figures_.end() ? 0 : it->second;
  }

 private:
  struct Reporter {
    int64_t at_ms = 0;
    std::vector<PeerLatency> peers;
  };
  using Figures = absl::btree_map<NodeNumber, uint64_t>;
  struct Said {  // of one node, by all reporters
    std::vector<uint64_t> medians;
    uint64_t samples = 0;
  };

  // False when there are more reporters.
  bool Gather(int64_t now_ms);
  void TakeFigures();
  // Counts what speaks against a node's verdict; true when it has changed.
  bool JudgeOne(NodeNumber node, uint64_t median, double limit);

  const uint64_t threshold_us_;
  const int64_t expiry_ms_;
  absl::btree_map<NodeNumber, Reporter> reporters_;
  absl::btree_map<NodeNumber, Said> said_;  // by reporters before this one
  NodeNumber next_reporter_ = 0;
  Figures figures_;
  absl::btree_map<NodeNumber, Verdict> slow_;
  // Judgements in a row that speak against what is held of the node now.
  absl::btree_map<NodeNumber, int> against_;
};

}  // namespace cairn::namenode
