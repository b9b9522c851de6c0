// How full DataNodes are beside each other, and which move of a replica makes that better.
//
// Why apart: it is arithmetic over a snapshot, so that what it promises can be tested over any
// cluster: every move brings the two nodes closer to the mean (the sum of the squares of the
// distances, weighted by capacity, falls), so that moves come to an end and none is taken back; no
// move takes a node out of bounds that was within them. Utilization is used bytes of capacity, the
// mean that of all nodes together, and the threshold is in percentage points, as in HDFS's
// Balancer. Not thread-safe; used by the balancer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "namenode/blocks/placement/placement.h"

namespace cairn::namenode {

struct BalanceNode {
  NodeNumber number = 0;
  uint32_t view_index = 0;
  uint32_t rack = 0;  // as in the view
  uint64_t capacity_bytes = 0;
  int64_t used_bytes = 0;   // with what is on its way to the node or from it
  uint64_t room_bytes = 0;  // that it may take
};

class BalancePlan {
 public:
  enum class Verdict {
    kTake,
    kNot,         // not this block
    kNotAnyMore,  // none, for as long as this plan is used
  };
  using Judge = absl::FunctionRef<Verdict(const BalanceNode& taker)>;

  // `wide`: when nothing else helps (racks may be in the way), nodes over the threshold also give
  // to nodes that are over the mean and stay within it, and nodes that are under the mean and stay
  // within it give to those under the threshold.
  BalancePlan(std::vector<BalanceNode> nodes, double threshold_percent, bool wide = false);

  size_t size() const { return nodes_.size(); }
  const BalanceNode& node(size_t index) const { return nodes_[index]; }
  double mean_percent() const { return mean_; }
  double OffMean(size_t index) const { return Percent(index, 0) - mean_; }  // percentage points
  double MostOver() const;                                                  // 0 and up
  double MostUnder() const;                                                 // the same
  size_t nodes_over() const { return over_; }                               // beyond the threshold
  size_t nodes_under() const { return under_; }
  bool Balanced() const { return over_ == 0 && under_ == 0; }
  // What must be moved at least until it is balanced.
  uint64_t BytesLeft() const;

  // Nodes that should give, the fullest first: those over the threshold, and while there are nodes
  // under it, all that are above the mean.
  std::vector<size_t> Givers() const;
  bool Gives(size_t index) const;
  // Whether a move of so many bytes makes things better, by the rules above.
  bool Helps(size_t from, size_t to, uint64_t bytes) const;
  // Where a block of `from` should go: to its own rack, the emptiest first; then elsewhere. `judge`
  // is asked about those to which a move would help. nullopt: nowhere.
  std::optional<size_t> ChooseTaker(size_t from, uint64_t bytes, Judge judge);
  bool has_takers() const { return !takers_.empty(); }
  // How many takers ChooseTaker has looked at since this was last asked.
  size_t TakeLooks() { return std::exchange(looks_, 0); }
  // Takes a move in.
  void Move(size_t from, size_t to, uint64_t bytes);

 private:
  double Percent(size_t index, int64_t more_bytes) const;
  void CountIn(size_t index, int by);

  std::vector<BalanceNode> nodes_;
  const double threshold_;
  const double reach_;  // takers are below this, givers above its opposite
  double mean_ = 0;
  size_t over_ = 0;
  size_t under_ = 0;
  size_t looks_ = 0;
  std::vector<size_t> takers_;  // the emptiest first
};

// Whether a block on these nodes (view indices) may move from one of them to another: it is in no
// fewer racks and regions, and spread as the policy wants, unless it was not before.
bool MoveKeepsSpread(const PlacementPolicy& policy, const ClusterView& view,
                     absl::Span<const uint32_t> holders, uint32_t from, uint32_t to);

}  // namespace cairn::namenode
