// Replicas that DataNodes shall delete, from the decision until the deletion is reported.
//
// Why: a deletion is an exact order, (block, generation) on one node, given once. Until it is
// reported, reports that still show the replica must not bring it back, and no new copy may be sent
// to that node. An order may be lost on its way: one that is never reported is forgotten after a
// while, and its node asked for a full report; a replica that this shows again is judged anew.
// Not thread-safe; used by the reported state.
#pragma once

#include <cstdint>
#include <deque>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "common/ids.h"

namespace cairn::namenode {

class DeletionQueue {
 public:
  // Orders are told apart by node, id and generation; a second one is ignored.
  void Add(NodeNumber node, const Block& block);
  // The same for a replica that the node may have or not: nobody waits for a report of it.
  void AddUntracked(NodeNumber node, const Block& block);
  // Takes out the node's next orders, at most `max`; they are forgotten at `deadline_ms`.
  std::vector<Block> Take(NodeNumber node, size_t max, int64_t deadline_ms);
  // The node reported the deletion.
  void Done(NodeNumber node, BlockId id, GenerationStamp generation);
  // The node is dead or started anew.
  void DropNode(NodeNumber node);
  // Forgets what is due; returns the nodes that have not reported it, each once.
  std::vector<NodeNumber> Expire(int64_t now_ms);

  bool Contains(NodeNumber node, BlockId id, GenerationStamp generation) const {
    return orders_.contains({id, node, generation});
  }
  bool Contains(NodeNumber node, BlockId id) const;  // of any generation
  size_t size() const { return orders_.size(); }

 private:
  using Order = std::tuple<BlockId, NodeNumber, GenerationStamp>;

  // Queued (no deadline yet) and given out. What stands in the queues and in `given_out_` beside
  // it may be left from an earlier order of the same: the deadline tells.
  static constexpr int64_t kQueued = -1;
  static constexpr int64_t kUntracked = -2;
  void Queue(const Order& order, const Block& block, int64_t state);

  absl::btree_map<Order, int64_t> orders_;  // by what they name: the deadline, ms
  absl::flat_hash_map<NodeNumber, std::deque<Block>> queues_;
  std::deque<std::pair<int64_t, Order>> given_out_;  // by deadline
};

}  // namespace cairn::namenode
