// The balancer's rounds and its figures on /metrics.
//
// Why a task of its own: it walks over replicas, which may take longer than a heartbeat check
// should. What it moves is decided in blocks/; without a run it does next to nothing. Not
// thread-safe: run by one background task.
#pragma once

#include "absl/status/status.h"
#include "namenode/blocks/block_manager.h"

namespace cairn {
class Counter;
class Gauge;
class Metrics;
}  // namespace cairn

namespace cairn::namenode {

class BalanceMonitor {
 public:
  BalanceMonitor(BlockManager* blocks, Metrics* metrics);

  absl::Status RunOnce();

 private:
  BlockManager* const blocks_;
  Counter* const moves_;
  Counter* const moved_bytes_;
  Counter* const failed_moves_;
  Gauge* const running_;
  Gauge* const moves_in_flight_;
  Gauge* const bytes_in_flight_;
  Gauge* const bytes_left_;
  BalanceReport last_;
};

}  // namespace cairn::namenode
