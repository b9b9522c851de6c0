// What is known of replicas and DataNodes, and what follows from it: the block manager's inside.
//
// How data flows: every event (a change of the namespace, a report, a loss) changes a block's entry
// or its replicas and ends in Evaluate, which brings the figures, the repair queue and the surplus
// list up to date for that block alone. Rounds take blocks from those queues and turn them into
// orders, which wait for the next heartbeat of their node. An order is never trusted to have
// worked: only reports change replicas. Not thread-safe: the block manager's mutex guards it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "namenode/blocks/balancer.h"
#include "namenode/blocks/block_map.h"
#include "namenode/blocks/copy_tracker.h"
#include "namenode/blocks/datanode_table.h"
#include "namenode/blocks/deletion_queue.h"
#include "namenode/blocks/options.h"
#include "namenode/blocks/placement/placement.h"
#include "namenode/blocks/redundancy_index.h"
#include "namenode/blocks/replication_queues.h"
#include "namenode/blocks/report.h"
#include "namenode/blocks/safe_mode.h"
#include "namenode/blocks/types.h"

namespace cairn {
class Clock;
}

namespace cairn::namenode {

class ReportedState {
 public:
  ReportedState(BlockManagerOptions options, Clock* clock, uint64_t seed);

  SafeMode& safe_mode() { return safe_mode_; }
  void UpdateSafeMode();
  Balancer& balancer() { return balancer_; }
  int64_t Now() const;

  // --- From the namespace (reported_state.cc)
  void Apply(const BlockChange& change);
  void RaiseLimits(BlockId id, GenerationStamp generation);
  void SpareIds(BlockId first, BlockId last, GenerationStamp first_stamp,
                GenerationStamp last_stamp) {
    spared_.push_back({first, last, first_stamp, last_stamp});
  }

  // --- Nodes that leave, and come back (leaving_nodes.cc)
  void LoadNode(const NodeRegistration& node, AdminState admin);
  absl::StatusOr<NodeIdentity> FindNode(std::string_view name) const;
  // Judges at most about `max` blocks anew, of nodes that do not count as they did; true when there
  // is no more.
  bool JudgeNodes(size_t max);
  // Of those that are being decommissioned: nothing depends on them any more.
  std::vector<NodeNumber> FindDecommissioned() const;

  // --- Block recovery (open_blocks.cc)
  std::optional<std::vector<NodeNumber>> GoodNodes(const Block& wanted) const;
  RecoveryMembers FindMembers(const std::vector<NodeNumber>& pipeline) const;
  bool OrderRecovery(NodeNumber primary, RecoverBlock order);
  absl::Status CheckSpeaker(std::string_view id, uint64_t incarnation) const {
    return nodes_.Speaker(id, incarnation).status();
  }

  // --- For clients (reported_state.cc)
  absl::StatusOr<std::vector<NodeNumber>> ChooseTargets(const TargetRequest& request);
  BlockLocations Locate(BlockId id, std::string_view reader_host, std::string_view reader_rack);
  std::vector<NodeAddress> LocateOpen(const std::vector<NodeNumber>& pipeline,
                                      std::string_view reader_host, std::string_view reader_rack);
  std::vector<NodeAddress> NodeAddresses(const std::vector<NodeNumber>& nodes) const;

  // --- From DataNodes (node_reports.cc)
  // Before Register: OK when it may register. Storages that come back to life or change their node
  // are then waiting to be emptied: call RemoveLostReplicas until it is done.
  absl::Status PrepareRegister(const NodeRegistration& registration);
  absl::Status Register(const NodeRegistration& registration);
  absl::StatusOr<std::vector<NodeCommand>> Heartbeat(std::string_view id, uint64_t incarnation,
                                                     const HeartbeatReport& report);
  // A report of one storage: begin, pieces, then sweep in slices until it returns true (done).
  absl::Status BeginReport(std::string_view id, uint64_t incarnation, StorageNumber number);
  absl::Status ReportPiece(std::string_view id, uint64_t incarnation, StorageNumber number,
                           absl::Span<const ReplicaRecord> replicas);
  absl::StatusOr<bool> SweepReport(std::string_view id, uint64_t incarnation, StorageNumber number,
                                   BlockId& cursor, size_t max);
  // One slice of a report; with the last one its sequence is taken in.
  absl::Status IncrementalReport(std::string_view id, uint64_t incarnation, uint64_t sequence,
                                 bool last, absl::Span<const ReplicaChange> changes);
  absl::Status BadReplica(std::string_view id, uint64_t incarnation, StorageNumber number,
                          const Block& block);

  // --- Monitors (repair.cc)
  // Marks dead nodes.
  void CheckNodes(std::optional<int64_t> now_ms);
  // Drops provisional replicas that will not be confirmed, and orders that are overdue; looks at
  // about `max` of each. True when there is no more.
  bool CheckOverdue(size_t max);
  // Takes at most `max` replicas of lost storages out; true when none is left.
  bool RemoveLostReplicas(size_t max);
  bool HasLostReplicas() const { return !lost_.empty(); }
  // What is left of nodes' orders, to be freed without a lock.
  DeletionQueue::Dropped TakeDropped() { return deletions_.TakeDropped(); }
  // Begins a round; false when nothing may be repaired now. One by hand tries again what had found
  // no target.
  bool BeginRound(bool by_hand);
  // Puts at most about `max` blocks in the queues that could not be repaired before; true when
  // there is no more.
  bool FillQueues(size_t max);
  // Judges at most `max` blocks anew after racks have changed; true when there is no more.
  bool CheckSpread(size_t max);
  // Looks at most at `max` blocks; true when the round is done: it has planned `max_copies`, or
  // there is no more. Counts in `round`.
  bool ScheduleCopies(ReplicationQueues::Cursor& cursor, size_t max, uint64_t max_copies,
                      RepairRound* round);
  // What waits after a round, and why. `ran`: it was allowed.
  void Describe(bool ran, uint64_t max_copies, RepairRound* round) const;
  bool DeleteSurplus(BlockId& cursor, size_t max);
  bool BeginBalanceRound();

  // --- Reports (reported_state.cc)
  ClusterReport Report() const;
  HealthReport Health(size_t limit) const;
  BlockCounts Recount() const;

 private:
  struct Promise {  // of an open block
    absl::InlinedVector<NodeNumber, 4> pipeline;
    uint64_t bytes = 0;
  };
  struct Unconfirmed {   // a provisional replica
    int64_t due_ms = 0;  // when to look at it (again)
    int64_t finished_ms = 0;
    BlockId newest_block = 0;  // that was known then
    BlockId block = 0;
    GenerationStamp generation = 0;
    StorageNumber storage = 0;
  };
  struct IdRange {
    BlockId first = 0;
    BlockId last = 0;
    GenerationStamp first_stamp = 0;
    GenerationStamp last_stamp = 0;
  };
  struct Judging {  // how far it has come
    DataNode* node = nullptr;
    size_t storage = 0;  // of the node's; behind the last one, the open blocks
    BlockId from = 0;
  };
  enum class CopyOutcome { kScheduled, kBusy, kNoTarget, kNotNeeded };

  // How long a report of a change may take on a node that is not busy.
  int64_t ConfirmationMs() const {
    return std::max(2 * options_.heartbeat_interval_ms, options_.deferred_sync_ms) +
           options_.provisional_margin_ms;
  }

  // Brings all that follows from a block's replicas up to date. After every change of them.
  void Evaluate(BlockId id, BlockEntry& block);
  void QueueRepair(BlockId id, const BlockEntry& block, const ReplicaCounts& counts);
  Redundancy Judge(BlockId id, const BlockEntry& block, const ReplicaCounts& counts) const;
  bool Spread(BlockId id, const BlockEntry& block) const;

  void ApplyAdminState(const BlockChange& change);  // leaving_nodes.cc, as the next
  void JudgeAnew(DataNode& node);
  // Whether the node's leaving would hurt the block as it is now.
  bool DependsOn(const DataNode& node, BlockId id, const BlockEntry& block,
                 const ReplicaCounts& counts) const;
  void DescribeLeaving(const DataNode& node, DataNodeReport* report) const;
  std::string WhatLeavingWaitsFor(const DataNode& node, uint64_t blocks_left) const;
  std::string WhyBlocksAreLeft(const DataNode& node) const;
  // Where a block is read: nodes that are not in service only as long as there are not enough
  // others.
  Nodes ServingNodes(BlockId id, const BlockEntry& block) const;

  void ApplyFinished(const BlockChange& change, BlockEntry& block);
  void ApplyRemoved(BlockId id, BlockEntry& block);
  void ApplyOpened(const BlockChange& change, BlockEntry& block);  // open_blocks.cc, as the next
  void DeleteInPipeline(BlockId id, const BlockEntry& block);
  void Promised(BlockId id, const BlockChange& change);
  void GiveBack(BlockId id);
  void AddRecoveries(DataNode& node, std::vector<NodeCommand>* commands);

  std::vector<NodeAddress> NearestFirst(absl::Span<DataNode* const> nodes,
                                        std::string_view reader_host, std::string_view reader_rack);
  // Whether the node can take a replica of the block; one that holds a stale one can replace it.
  bool MayJoin(NodeNumber node, BlockId id, bool stale_too) const;
  absl::Status TooFewTargets(const TargetRequest& request, size_t found) const;

  void TakeReported(Storage& storage, const Block& reported, ReplicaState state, bool incremental);
  void TakeDeleted(Storage& storage, const Block& reported);
  // Orders the deletion of a replica of no known block, unless it may be of one to come.
  void DeleteUnknown(NodeNumber node, const Block& reported);
  void AddCommands(DataNode& node, std::vector<NodeCommand>* commands);
  void AskForReports(DataNode& node, std::vector<NodeCommand>* commands);
  void Lose(const std::vector<Storage*>& storages);
  void DropNodeOrders(NodeNumber node);
  // What `source` was to copy and could not.
  void CopiesFailed(const DataNode& source, const std::vector<BlockId>& blocks);

  // Asks for a new full report, with a heartbeat to come.
  void WantReport(Storage& storage) const;
  bool CheckUnconfirmed(size_t max);
  bool RepairMayBegin() const;
  CopyOutcome ScheduleCopy(BlockId id, BlockEntry& block);
  DataNode* CopySource(BlockId id, const Nodes& good) const;
  // Makes room where every possible target holds a useless copy of the block: true if it did.
  bool DeleteUselessForRoom(BlockId id, BlockEntry& block, const ReplicaCounts& counts);
  // Orders the deletion of bad and outdated copies; true if there was one that could go.
  bool DeleteUseless(BlockId id, BlockEntry& block);
  void DeleteExcess(BlockId id, BlockEntry& block);
  // Before the order is given: whether the replica is needed after all; then it counts again.
  bool KeepExcess(StorageNumber number, const Block& excess);
  // The copy that a move waits for has arrived.
  void EndMove(BlockId id, BlockEntry& block);

  ReplicationIssue IssueOf(BlockId id) const;

  const BlockManagerOptions options_;
  Clock* const clock_;
  const int64_t started_ms_;
  const std::unique_ptr<PlacementPolicy> placement_;
  Random random_;

  DatanodeTable nodes_;
  BlockMap blocks_{&nodes_.storages()};
  RedundancyIndex index_;
  ReplicationQueues queues_;
  CopyTracker copies_;
  DeletionQueue deletions_;
  SafeMode safe_mode_;
  Balancer balancer_;

  absl::btree_map<BlockId, Promise> promises_;
  std::deque<Unconfirmed> unconfirmed_;  // by due_ms
  std::vector<Storage*> lost_;           // whose replicas are still in the map
  BlockId highest_block_id_ = 0;
  GenerationStamp highest_generation_ = 0;
  std::vector<IdRange> spared_;  // not ours to judge, below the limits or not
  int64_t requeued_ms_ = 0;
  bool requeue_ = false;  // the next round tries again what found no target
  // Since repairs could begin for the first time. Until then the lists of the index are all there
  // is of what is to be repaired: after a start that is every block.
  bool repairing_ = false;
  size_t repairs_left_ = 0;  // by the last round: nodes had all the work they may have
  // ... from where on they are not in the queue yet; by list, as in FillQueues.
  std::array<BlockId, 2> fill_from_{};
  std::vector<DataNode*> leaving_;  // being decommissioned, or in maintenance
  std::deque<Judging> judging_;     // one a node
  uint64_t spread_changes_ = 0;     // of the view, when the last check of all blocks began
  BlockId spread_from_ = 0;         // where it goes on
};

}  // namespace cairn::namenode
