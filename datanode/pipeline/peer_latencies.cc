#include "datanode/pipeline/peer_latencies.h"

#include <algorithm>

namespace cairn::datanode {

PeerLatencies::PeerLatencies(int64_t window_ms) : window_ms_(window_ms) {}

void PeerLatencies::Add(NodeNumber node, const LatencyCounts& counts, int64_t steady_ms) {
  if (counts.total() == 0) return;
  MutexLock lock(mu_);
  peers_.try_emplace(node, window_ms_).first->second.Add(counts, steady_ms);
}

std::vector<PeerLatencies::Peer> PeerLatencies::Report(int64_t steady_ms) {
  std::vector<Peer> report;
  MutexLock lock(mu_);
  for (auto it = peers_.begin(); it != peers_.end();) {
    const LatencyCounts sum = it->second.Sum(steady_ms);
    if (sum.total() == 0) {
      peers_.erase(it++);
      continue;
    }
    report.push_back({it->first, sum.MedianUs(), sum.total()});
    ++it;
  }
  const auto slower = [](const Peer& a, const Peer& b) {
    return a.median_us != b.median_us ? a.median_us > b.median_us : a.node < b.node;
  };
  std::sort(report.begin(), report.end(), slower);
  if (report.size() > kMaxReported) report.resize(kMaxReported);
  return report;
}

}  // namespace cairn::datanode
