#include "datanode/pipeline/peer_latencies.h"

#include <algorithm>

namespace cairn::datanode {

uint64_t LatencyCounts::MedianUs() const {
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (2 * seen < total_ || seen == 0) continue;
    const size_t power = bucket / 4;
    const uint64_t quarter = uint64_t{1} << (power - 2);
    return (4 + bucket % 4) * quarter + quarter / 2;
  }
  return 0;
}

PeerLatencies::PeerLatencies(int64_t window_ms)
    : part_ms_(std::max<int64_t>(1, window_ms / static_cast<int64_t>(kParts - 1))) {}

void PeerLatencies::Add(NodeNumber node, const LatencyCounts& counts, int64_t steady_ms) {
  if (counts.total() == 0) return;
  const int64_t number = PartAt(steady_ms);
  MutexLock lock(mu_);
  Part& part = peers_[node][static_cast<size_t>(number) % kParts];
  if (part.number > number) return;  // the clock was read long before the lock was had
  if (part.number < number) part = {number, {}};
  part.counts.Add(counts);
}

std::vector<PeerLatencies::Peer> PeerLatencies::Report(int64_t steady_ms) {
  const int64_t now = PartAt(steady_ms);
  std::vector<Peer> report;
  MutexLock lock(mu_);
  for (auto it = peers_.begin(); it != peers_.end();) {
    LatencyCounts sum;
    for (const Part& part : it->second) {
      const bool recent = part.number >= 0 && part.number + static_cast<int64_t>(kParts) > now;
      if (recent) sum.Add(part.counts);
    }
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
