// What DataNodes and administrators may ask for, in domain terms.
//
// Why: registration is journaled and reported at once, reports need both states. The services
// translate the wire to these calls and decide nothing. Thread-safe; replies may run on another
// thread, or before the call returns.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/strings.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/namesystem/client_operations.h"
#include "namenode/namesystem/forced_safe_mode.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn::namenode {

struct RegisterNode {
  std::string cluster_id;     // empty: joins for the first time
  NodeRegistration node;      // numbers are 0
  BlockId highest_block = 0;  // that the node's disks know of; generation and epoch too
  GenerationStamp highest_generation = 0;
  uint64_t highest_epoch = 0;
  // Of these, what it knew when it last heard from a NameNode; unset: not since it was started.
  std::optional<std::pair<BlockId, GenerationStamp>> at_last_contact;
};
struct RegisteredNode {
  std::string cluster_id;
  NodeNumber number = 0;
  std::vector<StorageNumber> storages;  // in the order of the request
  uint64_t epoch = 0;
  int64_t heartbeat_interval_ms = 0;
};

struct RecoveredBlock {  // the end of a block recovery, as its primary tells it
  std::string node_id;
  uint64_t incarnation = 0;
  Block block;  // generation: the recovery's stamp; length: as agreed
  std::vector<StorageNumber> storages;
};

struct ClusterOverview {
  ClusterReport report;
  uint64_t files = 0;
  uint32_t default_replication = 0;
  uint64_t block_size = 0;
};
struct HealthOverview {
  HealthReport report;
  absl::flat_hash_map<INodeId, std::string> paths;  // of the files that the report names
};

enum class SafeModeAction { kGet, kEnter, kLeave };

enum class BalanceAction { kGet, kStart, kStop };
struct BalanceOverview {
  BalanceReport report;
  bool started = false;  // by this call
};

enum class NodeAction { kDecommission, kRecommission, kMaintenance };

class ClusterOperations {
 public:
  using CheckpointFn = std::function<absl::StatusOr<TxId>()>;

  ClusterOperations(Namesystem* namesystem, BlockManager* blocks, ForcedSafeMode* forced,
                    const NamespaceConfig& config, std::string cluster_id,
                    int64_t heartbeat_interval_ms);

  // --- DataNodes ---
  void Register(RegisterNode request, Reply<RegisteredNode> reply);
  BlockManager& blocks() { return *blocks_; }  // heartbeats and reports go there as they are
  uint64_t epoch() const { return epoch_.load(); }
  void CommitRecovery(const RecoveredBlock& request, StatusReply reply);

  // --- Administrators ---
  void Report(Reply<ClusterOverview> reply);
  void Health(size_t limit, Reply<HealthOverview> reply);
  absl::StatusOr<SafeModeState> SafeMode(const Caller& caller, SafeModeAction action);
  // Takes a DataNode out of service, for good or for a while, or back into it; `node` as FindNode
  // has it. The reply, the node's id, comes once that is durable; what follows from it takes its
  // time.
  void SetAdminState(const CallContext& call, std::string_view node, NodeAction action,
                     Reply<std::string> reply);
  // Begins or ends the balancer's run, or tells of it, which everybody may ask.
  absl::StatusOr<BalanceOverview> Balance(const Caller& caller, BalanceAction action,
                                          double threshold_percent);
  // One round of repairs now, of at most `max` blocks; 0: as many as the pacing allows. May take
  // long.
  absl::StatusOr<RepairRound> Repair(const Caller& caller, uint64_t max);
  absl::StatusOr<TxId> Checkpoint(const Caller& caller);  // blocks until it is done
  void SetCheckpoint(CheckpointFn checkpoint) { checkpoint_ = std::move(checkpoint); }

 private:
  absl::Status CheckRegistration(const RegisterNode& request) const;
  // Whether the node knows of later ids than this NameNode can have given out.
  bool KnowsMore(const RegisterNode& request, const Counters& now) ABSL_LOCKS_EXCLUDED(mu_);
  // What follows from that: safe mode, or, where an older journal is accepted, counters past what
  // the node knows.
  void CheckAge(const RegisterNode& request, StatusReply next) ABSL_LOCKS_EXCLUDED(mu_);
  void RaiseCounters(const RegisterNode& request, StatusReply next);
  void CommitRegistration(RegisterNode request, Reply<RegisteredNode> reply);

  Namesystem* const namesystem_;
  BlockManager* const blocks_;
  ForcedSafeMode* const forced_;
  const std::string cluster_id_;
  const uint32_t default_replication_;
  const uint64_t block_size_;
  const int64_t heartbeat_interval_ms_;
  const bool accept_older_journal_;
  const Counters at_start_;  // what the journal knew when this NameNode began to serve
  std::atomic<uint64_t> epoch_;
  CheckpointFn checkpoint_;

  Mutex mu_;
  StringSet registered_ ABSL_GUARDED_BY(mu_);  // nodes, since the start
};

}  // namespace cairn::namenode
