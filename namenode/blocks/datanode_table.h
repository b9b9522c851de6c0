// The DataNodes and their storages: identity, load, liveness.
//
// Why: who may speak for a node (one process at a time), when a node is late or dead, and what
// placement may know of it are decided here and nowhere else. What is on the storages is the block
// map's. Nodes and storages are never freed: pointers stay valid.
// Not thread-safe; used by the reported state.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/paged_table.h"
#include "common/strings.h"
#include "namenode/blocks/block_set.h"
#include "namenode/blocks/error_window.h"
#include "namenode/blocks/options.h"
#include "namenode/blocks/placement/cluster_view.h"
#include "namenode/blocks/report.h"
#include "namenode/blocks/report_window.h"
#include "namenode/blocks/slow_nodes.h"
#include "namenode/blocks/types.h"

namespace cairn::namenode {

struct DataNode;

struct Storage {
  // What is asked for every replica stands together.
  DataNode* node = nullptr;
  StorageNumber number = 0;
  bool failed = false;  // says its node
  bool lost = true;     // failed, of a dead node, or gone: its replicas do not count
  bool stale = true;    // no full report since its node registered
  bool away = false;  // its node is in maintenance, and gone: its replicas count, but none is read
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t remaining_bytes = 0;
  uint64_t slow_us = 0;  // as in StorageReport
  uint64_t others_us = 0;
  std::string id;
  std::string path;
  // Since when a new full report is to settle what is in doubt; 0: nothing is. One that began later
  // does.
  int64_t report_wanted_ms = 0;
  int64_t report_asked_ms = 0;
  ReportWindow window;

  // Until a full report is complete that began when it was due.
  bool report_due() const { return !lost && (stale || report_wanted_ms != 0); }
  BlockSet blocks;  // ordered, so that it can be walked in slices
};
// By number: replicas name their storage by it.
using StorageTable = PagedTable<Storage, 6>;

struct DataNode {
  NodeNumber number = 0;
  std::string id;
  uint64_t incarnation = 0;
  std::vector<std::string> addresses;
  std::string http_address;
  std::string rack;
  std::string host;
  std::vector<Storage*> storages;
  uint32_t view_index = 0;  // in the ClusterView

  AdminState admin = AdminState::kInService;
  BlockSet left;       // while it leaves: blocks that depend on it yet
  bool seen = false;   // registered since the NameNode started
  bool alive = false;  // registered, and not dead since
  int64_t registered_ms = 0;
  int64_t last_heartbeat_ms = 0;
  HeartbeatReport load;  // without its storages and peers
  ErrorWindow errors;
  // Of incremental reports: the sequence of the last one taken in (of this incarnation; 0: none),
  // and the highest block it has received.
  uint64_t last_sequence = 0;
  BlockId newest_received = 0;

  uint64_t promised_bytes = 0;  // to open blocks
  uint32_t open_blocks = 0;

  struct CopyOrder {  // to be given out with the next heartbeat
    BlockId block = 0;
    std::vector<NodeNumber> targets;
  };
  std::deque<CopyOrder> copy_orders;
  std::deque<RecoverBlock> recovery_orders;  // the same

  // Of a storage that counts.
  bool awaits_report() const;
  bool in_service() const { return admin == AdminState::kInService; }
  bool in_maintenance() const { return admin == AdminState::kMaintenance; }
  // For good: what it holds does not count toward any target.
  bool retiring() const {
    return admin == AdminState::kDecommissioning || admin == AdminState::kDecommissioned;
  }
};

class DatanodeTable {
 public:
  explicit DatanodeTable(const BlockManagerOptions& options)
      : options_(options), slow_(options.slow_node_threshold_us, options.stale_after_ms) {}

  // A node of the registry, not heard of yet.
  void Load(const NodeRegistration& node, AdminState admin);
  // OK when `registration` may speak for its node from now on; else ALREADY_EXISTS.
  absl::Status CheckRegistration(const NodeRegistration& registration, int64_t now_ms) const;
  // Takes a checked registration in: the node is alive, its storages stale. Returns the storages
  // that do not belong to it any more or have failed, now lost. Storages that come to life here
  // must hold no replicas from when they were lost or another node's.
  std::vector<Storage*> Register(const NodeRegistration& registration, int64_t now_ms);
  // Takes a heartbeat in; returns storages that have failed, now lost.
  std::vector<Storage*> Heartbeat(DataNode& node, const HeartbeatReport& report, int64_t now_ms);
  // Compares the nodes by what their peers say of them: before FindDead, which shows it to
  // placement.
  void JudgeSlowness(int64_t now_ms);
  // Nodes that have been silent for dead_after become dead, their storages lost; those of a node in
  // maintenance are away. Returns them.
  std::vector<DataNode*> FindDead(int64_t now_ms);

  // Also of a node that is dead. Returns storages that are lost by it: those that were away.
  std::vector<Storage*> SetAdminState(DataNode& node, AdminState admin, int64_t now_ms);
  // By id, the beginning of one, or an address. NOT_FOUND, or INVALID_ARGUMENT where several fit.
  absl::StatusOr<const DataNode*> FindByName(std::string_view name) const;

  // Each nullptr when unknown.
  DataNode* Find(NodeNumber number) { return nodes_.Find(number); }
  const DataNode* Find(NodeNumber number) const { return nodes_.Find(number); }
  DataNode* Find(std::string_view id) const;
  Storage* FindStorage(StorageNumber number) { return storages_.Find(number); }
  StorageTable& storages() { return storages_; }
  // The live node that this start of a DataNode may speak for; NOT_FOUND with kUnknownNode.
  absl::StatusOr<DataNode*> Speaker(std::string_view id, uint64_t incarnation) const;
  // The same and one of its storages; INVALID_ARGUMENT when it is another node's.
  absl::StatusOr<Storage*> SpeakerStorage(std::string_view id, uint64_t incarnation,
                                          StorageNumber storage);

  bool Late(const DataNode& node, int64_t now_ms) const {
    return now_ms - node.last_heartbeat_ms > options_.stale_after_ms;
  }
  // `reason` may be nullptr; it is set unless the node is healthy: one line, all that degrades it.
  NodeState State(const DataNode& node, int64_t now_ms, std::string* reason) const;
  NodeAddress AddressOf(const DataNode& node) const;
  DataNodeReport Describe(const DataNode& node, int64_t now_ms) const;
  // Whether every known node has registered and every live storage has been reported in full.
  // Decommissioned nodes need not.
  bool AllReported() const;
  // Whether every live storage of a node in service has.
  bool LiveReported() const;

  // Brings what placement sees of a node up to date: after anything of it has changed.
  void Refresh(const DataNode& node, int64_t now_ms);
  const ClusterView& view() const { return view_; }

  template <typename Fn>
  void ForEach(Fn&& fn) const {  // by number
    nodes_.ForEach([&](uint64_t, const DataNode& node) { fn(node); });
  }
  template <typename Fn>
  void ForEach(Fn&& fn) {
    nodes_.ForEach([&](uint64_t, DataNode& node) { fn(node); });
  }

 private:
  DataNode& Make(const NodeRegistration& registration);
  Storage& MakeStorage(const StorageReport& report);
  // Too many errors of late.
  bool Erring(const DataNode& node, int64_t now_ms) const {
    return options_.error_limit != 0 &&
           node.errors.Recent(options_.error_window_ms, now_ms).total() >= options_.error_limit;
  }
  std::string WhyDegraded(const DataNode& node, int64_t now_ms) const;
  static void TakeStats(Storage& storage, const StorageReport& report);

  const BlockManagerOptions& options_;
  PagedTable<DataNode, 6> nodes_;  // by number
  StringMap<DataNode*> by_id_;
  StorageTable storages_;
  ClusterView view_;
  SlowNodes slow_;
  int64_t judged_ms_ = -1;  // when slowness was last
};

}  // namespace cairn::namenode
