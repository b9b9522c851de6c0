// How the reported state is kept: intervals, limits, the placement policy. Set once, from the
// flags.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::namenode {

struct BlockManagerOptions {
  int64_t heartbeat_interval_ms = 3'000;
  int64_t stale_after_ms = 10'000;  // a node this long silent is degraded
  int64_t dead_after_ms = 60'000;   // ... is failed, and its replicas count as lost
  // A provisional replica is looked at when two heartbeats and the margin have passed. It goes if
  // its node is late or has reported what came after it; else its node may just be busy, and it
  // stays until a full report settles it, for provisional_max at most.
  int64_t provisional_margin_ms = 2'000;
  // Nor before this and the margin: how long after its writer's word a DataNode may sync, and so
  // report, a replica of a file that is not written with strong consistency.
  int64_t deferred_sync_ms = 5'000;
  int64_t provisional_max_ms = 600'000;

  // A node with this many disk and checksum errors within the window is degraded. 0: none is.
  uint64_t error_limit = 10;
  int64_t error_window_ms = 300'000;
  // So is one to which a packet takes far longer than to its peers (slow_nodes.h), but nobody below
  // this. 0: nobody.
  uint64_t slow_node_threshold_us = 20'000;

  double safe_mode_threshold = 0.999;  // of the blocks of closed files
  int64_t safe_mode_extension_ms = 0;  // how long the threshold must have been met

  std::string placement = "rack_aware";  // one of kPlacements

  // Repair. A copy counts against its source and its targets until it is reported. A round comes
  // every --redundancy-interval.
  uint64_t max_copy_bytes_in_flight = 1ull << 30;  // of a node
  uint64_t min_copy_cost_bytes = 4ull << 20;       // what a small copy counts at least
  int64_t copy_timeout_ms = 120'000;               // and 1 s for each MiB
  // Of the same bytes in flight, those up to which the balancer gives a node more.
  uint64_t max_move_bytes_in_flight = 256ull << 20;
  uint64_t min_move_cost_bytes = 1ull << 20;
  uint32_t max_moves = 5'000;  // of the cluster, until their nodes have reported them as space
  uint32_t max_deletes_per_heartbeat = 5'000;  // of a node
  int64_t delete_timeout_ms = 300'000;         // a deletion not reported by then is forgotten

  // Full reports. What an incremental report touched this long before a full report began is newer
  // than the report may be: its snapshot can be as old.
  int64_t report_snapshot_margin_ms = 60'000;
  int64_t report_request_after_ms =
      30'000;                        // a storage this long without a report is asked for one
  uint32_t max_report_requests = 4;  // nodes that are asked at the same time
};

}  // namespace cairn::namenode
