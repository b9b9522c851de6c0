// Replicas that DataNodes shall delete, from the decision until the deletion is reported.
//
// Why: a deletion is an exact order, (block, generation) on one node, given once. Until it is
// reported, reports that still show the replica must not bring it back, and no new copy may be sent
// to that node. An order that is never reported is forgotten after a while; the replica, if a
// report shows it again, is judged anew. Not thread-safe; used by the reported state.
#pragma once

#include <cstdint>
#include <deque>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "common/ids.h"

namespace cairn::namenode {

class DeletionQueue {
 public:
  // Orders are told apart by node, id and generation; a second one is ignored.
  void Add(NodeNumber node, const Block& block);
  // Takes out the node's next orders, at most `max`; they are forgotten at `deadline_ms`.
  std::vector<Block> Take(NodeNumber node, size_t max, int64_t deadline_ms);
  // The node reported the deletion.
  void Done(NodeNumber node, BlockId id, GenerationStamp generation);
  // The node is dead or started anew.
  void DropNode(NodeNumber node);
  void Expire(int64_t now_ms);

  bool Contains(NodeNumber node, BlockId id, GenerationStamp generation) const {
    return orders_.contains({id, node, generation});
  }
  bool Contains(NodeNumber node, BlockId id) const;  // of any generation
  size_t size() const { return orders_.size(); }

 private:
  using Order = std::tuple<BlockId, NodeNumber, GenerationStamp>;

  absl::btree_set<Order> orders_;  // queued and given out
  absl::flat_hash_map<NodeNumber, std::deque<Block>> queues_;
  std::deque<std::pair<int64_t, Order>> given_out_;  // by deadline
};

}  // namespace cairn::namenode
