// The administrator's view of a cluster: what `cairn admin` calls.
//
// The structs mirror proto/admin.proto, whose field names are those of the public JSON. Errors and
// retries as FileSystem's. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/file_system.h"

namespace cairn {

struct VolumeReport {
  std::string path;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  bool failed = false;
  bool slow = false;  // beside the node's others
};

struct DataNodeReport {
  std::string id;
  std::string address;
  std::vector<std::string> addresses;
  std::string http_address;
  std::string rack;
  std::string status;       // healthy, degraded, failed, recovering
  std::string reason;       // why it is not healthy
  std::string admin_state;  // in_service, decommissioning, decommissioned, maintenance
  // While decommissioning or in maintenance: blocks that depend on it yet, and what it waits for.
  uint64_t blocks_left = 0;
  std::string admin_reason;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t remaining_bytes = 0;
  double utilization_percent = 0;
  uint64_t blocks = 0;
  uint64_t read_requests = 0;
  uint64_t write_requests = 0;
  uint64_t errors = 0;  // since its start, as all up to the checksum errors
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t disk_errors = 0;  // among the errors; checksum errors too
  uint64_t checksum_errors = 0;
  uint64_t packet_latency_us = 0;  // as its peers measured it of late; 0: too few did
  int64_t last_heartbeat_ms_ago = 0;
  std::vector<VolumeReport> volumes;
};

struct ClusterReport {
  uint64_t nodes_total = 0;
  uint64_t nodes_healthy = 0;
  uint64_t nodes_degraded = 0;
  uint64_t nodes_failed = 0;
  uint64_t nodes_recovering = 0;
  uint64_t files_total = 0;
  uint64_t blocks_total = 0;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t remaining_bytes = 0;
  double utilization_percent = 0;
  uint32_t default_replication = 0;
  uint64_t block_size_bytes = 0;
  bool safe_mode = false;
  uint64_t under_replicated_blocks = 0;
  uint64_t over_replicated_blocks = 0;
  uint64_t corrupt_blocks = 0;
  uint64_t missing_blocks = 0;
  double health_score = 0;
};

struct AdminReport {
  ClusterReport cluster;
  std::vector<DataNodeReport> datanodes;
};

struct ReplicationIssue {
  BlockId block_id = 0;
  std::string path;
  uint32_t current_replicas = 0;
  uint32_t target_replicas = 0;
  std::vector<std::string> nodes;
};

struct CorruptIssue {
  BlockId block_id = 0;
  std::string path;
  std::string node;
};

struct MissingIssue {
  BlockId block_id = 0;
  std::string path;
};

struct HealthTotals {
  uint64_t blocks = 0;
  uint64_t under_replicated = 0;
  uint64_t over_replicated = 0;
  uint64_t corrupt = 0;
  uint64_t missing = 0;
};

struct HealthReport {
  std::vector<ReplicationIssue> under_replicated_blocks;
  std::vector<ReplicationIssue> over_replicated_blocks;
  std::vector<CorruptIssue> corrupt_blocks;
  std::vector<MissingIssue> missing_blocks;
  HealthTotals totals;
  bool truncated = false;               // the lists were cut at the limit; the totals are whole
  double replication_health_score = 0;  // 0..100
};

struct SafeModeState {
  bool on = false;
  std::string reason;  // why it is on and what it waits for
};

// The balancer's run, or its last one, and how the DataNodes that take part are used now.
struct BalanceStatus {
  std::string state;   // none, running, balanced, stuck, stopped
  std::string reason;  // what a run waits for, or why it ended
  double threshold_percent = 0;
  double mean_percent = 0;       // bytes used of the capacity of all that take part
  double most_over_percent = 0;  // percentage points that the fullest is over the mean
  double most_under_percent = 0;
  uint64_t nodes = 0;  // that take part: healthy, in service
  uint64_t nodes_over = 0;
  uint64_t nodes_under = 0;
  uint64_t bytes_left = 0;  // to be moved at least
  uint64_t moves_done = 0;
  uint64_t bytes_moved = 0;
  uint64_t moves_failed = 0;
  uint64_t moves_in_flight = 0;
  uint64_t bytes_in_flight = 0;
  int64_t elapsed_ms = 0;
  bool started = false;  // by this call
};

// What a round of repairs came to, in blocks.
struct RepairRound {
  uint64_t planned = 0;     // copies were ordered by this call
  uint64_t in_flight = 0;   // copies are under way, those included
  uint64_t waiting = 0;     // still wait for theirs
  uint64_t no_target = 0;   // of the waiting: no DataNode qualifies
  uint64_t nodes_busy = 0;  // ... their nodes have as much to copy as they may
  std::string reason;       // why blocks wait, one line; empty: none does
};

// A data directory, as its DataNode tells of it.
struct VolumeDetails {
  std::string path;
  std::string storage_id;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;       // by replicas and their checksums
  uint64_t remaining_bytes = 0;  // that new replicas may take
  uint64_t blocks = 0;           // finalized replicas
  bool failed = false;
  bool slow = false;  // beside the node's others
};

struct NodeVolumes {
  std::string node_id;
  std::vector<VolumeDetails> volumes;
};

struct VolumeChange {
  std::string node_id;
  VolumeDetails volume;   // added: as it is now; removed: as it was
  uint64_t replicas = 0;  // removed: that the node has no more
};

class AdminClient {
 public:
  // Checks the options; connects when the first call needs it.
  static absl::StatusOr<std::unique_ptr<AdminClient>> Connect(ClientOptions options);
  ~AdminClient();
  AdminClient(const AdminClient&) = delete;
  AdminClient& operator=(const AdminClient&) = delete;

  absl::StatusOr<AdminReport> Report();
  // Lists of at most `limit` entries each; 0: 1000.
  absl::StatusOr<HealthReport> Health(uint32_t limit = 0);
  // The public JSON (`cairn admin report --json`, /api/report), indented, without a final newline.
  absl::StatusOr<std::string> ReportJson();
  absl::StatusOr<std::string> HealthJson(uint32_t limit = 0);
  // The "datanodes" array of the report.
  absl::StatusOr<std::string> NodesJson();

  // Returns the state after it; Enter and Leave need a superuser.
  absl::StatusOr<SafeModeState> GetSafeMode();
  absl::StatusOr<SafeModeState> EnterSafeMode();
  absl::StatusOr<SafeModeState> LeaveSafeMode();
  // Take a DataNode out of service, for good or for a while, or back into it (out of maintenance,
  // too); all need a superuser. `node` is an id, the beginning of one, or an address. Return its id
  // at once: the report tells how far it is.
  // NOT_FOUND; INVALID_ARGUMENT where `node` may be several.
  absl::StatusOr<std::string> Decommission(const std::string& node);
  absl::StatusOr<std::string> Recommission(const std::string& node);
  absl::StatusOr<std::string> StartMaintenance(const std::string& node);
  // Begins a run of the balancer, which moves replicas until no DataNode is more than
  // `threshold_percent` points fuller or emptier than the mean; or ends it. Both need a superuser
  // and return at once. One that runs already is not started again.
  // FAILED_PRECONDITION: it runs with another threshold.
  absl::StatusOr<BalanceStatus> StartBalancing(double threshold_percent);
  absl::StatusOr<BalanceStatus> StopBalancing();
  absl::StatusOr<BalanceStatus> BalanceProgress();
  // One round of repairs now, of at most `max` blocks (0: as many as the pacing allows), whatever
  // the interval of the automatic ones; needs a superuser. Copies begin with their nodes' next
  // heartbeats. RepairJson: as --json prints it, without a final newline.
  absl::StatusOr<RepairRound> Repair(uint64_t max = 0);
  absl::StatusOr<std::string> RepairJson(uint64_t max = 0);
  // The volumes of a DataNode, which come and go while it runs (admin_volumes.cc). `node` as above;
  // the node itself is asked, and must answer. Changes need a superuser by the DataNode's system,
  // and last until its next start.
  absl::StatusOr<NodeVolumes> Volumes(const std::string& node);
  // `dir`: absolute, on the DataNode; opened, or formatted when it is new, as its start would.
  // Returns when what it holds is loaded. ALREADY_EXISTS, FAILED_PRECONDITION, DATA_LOSS: it is
  // none that the node can use, and nothing has changed.
  absl::StatusOr<VolumeChange> AddVolume(const std::string& node, const std::string& dir);
  // `volume`: its path or storage id. Its replicas are lost at once, and copied anew from others.
  // FAILED_PRECONDITION for the last one that works, and, without `force`, while replicas are being
  // written there. On return it is not used any more.
  absl::StatusOr<VolumeChange> RemoveVolume(const std::string& node, const std::string& volume,
                                            bool force);
  // Returns the highest txid that the new image holds.
  absl::StatusOr<TxId> Checkpoint();

 private:
  explicit AdminClient(std::shared_ptr<ClientCore> core);

  const std::shared_ptr<ClientCore> core_;
};

}  // namespace cairn
