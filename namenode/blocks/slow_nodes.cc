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

bool SlowNodes::Gather(int64_t now_ms) {
  auto it = reporters_.lower_bound(next_reporter_);
  for (size_t seen = 0; it != reporters_.end(); ++seen) {
    if (seen == kReportersAtOnce) {
      next_reporter_ = it->first;
      return false;
    }
    if (now_ms - it->second.at_ms > expiry_ms_) {
      it = reporters_.erase(it);
      continue;
    }
    for (const PeerLatency& peer : it->second.peers) {
      if (peer.samples < kMinReporterSamples || peer.node == it->first) continue;
      Said& of_peer = said_[peer.node];
      of_peer.medians.push_back(peer.median_us);
      of_peer.samples += std::min<uint64_t>(peer.samples, kMinSamples);
    }
    ++it;
  }
  next_reporter_ = 0;
  return true;
}

void SlowNodes::TakeFigures() {
  figures_.clear();
  for (auto& [node, of_node] : said_) {
    if (of_node.medians.size() < kMinReporters || of_node.samples < kMinSamples) continue;
    figures_[node] = std::max<uint64_t>(1, LowerMedian(of_node.medians));
  }
  said_.clear();
}

std::vector<NodeNumber> SlowNodes::Judge(int64_t now_ms) {
  if (threshold_us_ == 0 || !Gather(now_ms)) return {};
  TakeFigures();
  double median = 0;
  double limit = 0;  // none
  if (figures_.size() >= kMinNodes) {
    std::vector<double> values;
    for (const auto& [node, us] : figures_) values.push_back(static_cast<double>(us));
    median = Median(values);
    for (double& value : values) value = std::max(value - median, median - value);
    const double deviation = kDeviation * Median(std::move(values));
    limit = std::max({static_cast<double>(threshold_us_), kMultiplier * median,
                      median + kMultiplier * deviation});
  }
  // Those that are not measured any more have no figure.
  std::vector<NodeNumber> nodes;
  for (const auto& [node, us] : figures_) nodes.push_back(node);
  for (const auto& [node, verdict] : slow_) nodes.push_back(node);
  for (const auto& [node, count] : against_) nodes.push_back(node);
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  std::vector<NodeNumber> changed;
  for (const NodeNumber node : nodes) {
    if (JudgeOne(node, static_cast<uint64_t>(median), limit)) changed.push_back(node);
  }
  return changed;
}

bool SlowNodes::JudgeOne(NodeNumber node, uint64_t median, double limit) {
  const uint64_t us = LatencyUs(node);
  const auto known = slow_.find(node);
  const bool slow = known != slow_.end();
  const bool measured = limit > 0 && us != 0;
  const bool above = measured && static_cast<double>(us) > limit;
  const bool below = !measured || static_cast<double>(us) <= kWellBelow * limit;
  if (slow && measured) known->second = {us, median};
  if (slow ? !below : !above) {
    against_.erase(node);
    return false;
  }
  if (++against_[node] < kJudgements) return false;
  against_.erase(node);
  if (slow) {
    slow_.erase(known);
  } else {
    slow_[node] = {us, median};
  }
  return true;
}

}  // namespace cairn::namenode
