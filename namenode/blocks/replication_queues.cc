#include "namenode/blocks/replication_queues.h"

#include <utility>

namespace cairn::namenode {

void ReplicationQueues::PutRepair(BlockId id, RepairPriority priority) {
  const auto level = static_cast<uint8_t>(priority);
  const auto it = places_.find(id);
  if (it != places_.end()) {
    if (!it->second.aside && it->second.priority == level) return;
    RemoveRepair(id);
  }
  const uint64_t sequence = next_sequence_++;
  places_[id] = {level, false, sequence};
  queues_[level].emplace(sequence, id);
}

void ReplicationQueues::RemoveRepair(BlockId id) {
  const auto it = places_.find(id);
  if (it == places_.end()) return;
  if (it->second.aside) {
    aside_.erase(id);
  } else {
    queues_[it->second.priority].erase(it->second.sequence);
  }
  places_.erase(it);
}

void ReplicationQueues::SetRepairAside(BlockId id) {
  const auto it = places_.find(id);
  if (it == places_.end() || it->second.aside) return;
  queues_[it->second.priority].erase(it->second.sequence);
  it->second.aside = true;
  aside_.insert(id);
}

void ReplicationQueues::RequeueRepairs() {
  for (const BlockId id : std::exchange(aside_, {})) {
    Place& place = places_[id];
    place.aside = false;
    place.sequence = next_sequence_++;
    queues_[place.priority].emplace(place.sequence, id);
  }
}

std::vector<BlockId> ReplicationQueues::NextRepairs(Cursor& cursor, size_t max) const {
  std::vector<BlockId> blocks;
  while (cursor.priority < kPriorities) {
    const auto& queue = queues_[cursor.priority];
    for (auto it = queue.lower_bound(cursor.sequence); it != queue.end(); ++it) {
      if (blocks.size() == max) return blocks;
      blocks.push_back(it->second);
      cursor.sequence = it->first + 1;
    }
    ++cursor.priority;
    cursor.sequence = 0;
  }
  return blocks;
}

void ReplicationQueues::PutSurplus(BlockId id) {
  surplus_aside_.erase(id);
  surplus_.insert(id);
}

void ReplicationQueues::RemoveSurplus(BlockId id) {
  surplus_aside_.erase(id);
  surplus_.erase(id);
}

void ReplicationQueues::SetSurplusAside(BlockId id) {
  if (surplus_.erase(id) > 0) surplus_aside_.insert(id);
}

void ReplicationQueues::RequeueSurplus() {
  if (surplus_.empty()) {
    surplus_ = std::exchange(surplus_aside_, {});
    return;
  }
  surplus_.insert(surplus_aside_.begin(), surplus_aside_.end());
  surplus_aside_.clear();
}

std::vector<BlockId> ReplicationQueues::NextSurplus(BlockId from, size_t max) const {
  std::vector<BlockId> blocks;
  for (auto it = surplus_.lower_bound(from); it != surplus_.end() && blocks.size() < max; ++it) {
    blocks.push_back(*it);
  }
  return blocks;
}

}  // namespace cairn::namenode
