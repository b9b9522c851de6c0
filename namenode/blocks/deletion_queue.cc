#include "namenode/blocks/deletion_queue.h"

namespace cairn::namenode {

void DeletionQueue::Add(NodeNumber node, const Block& block) {
  if (orders_.insert({block.id, node, block.generation}).second) queues_[node].push_back(block);
}

std::vector<Block> DeletionQueue::Take(NodeNumber node, size_t max, int64_t deadline_ms) {
  std::vector<Block> taken;
  const auto it = queues_.find(node);
  if (it == queues_.end()) return taken;
  std::deque<Block>& queue = it->second;
  while (!queue.empty() && taken.size() < max) {
    const Block block = queue.front();
    queue.pop_front();
    const Order order{block.id, node, block.generation};
    if (!orders_.contains(order)) continue;  // gone by itself meanwhile
    taken.push_back(block);
    given_out_.emplace_back(deadline_ms, order);
  }
  if (queue.empty()) queues_.erase(it);
  return taken;
}

void DeletionQueue::Done(NodeNumber node, BlockId id, GenerationStamp generation) {
  orders_.erase({id, node, generation});
}

void DeletionQueue::DropNode(NodeNumber node) {
  const auto it = queues_.find(node);
  if (it != queues_.end()) {
    for (const Block& block : it->second) orders_.erase({block.id, node, block.generation});
    queues_.erase(it);
  }
  std::erase_if(given_out_, [&](const auto& given) {
    if (std::get<1>(given.second) != node) return false;
    orders_.erase(given.second);
    return true;
  });
}

void DeletionQueue::Expire(int64_t now_ms) {
  while (!given_out_.empty() && given_out_.front().first <= now_ms) {
    orders_.erase(given_out_.front().second);
    given_out_.pop_front();
  }
}

bool DeletionQueue::Contains(NodeNumber node, BlockId id) const {
  const auto it = orders_.lower_bound({id, node, 0});
  return it != orders_.end() && std::get<0>(*it) == id && std::get<1>(*it) == node;
}

}  // namespace cairn::namenode
