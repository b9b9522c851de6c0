#include "namenode/blocks/balance_plan.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace cairn::namenode {
namespace {

using Holders = absl::InlinedVector<uint32_t, 8>;

size_t Domains(const ClusterView& view, const Holders& holders, uint32_t PlacementNode::*domain) {
  size_t distinct = 0;
  for (size_t i = 0; i < holders.size(); ++i) {
    const auto same = [&](uint32_t other) {
      return view.node(other).*domain == view.node(holders[i]).*domain;
    };
    distinct += std::none_of(holders.begin(), holders.begin() + static_cast<ptrdiff_t>(i), same);
  }
  return distinct;
}

}  // namespace

BalancePlan::BalancePlan(std::vector<BalanceNode> nodes, double threshold_percent, bool wide)
    : nodes_(std::move(nodes)),
      threshold_(threshold_percent),
      reach_(wide ? threshold_percent : 0) {
  double used = 0;
  double capacity = 0;
  for (const BalanceNode& node : nodes_) {
    used += static_cast<double>(node.used_bytes);
    capacity += static_cast<double>(node.capacity_bytes);
  }
  mean_ = capacity > 0 ? used / capacity * 100 : 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    CountIn(i, 1);
    if (OffMean(i) < reach_) takers_.push_back(i);
  }
  std::stable_sort(takers_.begin(), takers_.end(),
                   [&](size_t a, size_t b) { return OffMean(a) < OffMean(b); });
}

double BalancePlan::Percent(size_t index, int64_t more_bytes) const {
  const BalanceNode& node = nodes_[index];
  if (node.capacity_bytes == 0) return mean_;
  return static_cast<double>(node.used_bytes + more_bytes) /
         static_cast<double>(node.capacity_bytes) * 100;
}

void BalancePlan::CountIn(size_t index, int by) {
  const double off = OffMean(index);
  if (off > threshold_) over_ += static_cast<size_t>(by);
  if (off < -threshold_) under_ += static_cast<size_t>(by);
}

double BalancePlan::MostOver() const {
  double most = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) most = std::max(most, OffMean(i));
  return most;
}

double BalancePlan::MostUnder() const {
  double most = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) most = std::max(most, -OffMean(i));
  return most;
}

uint64_t BalancePlan::BytesLeft() const {
  double excess = 0;
  double lack = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const double bytes_a_point = static_cast<double>(nodes_[i].capacity_bytes) / 100;
    excess += std::max(0.0, OffMean(i) - threshold_) * bytes_a_point;
    lack += std::max(0.0, -OffMean(i) - threshold_) * bytes_a_point;
  }
  return static_cast<uint64_t>(std::max(excess, lack));
}

bool BalancePlan::Gives(size_t index) const {
  const double off = OffMean(index);
  return off > threshold_ || (off > -reach_ && under_ > 0);
}

std::vector<size_t> BalancePlan::Givers() const {
  std::vector<size_t> givers;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (Gives(i)) givers.push_back(i);
  }
  std::stable_sort(givers.begin(), givers.end(),
                   [&](size_t a, size_t b) { return OffMean(a) > OffMean(b); });
  return givers;
}

bool BalancePlan::Helps(size_t from, size_t to, uint64_t bytes) const {
  const double giver = OffMean(from);
  const double taker = OffMean(to);
  if (giver <= -reach_ || taker >= reach_) return false;
  if (giver <= threshold_ && taker >= -threshold_) return false;
  const double giver_then = Percent(from, -static_cast<int64_t>(bytes)) - mean_;
  const double taker_then = Percent(to, static_cast<int64_t>(bytes)) - mean_;
  // The first is what makes the sum of squares fall.
  return giver + giver_then > taker + taker_then && giver_then >= -threshold_ &&
         taker_then <= threshold_;
}

std::optional<size_t> BalancePlan::ChooseTaker(size_t from, uint64_t bytes, Judge judge) {
  for (const bool same_rack : {true, false}) {
    for (size_t i = 0; i < takers_.size();) {
      const size_t to = takers_[i];
      ++looks_;
      Verdict verdict = Verdict::kNot;
      if (OffMean(to) >= reach_) {
        verdict = Verdict::kNotAnyMore;
      } else if ((nodes_[to].rack == nodes_[from].rack) == same_rack && Helps(from, to, bytes)) {
        verdict = judge(nodes_[to]);
      }
      if (verdict == Verdict::kTake) return to;
      if (verdict == Verdict::kNot) {
        ++i;
      } else {
        takers_.erase(takers_.begin() + static_cast<ptrdiff_t>(i));
      }
    }
  }
  return std::nullopt;
}

void BalancePlan::Move(size_t from, size_t to, uint64_t bytes) {
  CountIn(from, -1);
  CountIn(to, -1);
  nodes_[from].used_bytes -= static_cast<int64_t>(bytes);
  nodes_[to].used_bytes += static_cast<int64_t>(bytes);
  nodes_[to].room_bytes -= std::min(nodes_[to].room_bytes, bytes);
  CountIn(from, 1);
  CountIn(to, 1);
}

bool MoveKeepsSpread(const PlacementPolicy& policy, const ClusterView& view,
                     absl::Span<const uint32_t> holders, uint32_t from, uint32_t to) {
  const Holders before(holders.begin(), holders.end());
  Holders after = before;
  std::replace(after.begin(), after.end(), from, to);
  for (uint32_t PlacementNode::*domain : {&PlacementNode::rack, &PlacementNode::region}) {
    if (Domains(view, after, domain) < Domains(view, before, domain)) return false;
  }
  return policy.Spread(view, after) || !policy.Spread(view, before);
}

}  // namespace cairn::namenode
