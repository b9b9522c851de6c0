#include "namenode/monitors/heartbeat_monitor.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"

namespace cairn::namenode {
namespace {

// A DataNode that got no answer tries again after 2 s at most.
constexpr int64_t kRetryMs = 2'000;

}  // namespace

HeartbeatMonitor::HeartbeatMonitor(const BlockManagerOptions& options, Clock* clock,
                                   std::function<void(int64_t now_ms)> check)
    : pause_ms_(std::max(options.dead_after_ms / 2, 3 * IntervalMs(options.heartbeat_interval_ms))),
      grace_ms_(2 * options.heartbeat_interval_ms + kRetryMs),
      clock_(clock),
      check_(std::move(check)) {}

absl::Status HeartbeatMonitor::RunOnce() {
  const int64_t now_ms = clock_->SteadyMs();
  const int64_t since_ms = now_ms - last_ms_.value_or(now_ms);
  if (since_ms >= pause_ms_) {
    LogWarn("this process was still for {} ms; no DataNode is taken for dead within {} ms from now",
            since_ms, grace_ms_);
    checks_from_ms_ = now_ms + grace_ms_;
  }
  if (now_ms >= checks_from_ms_) check_(now_ms);
  last_ms_ = clock_->SteadyMs();
  // A pause within the check is not seen by the next one.
  if (*last_ms_ - now_ms >= pause_ms_) checks_from_ms_ = *last_ms_ + grace_ms_;
  return absl::OkStatus();
}

}  // namespace cairn::namenode
