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
  queues_[level].emplace_hint(queues_[level].end(), sequence, id);
}

void ReplicationQueues::RemoveRepair(BlockId id) {
  if (places_.empty()) return;
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

bool ReplicationQueues::RequeueRepairs(size_t max) {
  for (const BlockId id : aside_.From(0, max)) {
    Place& place = places_.at(id);
    place.aside = false;
    place.sequence = next_sequence_++;
    queues_[place.priority].emplace_hint(queues_[place.priority].end(), place.sequence, id);
    aside_.erase(id);
  }
  return aside_.empty();
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
  if (surplus_.erase(id)) surplus_aside_.insert(id);
}

void ReplicationQueues::RequeueSurplus() { surplus_.Merge(std::exchange(surplus_aside_, {})); }

std::vector<BlockId> ReplicationQueues::NextSurplus(BlockId from, size_t max) const {
  return surplus_.From(from, max);
}

}  // namespace cairn::namenode
