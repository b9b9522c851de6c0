// Blocks that wait for work: too few good replicas, or too few on nodes that stay, or not far
// enough apart, or replicas that should go.
//
// Why: repair must take the most endangered block first and must not look at all blocks to find it.
// Blocks for which nothing can be done now (no target, a report awaited) are set aside until
// something happens that may help, so that a round does not meet them again and again. When a node
// dies all of its blocks come at once: nothing here rehashes. Not thread-safe; kept up to date by
// the reported state whenever a block changes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "common/ids.h"
#include "namenode/blocks/block_set.h"

namespace cairn::namenode {

// As in HDFS (LowRedundancyBlocks), fewer levels.
enum class RepairPriority : uint8_t {
  kLastReplica,  // one good replica left of several
  kHasBad,       // a bad copy beside the good ones
  kOther,
  kLeavingAll,  // enough, but all on nodes that leave
  kLeaving,     // enough, but too many on nodes that leave
  kMisplaced,   // enough, but not where they should be
};

class ReplicationQueues {
 public:
  // --- Too few good replicas. First come, first served within a priority.
  // A block that is there with the same priority keeps its place; one set aside comes back.
  void PutRepair(BlockId id, RepairPriority priority);
  void RemoveRepair(BlockId id);
  // No node can take a copy now.
  void SetRepairAside(BlockId id);
  // At most `max` of those set aside come back; true when none is left.
  bool RequeueRepairs(size_t max);

  // A place in the queues to go on from. Blocks that come or go meanwhile do not disturb it.
  struct Cursor {
    size_t priority = 0;
    uint64_t sequence = 0;
  };
  // At most `max` blocks from `cursor` on, which moves behind them. Empty at the end.
  std::vector<BlockId> NextRepairs(Cursor& cursor, size_t max) const;
  size_t repairs() const { return places_.size(); }
  size_t repairs_aside() const { return aside_.size(); }
  bool RepairAside(BlockId id) const { return aside_.contains(id); }

  // --- Replicas that should go: excess ones, bad and outdated copies that are not needed.
  void PutSurplus(BlockId id);
  void RemoveSurplus(BlockId id);
  void SetSurplusAside(BlockId id);
  void RequeueSurplus();
  // At most `max` with ids from `from` on.
  std::vector<BlockId> NextSurplus(BlockId from, size_t max) const;
  size_t surplus() const { return surplus_.size() + surplus_aside_.size(); }

 private:
  struct Place {
    uint8_t priority = 0;
    bool aside = false;
    uint64_t sequence = 0;
  };
  static constexpr size_t kPriorities = 6;

  uint64_t next_sequence_ = 1;
  absl::btree_map<BlockId, Place> places_;
  std::array<absl::btree_map<uint64_t, BlockId>, kPriorities> queues_;  // by sequence
  BlockSet aside_;
  BlockSet surplus_;
  BlockSet surplus_aside_;
};

}  // namespace cairn::namenode
