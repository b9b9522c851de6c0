#include "namenode/monitors/balance_monitor.h"

#include "common/metrics.h"

namespace cairn::namenode {

BalanceMonitor::BalanceMonitor(BlockManager* blocks, Metrics* metrics)
    : blocks_(blocks),
      moves_(metrics->AddCounter("cairn_balancer_moves_total", "Replicas moved")),
      moved_bytes_(metrics->AddCounter("cairn_balancer_moved_bytes_total", "Their bytes")),
      failed_moves_(
          metrics->AddCounter("cairn_balancer_failed_moves_total", "Moves that came to nothing")),
      running_(metrics->AddGauge("cairn_balancer_running", "1 while the balancer runs")),
      moves_in_flight_(
          metrics->AddGauge("cairn_balancer_moves_in_flight", "Moves that are under way")),
      bytes_in_flight_(metrics->AddGauge("cairn_balancer_bytes_in_flight", "Their bytes")),
      bytes_left_(metrics->AddGauge("cairn_balancer_left_bytes",
                                    "What the run must move yet at least; 0 without one")) {}

absl::Status BalanceMonitor::RunOnce() {
  blocks_->RunBalanceRound();
  const BalanceReport report = blocks_->BalanceProgress();
  const bool running = report.state == BalanceState::kRunning;
  if (report.run != last_.run) last_ = {};  // whose figures begin at 0
  moves_->Increment(static_cast<double>(report.moves_done - last_.moves_done));
  moved_bytes_->Increment(static_cast<double>(report.bytes_moved - last_.bytes_moved));
  failed_moves_->Increment(static_cast<double>(report.moves_failed - last_.moves_failed));
  running_->Set(running ? 1 : 0);
  moves_in_flight_->Set(static_cast<double>(report.moves_in_flight));
  bytes_in_flight_->Set(static_cast<double>(report.bytes_in_flight));
  bytes_left_->Set(running ? static_cast<double>(report.bytes_left) : 0);
  last_ = report;
  return absl::OkStatus();
}

}  // namespace cairn::namenode
