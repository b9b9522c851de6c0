#include "namenode/blocks/report.h"

#include <algorithm>

namespace cairn::namenode {
namespace {

double Percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return 0;
  return std::min(100.0, 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

std::string_view ToString(NodeState state) {
  switch (state) {
    case NodeState::kHealthy:
      return "healthy";
    case NodeState::kDegraded:
      return "degraded";
    case NodeState::kFailed:
      return "failed";
    case NodeState::kRecovering:
      return "recovering";
  }
  return "failed";
}

std::string_view ToString(BalanceState state) {
  switch (state) {
    case BalanceState::kNone:
      return "none";
    case BalanceState::kRunning:
      return "running";
    case BalanceState::kBalanced:
      return "balanced";
    case BalanceState::kStuck:
      return "stuck";
    case BalanceState::kStopped:
      return "stopped";
  }
  return "none";
}

double BlockCounts::Score() const {
  if (total == 0) return 100;
  const double all = static_cast<double>(total);
  const double score = 100 - 50 * static_cast<double>(under_replicated) / all -
                       100 * static_cast<double>(corrupt + missing) / all;
  return std::clamp(score, 0.0, 100.0);
}

double DataNodeReport::UtilizationPercent() const { return Percent(used_bytes, capacity_bytes); }

double ClusterReport::UtilizationPercent() const { return Percent(used_bytes, capacity_bytes); }

}  // namespace cairn::namenode
