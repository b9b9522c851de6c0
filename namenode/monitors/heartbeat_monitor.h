// Looks after silent DataNodes, once a second; but not right after this process itself was still.
//
// Why: a NameNode that was stopped (SIGSTOP, a virtual machine that was moved, a host out of
// memory) for longer than --dead-after finds every DataNode silent for that long when it goes on.
// They were not: nobody listened. It gives them time to be heard before it takes anyone for dead
// (HDFS: HeartbeatManager::shouldAbortHeartbeatCheck). Not thread-safe: run by one background task.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "namenode/blocks/options.h"

namespace cairn {
class Clock;
}

namespace cairn::namenode {

class HeartbeatMonitor {
 public:
  // `check`: BlockManager::RunHeartbeatCheck. It gets the time that was found to follow no pause:
  // one that begins now must not count. The clock must outlive the monitor.
  HeartbeatMonitor(const BlockManagerOptions& options, Clock* clock,
                   std::function<void(int64_t now_ms)> check);

  // How often it is to be run.
  static int64_t IntervalMs(int64_t heartbeat_interval_ms) {
    return std::min<int64_t>(heartbeat_interval_ms, 1'000);
  }
  absl::Status RunOnce();

 private:
  // A pause this long may make a DataNode look dead, which has shown itself an interval before.
  const int64_t pause_ms_;
  const int64_t grace_ms_;
  Clock* const clock_;
  const std::function<void(int64_t now_ms)> check_;
  std::optional<int64_t> last_ms_;  // the end of the last run
  int64_t checks_from_ms_ = 0;
};

}  // namespace cairn::namenode
