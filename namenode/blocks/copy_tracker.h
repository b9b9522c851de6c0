// Copies between DataNodes that were ordered and have not been reported yet.
//
// Why: repair is paced by the bytes in flight of each node, so that a dead node is rebuilt at the
// speed of the disks without drowning clients; and a copy that never arrives must be ordered again.
// Not thread-safe; used by the reported state.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "common/ids.h"

namespace cairn::namenode {

class CopyTracker {
 public:
  // One order a block at a time. `cost_bytes` counts for the source and for each target.
  void Start(BlockId block, NodeNumber source, std::vector<NodeNumber> targets, uint64_t cost_bytes,
             int64_t deadline_ms);
  bool Pending(BlockId block) const { return !copies_.empty() && copies_.contains(block); }
  bool Pending(BlockId block, NodeNumber source) const;
  // The replica is there. True when it was the last one of its order.
  bool Arrived(BlockId block, NodeNumber target);
  void Cancel(BlockId block);
  // The source says that it could not make the copy. True: its order has ended, and another one may
  // be given. False: it was not its order; or one for this block failed less than 30 s before, and
  // this one expires when those are over, lest what fails at once be ordered in every round.
  bool Failed(BlockId block, NodeNumber source, int64_t now_ms);
  // Whether the last copy of this block that failed, not long ago, was this node's.
  bool FailedAt(BlockId block, NodeNumber source) const;
  // Ends the orders with this node as source or target; returns their blocks.
  std::vector<BlockId> CancelNode(NodeNumber node);
  // The same for those whose deadline has passed, at most `max`.
  std::vector<BlockId> Expire(int64_t now_ms, size_t max);

  uint64_t BytesInFlight(NodeNumber node) const;
  size_t size() const { return copies_.size(); }

 private:
  struct Copy {
    NodeNumber source = 0;
    std::vector<NodeNumber> targets;  // still to arrive
    uint64_t cost_bytes = 0;
    int64_t deadline_ms = 0;
  };
  struct Failure {
    NodeNumber source = 0;
    int64_t told_ms = 0;
  };
  void ExpireBy(BlockId block, int64_t deadline_ms);
  void Release(NodeNumber node, uint64_t bytes);

  absl::btree_map<BlockId, Copy> copies_;
  absl::btree_set<std::pair<int64_t, BlockId>> deadlines_;
  absl::flat_hash_map<NodeNumber, uint64_t> in_flight_;
  absl::flat_hash_map<BlockId, Failure> failures_;  // of late, of blocks that did not arrive since
};

}  // namespace cairn::namenode
