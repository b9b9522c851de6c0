#include "namenode/blocks/deletion_queue.h"

#include <algorithm>

namespace cairn::namenode {

const DeletionQueue::Orders* DeletionQueue::Find(NodeNumber node) const {
  const auto it = nodes_.find(node);
  return it == nodes_.end() ? nullptr : it->second.get();
}

void DeletionQueue::Queue(NodeNumber node, const Block& block, bool tracked) {
  std::unique_ptr<Orders>& orders = nodes_[node];
  if (orders == nullptr) orders = std::make_unique<Orders>();
  const Orders::Name name{block.id, block.generation};
  if (orders->given.contains(name)) return;
  tracked |= orders->excess.erase(name) > 0;
  const auto [it, is_new] =
      orders->queued.try_emplace(name, Orders::Waiting{block.length, tracked});
  if (!is_new) it->second.tracked |= tracked;
}

void DeletionQueue::AddExcess(NodeNumber node, StorageNumber storage, const Block& block) {
  if (Contains(node, block.id, block.generation)) return;
  std::unique_ptr<Orders>& orders = nodes_[node];
  if (orders == nullptr) orders = std::make_unique<Orders>();
  orders->excess[{block.id, block.generation}] = {block.length, storage};
}

std::vector<Block> DeletionQueue::Take(NodeNumber node, size_t max, int64_t deadline_ms) {
  std::vector<Block> taken;
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return taken;
  Orders& orders = *it->second;
  auto next = orders.queued.begin();
  for (; next != orders.queued.end() && taken.size() < max; ++next) {
    const auto& [name, waiting] = *next;
    taken.push_back({name.first, name.second, waiting.length});
    if (!waiting.tracked) continue;
    orders.given[name] = deadline_ms;
    orders.deadlines.emplace_back(deadline_ms, name);
  }
  orders.queued.erase(orders.queued.begin(), next);
  return taken;
}

std::vector<Block> DeletionQueue::TakeExcess(NodeNumber node, size_t max, int64_t deadline_ms,
                                             const Keep& keep) {
  std::vector<Block> taken;
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return taken;
  Orders& orders = *it->second;
  auto next = orders.excess.begin();
  for (; next != orders.excess.end() && taken.size() < max; ++next) {
    const auto& [name, excess] = *next;
    const Block block{name.first, name.second, excess.length};
    if (keep(excess.storage, block)) continue;
    taken.push_back(block);
    orders.given[name] = deadline_ms;
    orders.deadlines.emplace_back(deadline_ms, name);
  }
  orders.excess.erase(orders.excess.begin(), next);
  return taken;
}

void DeletionQueue::Done(NodeNumber node, BlockId id, GenerationStamp generation) {
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return;
  it->second->queued.erase({id, generation});
  it->second->excess.erase({id, generation});
  it->second->given.erase({id, generation});
}

void DeletionQueue::DropNode(NodeNumber node) {
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return;
  dropped_.push_back(std::move(it->second));
  nodes_.erase(it);
}

std::vector<NodeNumber> DeletionQueue::Expire(int64_t now_ms, size_t max, bool* done) {
  std::vector<NodeNumber> nodes;
  for (const auto& [number, orders] : nodes_) {
    bool expired = false;
    auto& deadlines = orders->deadlines;
    for (; !deadlines.empty() && deadlines.front().first <= now_ms && max > 0; --max) {
      const auto [deadline_ms, name] = deadlines.front();
      deadlines.pop_front();
      const auto it = orders->given.find(name);
      if (it == orders->given.end() || it->second != deadline_ms) continue;
      orders->given.erase(it);
      expired = true;
    }
    if (expired) nodes.push_back(number);
  }
  *done = max > 0;
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

bool DeletionQueue::Contains(NodeNumber node, BlockId id, GenerationStamp generation) const {
  const Orders* orders = Find(node);
  if (orders == nullptr) return false;
  const Orders::Name name{id, generation};
  return orders->queued.contains(name) || orders->excess.contains(name) ||
         orders->given.contains(name);
}

bool DeletionQueue::Contains(NodeNumber node, BlockId id) const {
  const Orders* orders = Find(node);
  if (orders == nullptr) return false;
  const auto has = [id](const auto& map) {
    const auto it = map.lower_bound({id, 0});
    return it != map.end() && it->first.first == id;
  };
  return has(orders->queued) || has(orders->excess) || has(orders->given);
}

size_t DeletionQueue::size() const {
  size_t size = 0;
  for (const auto& [number, orders] : nodes_) {
    size += orders->queued.size() + orders->excess.size() + orders->given.size();
  }
  return size;
}

}  // namespace cairn::namenode
