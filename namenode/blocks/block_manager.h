// The door to the reported state: which storage holds which replica, which DataNodes live, what
// must be repaired, and whether the NameNode is in safe mode.
//
// Why apart from the namespace: nothing here is journaled. DataNodes report it after every start,
// and it must be right again after any loss of messages. What edits mean for blocks arrives by
// PushChanges and is taken in only once those edits are durable, so that no command to a DataNode
// and no location can precede its edit (P2).
//
// Thread-safe. Called by the namesystem (PushChanges under its lock, all else without it), the
// services and the monitors. Locks: mu_, then the change queue's, a leaf.
// PushChanges and InSafeMode never wait for mu_. Long work holds mu_ for at most 2,000 replicas
// at a time, and lets those who wait for it go first in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "namenode/blocks/change_queue.h"
#include "namenode/blocks/options.h"
#include "namenode/blocks/report.h"
#include "namenode/blocks/safe_mode.h"
#include "namenode/blocks/types.h"

namespace cairn {
class Clock;
}

namespace cairn::namenode {

class ReportedState;

class BlockManager {
 public:
  // `durable` gives the highest durable txid; it is called under mu_ and must take no lock that is
  // held around a call of this class (an atomic is best). `seed` is for placement's choices. The
  // options must be valid (NewPlacement knows the names).
  BlockManager(BlockManagerOptions options, Clock* clock, std::function<TxId()> durable,
               uint64_t seed);
  ~BlockManager();
  BlockManager(const BlockManager&) = delete;
  BlockManager& operator=(const BlockManager&) = delete;

  // --- The start: single-threaded, before serving; then FinishLoading ------------------------

  // A block of the loaded namespace: kOpened, kFinished (its file is open) or kFileClosed.
  void LoadBlock(const BlockChange& block) ABSL_LOCKS_EXCLUDED(mu_);
  // A DataNode that the registry knows: number, id, rack, and numbers and ids of its storages. It
  // counts as failed until it registers; repairs wait for it for dead_after, unless it is
  // decommissioned.
  void LoadNode(const NodeRegistration& node, AdminState admin) ABSL_LOCKS_EXCLUDED(mu_);
  // Safe mode ends from here on, as soon as its conditions are met (at once without blocks).
  void FinishLoading() ABSL_LOCKS_EXCLUDED(mu_);

  // --- The namesystem ------------------------------------------------------------------------

  // Txids must not go down from call to call. Only appends to a queue.
  void PushChanges(TxId txid, std::vector<BlockChange> changes) {
    changes_.Push(txid, std::move(changes));
  }
  // The namespace's counters. Replicas of ids or generations above them are never deleted. They
  // also rise with every block that is loaded or changed; this never lowers them.
  void SetIdLimits(BlockId highest_block_id, GenerationStamp highest_generation)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Replicas of unknown blocks with these ids or generations are never deleted, even below the
  // limits: blocks of a part of the journal that was lost, which a person may still bring back.
  void SpareIds(BlockId first, BlockId last, GenerationStamp first_stamp,
                GenerationStamp last_stamp) ABSL_LOCKS_EXCLUDED(mu_);

  // Nodes for a new block, or to join the pipeline of an open one, in pipeline order: between
  // min_required and count of them.
  // RESOURCE_EXHAUSTED with kNotEnoughDataNodes: fewer than min_required can take it.
  absl::StatusOr<std::vector<NodeNumber>> ChooseTargets(const TargetRequest& request)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Where to read a finished block: the reader's host first, then its rack, its region, the others,
  // those of equal distance in random order; degraded nodes last. Nodes and an empty list for a
  // block that is not known.
  BlockLocations Locate(BlockId block, std::string_view reader_host, std::string_view reader_rack)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The same for an open block: who of its pipeline lives.
  std::vector<NodeAddress> LocateOpen(const std::vector<NodeNumber>& pipeline,
                                      std::string_view reader_host, std::string_view reader_rack)
      ABSL_LOCKS_EXCLUDED(mu_);
  // All nodes with a good replica of a finished block, those that are late or leave last; nullopt
  // when it is not finished with exactly this generation and length (any more).
  std::optional<std::vector<NodeNumber>> GoodNodes(const Block& block) ABSL_LOCKS_EXCLUDED(mu_);
  // In the order of `nodes`; those that never registered since the start are left out.
  std::vector<NodeAddress> NodeAddresses(const std::vector<NodeNumber>& nodes)
      ABSL_LOCKS_EXCLUDED(mu_);

  // --- DataNodes -----------------------------------------------------------------------------

  // By its id, the beginning of one, or an address. NOT_FOUND, or INVALID_ARGUMENT where several
  // fit.
  absl::StatusOr<NodeIdentity> FindNode(std::string_view name) ABSL_LOCKS_EXCLUDED(mu_);
  // ALREADY_EXISTS: another process with the same id, at another address, still sends heartbeats.
  // The refused one may try again: the first counts as gone after three silent heartbeats.
  absl::Status Register(const NodeRegistration& registration) ABSL_LOCKS_EXCLUDED(mu_);
  // Takes the node's load in and returns what it shall do. NOT_FOUND with kUnknownNode (here and in
  // the reports below): the node must register, it is unknown, was dead, or another start took
  // over.
  absl::StatusOr<std::vector<NodeCommand>> Heartbeat(std::string_view node_id, uint64_t incarnation,
                                                     const HeartbeatReport& report)
      ABSL_LOCKS_EXCLUDED(mu_);
  // One piece of a full report of one storage; `first` and `last` mark its ends (both for a report
  // of one piece). A new `first` drops what an unfinished report had begun.
  absl::Status FullReportPiece(std::string_view node_id, uint64_t incarnation,
                               StorageNumber storage, bool first, bool last,
                               const std::vector<ReplicaRecord>& replicas) ABSL_LOCKS_EXCLUDED(mu_);
  // In the order in which the changes happened. A `sequence` that is not above that of the last
  // report taken in of this incarnation marks a late repetition: it is OK and changes nothing. 0:
  // not given.
  absl::Status IncrementalReport(std::string_view node_id, uint64_t incarnation, uint64_t sequence,
                                 const std::vector<ReplicaChange>& changes)
      ABSL_LOCKS_EXCLUDED(mu_);
  // A replica that its own DataNode found to be bad.
  absl::Status BadReplica(std::string_view node_id, uint64_t incarnation, StorageNumber storage,
                          const Block& block) ABSL_LOCKS_EXCLUDED(mu_);

  // --- Block recovery ------------------------------------------------------------------------

  // Who of an open block's pipeline can be asked what it holds. Members that are in neither list
  // are dead.
  RecoveryMembers FindMembers(const std::vector<NodeNumber>& pipeline) ABSL_LOCKS_EXCLUDED(mu_);
  // Given to `primary` with its next heartbeat, unless the block is open with this generation no
  // more; an earlier order for the block that still waits goes. False when the node is not alive.
  bool OrderRecovery(NodeNumber primary, RecoverBlock order) ABSL_LOCKS_EXCLUDED(mu_);
  // OK when this start of a DataNode may speak for its node; else NOT_FOUND with kUnknownNode.
  absl::Status CheckSpeaker(std::string_view node_id, uint64_t incarnation)
      ABSL_LOCKS_EXCLUDED(mu_);

  // --- Monitors ------------------------------------------------------------------------------

  // Finds nodes that are late or dead, takes lost replicas out, judges blocks anew on nodes whose
  // admin state has changed, drops provisional replicas that no report confirmed, ends safe mode.
  // At least every heartbeat interval. `now_ms`: nobody is later than he was then; steady time.
  void RunHeartbeatCheck(std::optional<int64_t> now_ms = std::nullopt) ABSL_LOCKS_EXCLUDED(mu_);
  // DataNodes that are being decommissioned and may go: every block on them has its full target on
  // nodes in service, confirmed by these, and none is being written there.
  std::vector<NodeNumber> FindDecommissioned() ABSL_LOCKS_EXCLUDED(mu_);
  // Schedules copies and deletions, within the bytes in flight of each node.
  void RunReplicationRound() ABSL_LOCKS_EXCLUDED(mu_);
  // Such a round at once, with at most `max` blocks to be copied; what had found no target is tried
  // again.
  RepairRound Repair(uint64_t max) ABSL_LOCKS_EXCLUDED(mu_);

  // --- The balancer --------------------------------------------------------------------------

  // Begins a run: replicas move until no node is more than `threshold_percent` points fuller or
  // emptier than the mean. False when one runs with that already. INVALID_ARGUMENT;
  // FAILED_PRECONDITION when one runs with another threshold.
  absl::StatusOr<bool> StartBalancing(double threshold_percent) ABSL_LOCKS_EXCLUDED(mu_);
  // Nothing is moved any more but what is under way.
  void StopBalancing() ABSL_LOCKS_EXCLUDED(mu_);
  BalanceReport BalanceProgress() ABSL_LOCKS_EXCLUDED(mu_);
  // Follows moves, and orders more within the bytes in flight of each node.
  void RunBalanceRound() ABSL_LOCKS_EXCLUDED(mu_);

  // --- Safe mode -----------------------------------------------------------------------------

  bool InSafeMode() const { return safe_mode_on_.load(std::memory_order_acquire); }
  SafeModeState SafeModeNow() ABSL_LOCKS_EXCLUDED(mu_);
  // On until LeaveSafeMode, whatever is reported.
  void EnterSafeMode() ABSL_LOCKS_EXCLUDED(mu_);
  // Ends it by hand, even before enough is reported. FAILED_PRECONDITION while a forced reason
  // stands.
  absl::Status LeaveSafeMode() ABSL_LOCKS_EXCLUDED(mu_);
  // On while `reason` is not empty: low disk space, an older journal. One line, what to do
  // included.
  void ForceSafeMode(std::string reason) ABSL_LOCKS_EXCLUDED(mu_);

  // --- Reports -------------------------------------------------------------------------------

  ClusterReport Report() ABSL_LOCKS_EXCLUDED(mu_);
  HealthReport Health(size_t limit) ABSL_LOCKS_EXCLUDED(mu_);
  // Counts every block anew, without the incremental figures: for tests and self-checks.
  BlockCounts Recount() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Holds mu_, with all changes taken in whose edits are durable: every public method has one. One
  // of a loop waits for its turn.
  enum class Turn { kNow, kAfterOthers };
  class ABSL_SCOPED_LOCKABLE Hold {
   public:
    explicit Hold(BlockManager& manager, Turn turn = Turn::kNow)
        ABSL_EXCLUSIVE_LOCK_FUNCTION(manager.mu_);
    ~Hold() ABSL_UNLOCK_FUNCTION();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    BlockManager& manager_;
  };

  // False: nothing may be repaired now.
  bool RunRound(bool by_hand, uint64_t max, RepairRound* round) ABSL_LOCKS_EXCLUDED(mu_);
  // Takes in some of those changes; false when there are more.
  bool DrainSome() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes the replicas of lost storages out, slice by slice.
  void RemoveLostReplicas() ABSL_LOCKS_EXCLUDED(mu_);
  // Frees what is not needed any more, without mu_.
  void FreeDropped() ABSL_LOCKS_EXCLUDED(mu_);
  // Last in every method that may have changed what safe mode waits for.
  void UpdateSafeMode() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::function<TxId()> durable_;
  ChangeQueue changes_;
  std::atomic<bool> safe_mode_on_{true};

  TurnMutex mu_;
  std::vector<BlockChange> drained_ ABSL_GUARDED_BY(mu_);  // empty between holds
  const std::unique_ptr<ReportedState> state_ ABSL_PT_GUARDED_BY(mu_);
};

}  // namespace cairn::namenode
