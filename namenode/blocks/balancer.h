// The balancer: moves replicas from DataNodes that are fuller than the others to emptier ones.
//
// How a replica moves: it is copied like a repair, from the node that it leaves, and once its
// target has reported it as durable the block has one good replica too many, of which the one that
// was left behind goes. Whatever happens in between, the block never has fewer replicas than it
// had; a move that comes to nothing leaves at most a surplus replica, which goes like any other.
// One run at a time, which an administrator starts; it is not journaled, so a NameNode that is
// started again has none. What should move is BalancePlan's to say, with what is on its way counted
// as if it were there; a node's replicas are walked in slices.
// Not thread-safe; used by the reported state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "namenode/blocks/balance_plan.h"
#include "namenode/blocks/block_map.h"
#include "namenode/blocks/copy_tracker.h"
#include "namenode/blocks/datanode_table.h"
#include "namenode/blocks/deletion_queue.h"
#include "namenode/blocks/options.h"
#include "namenode/blocks/report.h"

namespace cairn::namenode {

class Balancer {
 public:
  // All must outlive it.
  Balancer(const BlockManagerOptions& options, DatanodeTable* nodes, BlockMap* blocks,
           CopyTracker* copies, const DeletionQueue* deletions, const PlacementPolicy* placement)
      : options_(options),
        nodes_(*nodes),
        blocks_(*blocks),
        copies_(*copies),
        deletions_(*deletions),
        placement_(*placement) {}

  // --- Administrators
  // `threshold_percent`: how many percentage points off the mean a node may be. False when one
  // runs.
  bool Start(double threshold_percent, int64_t now_ms);
  // Moves under way are brought to their end.
  void Stop(int64_t now_ms);
  bool running() const { return report_.state == BalanceState::kRunning; }
  double threshold_percent() const { return report_.threshold_percent; }
  BalanceReport Report(int64_t now_ms) const;

  // --- Rounds
  // Looks at most at `max` moves that are under way; true when it has seen all.
  bool Follow(BlockId& cursor, size_t max, int64_t now_ms);
  // False when nothing is to be moved now. `obstacle`: why nothing may be moved; empty: it may.
  bool BeginRound(std::string obstacle, int64_t now_ms);
  // Looks at about `max` replicas; true when the round is done.
  bool Schedule(size_t max, int64_t now_ms);

  // --- A block with too many good replicas
  // Whether this is the copy that a move waits for.
  bool Awaits(BlockId id, NodeNumber target) const;
  bool HasMove(BlockId id) const { return moves_.contains(id); }
  // Of the nodes with a good replica (view indices), the one that a move has left behind, if its
  // replica may go.
  std::optional<uint32_t> LeftBehind(BlockId id, absl::Span<const uint32_t> holders,
                                     int64_t now_ms) const;
  // Its deletion is ordered.
  void Removed(BlockId id, int64_t now_ms);

 private:
  struct Move {
    GenerationStamp generation = 0;
    NodeNumber source = 0;
    NodeNumber target = 0;
    uint64_t bytes = 0;
    int64_t begun_ms = 0;
    int64_t removed_ms = -1;      // when the deletion was ordered; -1: it was not yet
    int64_t gone_ms = -1;         // ... and was seen to be done
    bool source_settled = false;  // the node has reported its space since
    bool target_settled = false;
  };
  using Moves = absl::btree_map<BlockId, Move>;

  // How far the walk over a node's replicas is.
  struct Scan {
    size_t storage = 0;
    BlockId from = 0;
    bool small_too = false;  // else large blocks alone
    // Of this pass:
    uint64_t moved = 0;
    bool busy = false;       // a block could have gone to a node that has enough to do
    bool later = false;      // a block may be moved at another time
    bool exhausted = false;  // a whole pass found nothing
  };
  enum class Try { kMoved, kSkipped, kLater, kNever, kTakersBusy, kGiverBusy };
  // Why blocks could go nowhere, in this walk.
  struct Obstacles {
    uint64_t held = 0;    // those that should take it have it
    uint64_t spread = 0;  // it would be in fewer racks
    uint64_t size = 0;    // it is too large, for their space or for what is left to be moved
  };

  std::vector<BalanceNode> Participants(bool with_moves, int64_t now_ms) const;
  bool HasRoom(NodeNumber node, uint64_t cost) const;  // within the bytes in flight
  uint64_t CostOf(uint64_t bytes) const;
  void EndRun(BalanceState state, std::string reason, int64_t now_ms);
  std::string WhyStuck() const;
  // All that take part are within the threshold.
  void EndBalanced(int64_t now_ms);
  // All that should give have been walked over in vain.
  void EndWalk(int64_t now_ms);

  // Whether the block may be moved off this storage, and if not, whether that may change.
  Try Movable(BlockId id, const BlockEntry& block, const Storage& storage) const;
  Try TryMove(size_t giver, const Scan& scan, const Storage& storage, BlockId id, int64_t now_ms);
  std::optional<size_t> ChooseTaker(size_t giver, BlockId id, const BlockEntry& block,
                                    int64_t now_ms, Try* otherwise);
  void Begin(size_t giver, size_t taker, BlockId id, const BlockEntry& block, int64_t now_ms);
  // Walks on, about `max` replicas; returns how many. `done`: with this node, in this round.
  size_t ScanSome(size_t giver, Scan& scan, size_t max, int64_t now_ms, bool* done);
  static void EndPass(Scan& scan);

  // True when the move is over.
  bool FollowOne(BlockId id, Move& move, int64_t now_ms);
  bool FollowCopy(BlockId id, const Move& move, int64_t now_ms);
  bool Settled(BlockId id, Move& move, int64_t now_ms);
  void Shift(NodeNumber node, int64_t bytes);

  const BlockManagerOptions& options_;
  DatanodeTable& nodes_;
  BlockMap& blocks_;
  CopyTracker& copies_;
  const DeletionQueue& deletions_;
  const PlacementPolicy& placement_;

  BalanceReport report_;  // the run's own figures; those of the nodes are made when it is asked for
  int64_t started_ms_ = 0;

  Moves moves_;
  absl::flat_hash_map<NodeNumber, int64_t> shift_;      // bytes that a node does not report yet
  absl::flat_hash_map<NodeNumber, int64_t> set_aside_;  // takers that lost a copy, and until when

  // The walk, from one rest to the next.
  absl::flat_hash_map<NodeNumber, Scan> scans_;
  Obstacles obstacles_;
  uint64_t walk_began_done_ = 0;  // moves that were done when it began
  bool wide_ = false;             // the one before moved nothing: with the plan's wider reach
  int in_vain_ = 0;               // walks in a row that moved nothing
  int64_t resume_ms_ = 0;
  int64_t left_out_since_ms_ = -1;  // since when nodes that are not healthy are waited for

  // The round.
  std::optional<BalancePlan> plan_;
  std::vector<size_t> givers_;
  size_t giver_ = 0;          // the next one
  size_t seen_ = 0;           // ... of whose blocks so many were looked at
  bool takers_busy_ = false;  // some were left out
  bool takers_aside_ = false;
};

}  // namespace cairn::namenode
