#include "client/cli/node_wait.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/cli/progress.h"

namespace cairn::cli {

absl::StatusOr<bool> Reached(NodeGoal goal, const DataNodeReport& node) {
  const std::string& state = node.admin_state;
  switch (goal) {
    case NodeGoal::kDecommissioned:
      if (state == "decommissioned") return true;
      if (state == "decommissioning") return false;
      break;
    case NodeGoal::kMaintenance:
      if (state == "maintenance") return node.blocks_left == 0 && node.admin_reason.empty();
      break;
    case NodeGoal::kInService:
      if (state == "in_service") return node.status == "healthy" || node.status == "degraded";
      break;
  }
  return absl::FailedPreconditionError(
      fmt::format("DataNode {} is {} now: another administrator has changed it", node.id, state));
}

std::string Obstacle(const DataNodeReport& node) {
  const size_t colon = node.admin_reason.find(": ");
  return colon == std::string::npos ? "" : node.admin_reason.substr(colon + 2);
}

std::string FormatNodeWait(const NodeWaitNumbers& numbers, size_t columns) {
  const uint64_t total = numbers.most_blocks_left;
  const uint64_t left = std::min(numbers.blocks_left, total);
  if (left == 0) return numbers.reason.substr(0, columns);
  const uint64_t done = total - left;
  std::string text = fmt::format("{} of {} blocks left", left, total);
  if (!numbers.obstacle.empty()) {
    text += ": " + numbers.obstacle;
  } else if (done > 0) {
    const double ms = static_cast<double>(numbers.elapsed_ms) / static_cast<double>(done) *
                      static_cast<double>(left);
    text += fmt::format(", {} left", FormatSeconds(static_cast<uint64_t>(ms / 1000) + 1));
  }
  return FormatBar(static_cast<double>(done) / static_cast<double>(total), text, columns);
}

}  // namespace cairn::cli
