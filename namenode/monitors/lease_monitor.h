// Files whose writers are gone: leases are ended at the hard limit, and what the writers left open
// is settled.
//
// Why: a block that was being written is on its DataNodes, each with as much as it got. Before its
// file can be closed they must agree on a length (HDFS: lease recovery, block recovery). Here it is
// decided when to ask and whom: every member of the journaled pipeline that lives, once no other
// can come back. One of them leads; whoever does not end it in time is overtaken by another under a
// newer stamp, which alone can then be committed. Nothing of this is kept over a restart but what
// the journal holds: the monitor then begins anew. Not thread-safe: run by one background task, at
// least every second, and when the namesystem wakes it.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn {
class Clock;
class Counter;
class Gauge;
class Metrics;
}  // namespace cairn

namespace cairn::namenode {

struct LeaseOptions {
  int64_t hard_limit_ms = 20 * 60'000;
  int64_t heartbeat_interval_ms = 3'000;
  // A recovery that is not committed is tried again after two heartbeats and this, then twice as
  // late each time, up to max_retry.
  int64_t retry_ms = 10'000;
  int64_t max_retry_ms = 60'000;
  int64_t log_every_ms = 60'000;  // that a file waits for its DataNodes
};

class LeaseMonitor {
 public:
  LeaseMonitor(Clock* clock, Namesystem* namesystem, BlockManager* blocks, LeaseOptions options,
               Metrics* metrics);

  absl::Status RunOnce();

 private:
  struct Recovery {  // of one block, with this generation: a settled one may be opened again
    GenerationStamp generation = 0;
    int64_t ordered_ms = 0;
    int64_t retry_at_ms = 0;
    int64_t logged_ms = 0;  // that it waits; 0: never
    int tries = 0;
    std::vector<NodeNumber> members;  // that were asked, sorted
  };

  absl::Status EndExpiredLeases();
  // Begins the recovery of the file's first open block, or another one where the last did not end.
  absl::Status Recover(const RecoveringFile& file, Recovery& recovery);
  bool Due(const Recovery& recovery, const std::vector<NodeNumber>& members) const;
  void LogWaiting(const RecoveringFile& file, size_t awaited, Recovery& recovery) const;
  int64_t RetryMs(int tries) const;

  Clock* const clock_;
  Namesystem* const namesystem_;
  BlockManager* const blocks_;
  const LeaseOptions options_;
  Gauge* const files_;
  Gauge* const files_waiting_;
  Counter* const ordered_;
  Counter* const leases_ended_;
  std::map<BlockId, Recovery> recoveries_;
  uint64_t waiting_ = 0;  // files of this run
};

}  // namespace cairn::namenode
