#include "namenode/blocks/slow_nodes.h"

#include <algorithm>
#include <utility>

namespace cairn::namenode {
namespace {

// Of two in the middle the lower one: a slow reporter of two must not count.
uint64_t LowerMedian(std::vector<uint64_t>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

void SlowNodes::Report(NodeNumber reporter, absl::Span<const PeerLatency> peers, int64_t now_ms) {
  if (peers.empty()) {
    reporters_.erase(reporter);
    return;
  }
  peers = peers.subspan(0, kMaxPeers);
  reporters_[reporter] = {now_ms, {peers.begin(), peers.end()}};
}

SlowNodes::Figures SlowNodes::Gather(int64_t now_ms) {
  struct Said {
    std::vector<uint64_t> medians;
    uint64_t samples = 0;
  };
  absl::btree_map<NodeNumber, Said> said;
  for (auto it = reporters_.begin(); it != reporters_.end();) {
    if (now_ms - it->second.at_ms > expiry_ms_) {
      it = reporters_.erase(it);
      continue;
    }
    for (const PeerLatency& peer : it->second.peers) {
      if (peer.samples < kMinReporterSamples || peer.node == it->first) continue;
      Said& of_peer = said[peer.node];
      of_peer.medians.push_back(peer.median_us);
      of_peer.samples += std::min<uint64_t>(peer.samples, kMinSamples);
    }
    ++it;
  }
  Figures figures;
  for (auto& [node, of_node] : said) {
    if (of_node.medians.size() < kMinReporters || of_node.samples < kMinSamples) continue;
    figures[node] = std::max<uint64_t>(1, LowerMedian(of_node.medians));
  }
  return figures;
}

std::vector<NodeNumber> SlowNodes::Judge(int64_t now_ms) {
  if (threshold_us_ == 0) return {};
  figures_ = Gather(now_ms);
  const bool comparable = figures_.size() >= kMinNodes;
  double median = 0;
  double limit = 0;
  if (comparable) {
    std::vector<double> values;
    for (const auto& [node, us] : figures_) values.push_back(static_cast<double>(us));
    median = Median(values);
    for (double& value : values) value = std::max(value - median, median - value);
    const double deviation = kDeviation * Median(std::move(values));
    limit = std::max({static_cast<double>(threshold_us_), kMultiplier * median,
                      median + kMultiplier * deviation});
  }
  std::vector<NodeNumber> changed;
  const auto judge = [&](NodeNumber node) {
    const uint64_t us = LatencyUs(node);
    const auto known = slow_.find(node);
    const bool slow = known != slow_.end();
    const bool measured = comparable && us != 0;
    const bool above = measured && static_cast<double>(us) > limit;
    const bool below = !measured || static_cast<double>(us) <= kWellBelow * limit;
    if (slow && measured) known->second = {us, static_cast<uint64_t>(median)};
    if (slow ? !below : !above) {
      against_.erase(node);
      return;
    }
    if (++against_[node] < kJudgements) return;
    against_.erase(node);
    changed.push_back(node);
    if (slow) {
      slow_.erase(known);
    } else {
      slow_[node] = {us, static_cast<uint64_t>(median)};
    }
  };
  // Those that are not measured any more have no figure.
  std::vector<NodeNumber> nodes;
  for (const auto& [node, us] : figures_) nodes.push_back(node);
  for (const auto& [node, verdict] : slow_) nodes.push_back(node);
  for (const auto& [node, count] : against_) nodes.push_back(node);
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  for (const NodeNumber node : nodes) judge(node);
  return changed;
}

}  // namespace cairn::namenode
