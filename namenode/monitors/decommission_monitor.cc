#include "namenode/monitors/decommission_monitor.h"

#include "common/status.h"

namespace cairn::namenode {

absl::Status DecommissionMonitor::RunOnce() {
  for (const NodeNumber number : blocks_->FindDecommissioned()) {
    RETURN_IF_ERROR(namesystem_
                        ->CommitAndWait(Origin::kInternal, std::nullopt,
                                        [number](const FsState& state) {
                                          return PlanEndDecommission(state, number);
                                        })
                        .status());
  }
  return absl::OkStatus();
}

}  // namespace cairn::namenode
