#include "client/hedging.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr int64_t kUnknownUs = 100'000;       // for a node of which little is known
constexpr int kOvertakenToBeSlow = 2;         // once may be chance
constexpr int64_t kFirstPauseUs = 1'000'000;  // then it is tried again; doubles
constexpr int kMaxDoublings = 5;              // 32 s

}  // namespace

int64_t Hedging::PatienceUs(NodeNumber node, Wait wait) const {
  MutexLock lock(mu_);
  const auto it = nodes_.find(node);
  int64_t usual_us = kUnknownUs;
  if (it != nodes_.end()) {
    const LatencyHistogram& seen = wait == Wait::kFirst ? it->second.first : it->second.next;
    if (seen.is_meaningful()) usual_us = seen.P99Us();
  }
  return std::max(usual_us, options_.min_us);
}

bool Hedging::IsSlow(NodeNumber node, int64_t now_us) const {
  MutexLock lock(mu_);
  const auto it = nodes_.find(node);
  return it != nodes_.end() && now_us < it->second.slow_until_us;
}

void Hedging::CountRead() {
  MutexLock lock(mu_);
  ++statistics_.reads;
  budget_ = std::min(budget_ + options_.share, options_.burst);
}

bool Hedging::TryHedge() {
  MutexLock lock(mu_);
  if (options_.share <= 0 || budget_ < 1) return false;
  budget_ -= 1;
  ++statistics_.hedged;
  return true;
}

void Hedging::Answered(NodeNumber number, Wait wait, int64_t waited_us) {
  MutexLock lock(mu_);
  Node& node = nodes_[number];
  node.Of(wait).Add(waited_us);
  node.overtaken = 0;
  node.slow_until_us = INT64_MIN;
}

void Hedging::Overtaken(NodeNumber number, Wait wait, int64_t waited_us, int64_t now_us) {
  MutexLock lock(mu_);
  Node& node = nodes_[number];
  node.Of(wait).Add(waited_us);
  // Of several that waited for it at the same time one counts.
  if (now_us < node.slow_until_us) return;
  if (++node.overtaken < kOvertakenToBeSlow) return;
  const int doublings = std::min(node.overtaken - kOvertakenToBeSlow, kMaxDoublings);
  node.slow_until_us = now_us + (kFirstPauseUs << doublings);
}

void Hedging::CountWon() {
  MutexLock lock(mu_);
  ++statistics_.hedge_won;
}

void Hedging::CountFailure() {
  MutexLock lock(mu_);
  ++statistics_.failures;
}

ReadStatistics Hedging::statistics() const {
  MutexLock lock(mu_);
  return statistics_;
}

}  // namespace cairn
