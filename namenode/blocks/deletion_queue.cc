#include "namenode/blocks/deletion_queue.h"

#include <algorithm>

namespace cairn::namenode {

void DeletionQueue::Queue(const Order& order, const Block& block, int64_t state) {
  const auto [it, is_new] = orders_.try_emplace(order, state);
  if (is_new) {
    queues_[std::get<1>(order)].push_back(block);
  } else if (it->second == kUntracked) {
    it->second = state;
  }
}

void DeletionQueue::Add(NodeNumber node, const Block& block) {
  Queue({block.id, node, block.generation}, block, kQueued);
}

void DeletionQueue::AddUntracked(NodeNumber node, const Block& block) {
  Queue({block.id, node, block.generation}, block, kUntracked);
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
    const auto waiting = orders_.find(order);
    // Gone by itself meanwhile, or ordered twice since.
    if (waiting == orders_.end() || waiting->second >= 0) continue;
    taken.push_back(block);
    if (waiting->second == kUntracked) {
      orders_.erase(waiting);
      continue;
    }
    waiting->second = deadline_ms;
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

std::vector<NodeNumber> DeletionQueue::Expire(int64_t now_ms) {
  std::vector<NodeNumber> nodes;
  while (!given_out_.empty() && given_out_.front().first <= now_ms) {
    const auto [deadline_ms, order] = given_out_.front();
    given_out_.pop_front();
    const auto it = orders_.find(order);
    if (it == orders_.end() || it->second != deadline_ms) continue;  // reported, or given anew
    orders_.erase(it);
    nodes.push_back(std::get<1>(order));
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

bool DeletionQueue::Contains(NodeNumber node, BlockId id) const {
  const auto it = orders_.lower_bound({id, node, 0});
  return it != orders_.end() && std::get<0>(it->first) == id && std::get<1>(it->first) == node;
}

}  // namespace cairn::namenode
