// How far a DataNode is on its way out of service, or back: what `--wait` waits for, and the line
// that it shows. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/admin_client.h"

namespace cairn::cli {

enum class NodeGoal { kDecommissioned, kMaintenance, kInService };

// Whether it is there. FAILED_PRECONDITION when it is on its way to somewhere else: another
// administrator has changed that.
absl::StatusOr<bool> Reached(NodeGoal goal, const DataNodeReport& node);

// What is in the way, of "waits for 12 blocks: need 3 other DataNodes, 2 available": the part
// behind the colon. Empty while it only takes its time.
std::string Obstacle(const DataNodeReport& node);

struct NodeWaitNumbers {
  uint64_t blocks_left = 0;
  uint64_t most_blocks_left = 0;  // that were seen
  int64_t elapsed_ms = 0;
  std::string obstacle;
  std::string reason;  // shown when no blocks are left
};
// "  42% [=====>      ] 580 of 1000 blocks left, 35s left" by the rate so far, at most `columns`
// wide; what is in the way, if anything, instead of the time.
std::string FormatNodeWait(const NodeWaitNumbers& numbers, size_t columns);

}  // namespace cairn::cli
