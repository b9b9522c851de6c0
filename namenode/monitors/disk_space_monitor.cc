#include "namenode/monitors/disk_space_monitor.h"

#include <fmt/core.h>

namespace cairn::namenode {

absl::Status DiskSpaceMonitor::RunOnce() {
  const absl::Status space = store_->CheckSpace(reserved_bytes_);
  forced_->SetDiskSpace(space.ok() ? "" : fmt::format("safe mode: {}", MessageOf(space)));
  return absl::OkStatus();
}

}  // namespace cairn::namenode
