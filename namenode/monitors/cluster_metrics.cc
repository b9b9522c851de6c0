#include "namenode/monitors/cluster_metrics.h"

#include <string>

#include "common/metrics.h"

namespace cairn::namenode {
namespace {

Gauge* Add(Metrics* metrics, const char* name, const char* help) {
  return metrics->AddGauge(std::string("cairn_cluster_") + name, help);
}

}  // namespace

ClusterMetrics::ClusterMetrics(const Namesystem* namesystem, BlockManager* blocks, Metrics* metrics)
    : namesystem_(namesystem),
      blocks_(blocks),
      files_(Add(metrics, "files", "Files")),
      directories_(Add(metrics, "directories", "Directories, the root included")),
      open_files_(Add(metrics, "open_files", "Files being written")),
      blocks_total_(Add(metrics, "blocks", "Finished blocks of closed files")),
      under_replicated_(Add(metrics, "under_replicated_blocks", "Blocks with too few replicas")),
      over_replicated_(Add(metrics, "over_replicated_blocks", "Blocks with too many replicas")),
      corrupt_(Add(metrics, "corrupt_blocks", "Blocks with bad replicas alone")),
      missing_(Add(metrics, "missing_blocks", "Blocks without a replica")),
      misplaced_(Add(metrics, "misplaced_blocks",
                     "Blocks with enough replicas that are not spread as wanted")),
      leaving_(Add(metrics, "leaving_blocks",
                   "Blocks with enough replicas, but too few on nodes that stay")),
      blocks_left_(Add(metrics, "leaving_nodes_blocks_left",
                       "Blocks that depend on nodes being decommissioned or in maintenance, summed "
                       "over these")),
      safe_mode_(Add(metrics, "safe_mode", "1 while the NameNode is in safe mode")),
      capacity_bytes_(Add(metrics, "capacity_bytes", "Of the DataNodes that are not failed")),
      used_bytes_(Add(metrics, "used_bytes", "By replicas")),
      remaining_bytes_(Add(metrics, "remaining_bytes", "That new replicas may take")) {
  for (const NodeState state :
       {NodeState::kHealthy, NodeState::kDegraded, NodeState::kFailed, NodeState::kRecovering}) {
    nodes_[state] = metrics->AddGauge("cairn_cluster_datanodes", "DataNodes by state",
                                      {{"state", std::string(ToString(state))}});
  }
  for (const AdminState state : {AdminState::kInService, AdminState::kDecommissioning,
                                 AdminState::kDecommissioned, AdminState::kMaintenance}) {
    admin_states_[state] =
        metrics->AddGauge("cairn_cluster_datanodes_admin", "DataNodes by what they shall be",
                          {{"state", std::string(ToString(state))}});
  }
}

absl::Status ClusterMetrics::RunOnce() {
  const auto set = [](Gauge* gauge, uint64_t value) { gauge->Set(static_cast<double>(value)); };
  namesystem_->Peek([&](const FsState& state) {
    set(files_, state.files());
    set(directories_, state.directories());
    set(open_files_, state.open_files());
  });
  const ClusterReport report = blocks_->Report();
  set(nodes_[NodeState::kHealthy], report.nodes_healthy);
  set(nodes_[NodeState::kDegraded], report.nodes_degraded);
  set(nodes_[NodeState::kFailed], report.nodes_failed);
  set(nodes_[NodeState::kRecovering], report.nodes_recovering);
  set(blocks_total_, report.blocks.total);
  set(under_replicated_, report.blocks.under_replicated);
  set(over_replicated_, report.blocks.over_replicated);
  set(corrupt_, report.blocks.corrupt);
  set(missing_, report.blocks.missing);
  set(misplaced_, report.blocks.misplaced);
  set(leaving_, report.blocks.leaving);
  std::map<AdminState, uint64_t> by_admin_state;
  uint64_t blocks_left = 0;
  for (const DataNodeReport& node : report.datanodes) {
    ++by_admin_state[node.admin_state];
    blocks_left += node.blocks_left;
  }
  for (const auto& [state, gauge] : admin_states_) set(gauge, by_admin_state[state]);
  set(blocks_left_, blocks_left);
  set(safe_mode_, report.safe_mode ? 1 : 0);
  set(capacity_bytes_, report.capacity_bytes);
  set(used_bytes_, report.used_bytes);
  set(remaining_bytes_, report.remaining_bytes);
  return absl::OkStatus();
}

}  // namespace cairn::namenode
