#include "namenode/monitors/disk_space_monitor.h"

#include <fmt/core.h>

#include "namenode/journal/disk_space.h"

namespace cairn::namenode {

absl::Status DiskSpaceMonitor::RunOnce() {
  const absl::Status space = CheckReserved(env_, dirs_, reserved_bytes_);
  forced_->SetDiskSpace(space.ok() ? "" : fmt::format("safe mode: {}", MessageOf(space)));
  return absl::OkStatus();
}

}  // namespace cairn::namenode
