// The cluster's figures on /metrics: nodes, space, files, blocks and how they are replicated.
//
// Why a task: the figures come from both states; taking them every few seconds costs nothing and
// keeps a scrape from waiting for locks. Not thread-safe: run by one background task.
#pragma once

#include <map>

#include "absl/status/status.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn {
class Gauge;
class Metrics;
}  // namespace cairn

namespace cairn::namenode {

class ClusterMetrics {
 public:
  ClusterMetrics(const Namesystem* namesystem, BlockManager* blocks, Metrics* metrics);

  absl::Status RunOnce();

 private:
  const Namesystem* const namesystem_;
  BlockManager* const blocks_;
  std::map<NodeState, Gauge*> nodes_;
  std::map<AdminState, Gauge*> admin_states_;
  Gauge* const files_;
  Gauge* const directories_;
  Gauge* const open_files_;
  Gauge* const blocks_total_;
  Gauge* const under_replicated_;
  Gauge* const over_replicated_;
  Gauge* const corrupt_;
  Gauge* const missing_;
  Gauge* const misplaced_;
  Gauge* const leaving_;
  Gauge* const blocks_left_;
  Gauge* const safe_mode_;
  Gauge* const capacity_bytes_;
  Gauge* const used_bytes_;
  Gauge* const remaining_bytes_;
};

}  // namespace cairn::namenode
