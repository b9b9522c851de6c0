// Snapshots of the cluster's health for people and programs: the fields of `cairn admin report` and
// `cairn admin health`. Plain values; the namesystem adds what only the namespace knows (paths,
// number of files).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/admin_state.h"
#include "common/ids.h"

namespace cairn::namenode {

enum class NodeState {
  kHealthy,
  kDegraded,    // late, slow, with errors or a failed volume: usable, but last choice
  kFailed,      // dead: its replicas count as lost
  kRecovering,  // (back) here, but its full report is not taken in yet
};
std::string_view ToString(NodeState state);  // "healthy", ...

// Blocks that count (finished, of closed files), by the state of their replicas.
struct BlockCounts {
  uint64_t total = 0;
  uint64_t under_replicated = 0;  // at least one good live replica, fewer than the target
  uint64_t over_replicated = 0;   // more good live replicas than the target
  uint64_t corrupt = 0;           // none good, at least one bad
  uint64_t missing = 0;           // none at all
  uint64_t misplaced = 0;         // as many as wanted, but e.g. all in one rack
  uint64_t leaving = 0;           // as many as wanted, but too few on nodes that stay

  // 100 - 50 * under / total - 100 * (corrupt + missing) / total, within 0..100; 100 without
  // blocks.
  double Score() const;

  friend bool operator==(const BlockCounts&, const BlockCounts&) = default;
};

struct VolumeReport {
  std::string path;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  bool failed = false;
  bool slow = false;  // beside the node's others
};

struct DataNodeReport {
  NodeNumber number = 0;
  std::string id;
  std::vector<std::string> addresses;  // the first is the report's "address"
  std::string http_address;
  std::string rack;
  NodeState state = NodeState::kHealthy;
  std::string reason;  // why it is not healthy; else empty
  AdminState admin_state = AdminState::kInService;
  // Of a node that is being decommissioned or in maintenance: what depends on it yet, and one line
  // that says so, with what is in the way. Nothing and empty: it may go.
  uint64_t blocks_left = 0;
  std::string admin_reason;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t remaining_bytes = 0;
  uint64_t blocks = 0;  // replicas that are known to be on it
  uint64_t read_requests = 0;
  uint64_t write_requests = 0;
  uint64_t errors = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t disk_errors = 0;  // among the errors; checksum errors too
  uint64_t checksum_errors = 0;
  uint64_t packet_latency_us = 0;      // as its peers measured it of late; 0: too few did
  int64_t last_heartbeat_ms_ago = -1;  // -1: not heard since the NameNode started
  std::vector<VolumeReport> volumes;

  double UtilizationPercent() const;  // used of capacity, 0..100
};

struct ClusterReport {
  uint64_t nodes_healthy = 0;
  uint64_t nodes_degraded = 0;
  uint64_t nodes_failed = 0;
  uint64_t nodes_recovering = 0;
  uint64_t capacity_bytes = 0;  // of the nodes that are not failed; used and remaining too
  uint64_t used_bytes = 0;
  uint64_t remaining_bytes = 0;
  BlockCounts blocks;
  bool safe_mode = false;
  std::string safe_mode_reason;
  std::vector<DataNodeReport> datanodes;  // by number

  uint64_t NodesTotal() const {
    return nodes_healthy + nodes_degraded + nodes_failed + nodes_recovering;
  }
  double UtilizationPercent() const;
};

enum class BalanceState {
  kNone,  // no run since the NameNode started
  kRunning,
  kBalanced,  // ended: every node is within the threshold
  kStuck,     // ended: no other replica can be moved
  kStopped,   // ended by an administrator
};
std::string_view ToString(BalanceState state);  // "none", ...

// The balancer's run, or its last one; and how its nodes are used, as they report it.
struct BalanceReport {
  uint64_t run = 0;  // a number for each
  BalanceState state = BalanceState::kNone;
  std::string reason;  // one line: what a run waits for, or why it ended; else empty
  double threshold_percent = 0;
  double mean_percent = 0;
  double most_over_percent = 0;  // percentage points off the mean
  double most_under_percent = 0;
  uint64_t nodes = 0;  // healthy, in service
  uint64_t nodes_over = 0;
  uint64_t nodes_under = 0;
  uint64_t bytes_left = 0;  // to be moved at least
  uint64_t moves_done = 0;
  uint64_t bytes_moved = 0;
  uint64_t moves_failed = 0;
  uint64_t moves_in_flight = 0;
  uint64_t bytes_in_flight = 0;
  int64_t elapsed_ms = 0;  // of the run
};

// What a round of repairs came to.
struct RepairRound {
  uint64_t planned = 0;    // blocks whose copies were ordered
  uint64_t in_flight = 0;  // blocks whose copies are under way, those included
  uint64_t waiting = 0;    // blocks that still wait
  uint64_t no_target = 0;  // of them: no node qualifies
  uint64_t busy = 0;       // ... their nodes have as much to copy as they may
  std::string reason;      // why blocks wait, one line; empty: none does
};

struct ReplicationIssue {
  BlockId block = 0;
  INodeId inode = 0;
  uint32_t current_replicas = 0;
  uint32_t target_replicas = 0;
  std::vector<std::string> nodes;  // ids of those with a good live replica
};
struct CorruptIssue {  // one a bad copy
  BlockId block = 0;
  INodeId inode = 0;
  std::string node;  // id
};
struct MissingIssue {
  BlockId block = 0;
  INodeId inode = 0;
};

struct HealthReport {
  std::vector<ReplicationIssue> under_replicated;  // each list by block id, at most the limit
  std::vector<ReplicationIssue> over_replicated;
  std::vector<CorruptIssue> corrupt;
  std::vector<MissingIssue> missing;
  BlockCounts totals;
  bool truncated = false;  // some list was cut at the limit
};

}  // namespace cairn::namenode
