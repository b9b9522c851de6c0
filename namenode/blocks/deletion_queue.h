// Replicas that DataNodes shall delete, from the decision until the deletion is reported.
//
// Why: a deletion is an exact order, (block, generation) on one node, given once. Until it is
// reported, reports that still show the replica must not bring it back, and no new copy may be sent
// to that node. A replica that is one too many stands apart (AddExcess): much can happen until its
// node's heartbeat fetches the order, so it is asked for once more then whether it may go. An order
// may be lost on its way: one that is never reported is forgotten after a while, and its node asked
// for a full report; a replica that this shows again is judged anew. A deleted tree leaves millions
// of orders: each node has its own, in trees that never rehash, and those of a node that is dropped
// are freed by whoever takes them (TakeDropped), without a lock. Not thread-safe; used by the
// reported state.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "common/ids.h"

namespace cairn::namenode {

class DeletionQueue {
 public:
  // Of one node.
  class Orders {
   private:
    friend class DeletionQueue;
    using Name = std::pair<BlockId, GenerationStamp>;
    struct Waiting {
      uint64_t length = 0;
      bool tracked = true;  // the node has the replica: a report of its deletion is awaited
    };
    struct Excess {
      uint64_t length = 0;
      StorageNumber storage = 0;
    };
    absl::btree_map<Name, Waiting> queued;
    absl::btree_map<Name, Excess> excess;  // none is in `queued` too
    absl::btree_map<Name, int64_t> given;  // the deadline, ms
    // By deadline. One that has no such deadline in `given` (any more) was reported, or given anew.
    std::deque<std::pair<int64_t, Name>> deadlines;
  };
  using Dropped = std::vector<std::unique_ptr<Orders>>;

  // Orders are told apart by node, id and generation; a second one is ignored.
  void Add(NodeNumber node, const Block& block) { Queue(node, block, /*tracked=*/true); }
  // The same for a replica that the node may have or not: nobody waits for a report of it.
  void AddUntracked(NodeNumber node, const Block& block) { Queue(node, block, /*tracked=*/false); }
  // For a good replica of which there are enough others as yet. Add makes it go in any case.
  void AddExcess(NodeNumber node, StorageNumber storage, const Block& block);
  // Takes out the node's next orders, at most `max`, excess apart; they are forgotten at
  // `deadline_ms`.
  std::vector<Block> Take(NodeNumber node, size_t max, int64_t deadline_ms);
  // The same for excess; those that `keep` wants back are taken out and not among the result.
  using Keep = std::function<bool(StorageNumber storage, const Block& block)>;
  std::vector<Block> TakeExcess(NodeNumber node, size_t max, int64_t deadline_ms, const Keep& keep);
  // The node reported the deletion.
  void Done(NodeNumber node, BlockId id, GenerationStamp generation);
  // The node is dead or started anew.
  void DropNode(NodeNumber node);
  Dropped TakeDropped() { return std::exchange(dropped_, {}); }
  // Forgets what is due, at most `max` orders; returns the nodes that have not reported them, each
  // once. `done`: nothing else is due.
  std::vector<NodeNumber> Expire(int64_t now_ms, size_t max, bool* done);

  bool Contains(NodeNumber node, BlockId id, GenerationStamp generation) const;
  bool Contains(NodeNumber node, BlockId id) const;  // of any generation
  size_t size() const;

 private:
  void Queue(NodeNumber node, const Block& block, bool tracked);
  const Orders* Find(NodeNumber node) const;

  absl::flat_hash_map<NodeNumber, std::unique_ptr<Orders>> nodes_;
  Dropped dropped_;
};

}  // namespace cairn::namenode
