#include "namenode/blocks/block_map.h"

#include <algorithm>
#include <utility>

namespace cairn::namenode {

// --- One block ------------------------------------------------------------------------------

void BlockEntry::set_replication(uint32_t replication) {
  // The namespace refuses larger ones.
  constexpr uint32_t kMax = (1u << kReplicationBits) - 1;
  replication_ = std::min(replication, kMax) & kMax;
}

void BlockEntry::set_length(uint64_t length) {
  length = std::min(length, (uint64_t{1} << kLengthBits) - 1);  // the same
  length_low_ = static_cast<uint32_t>(length);
  length_high_ = static_cast<uint32_t>(length >> 32) & ((1u << (kLengthBits - 32)) - 1);
}

void BlockEntry::SetSlot(size_t slot, StorageNumber number, bool provisional) {
  slots_[slot] = number;
  const uint32_t bit = 1u << slot;
  provisional_ = (provisional ? provisional_ | bit : provisional_ & ~bit) & ((1u << kSlots) - 1);
}

namespace {

// On a storage that counts.
ReplicaWorth WorthThere(const BlockEntry& block, const Replica& replica) {
  if (replica.generation < block.generation()) return ReplicaWorth::kOutdated;
  if (replica.generation > block.generation()) return ReplicaWorth::kNothing;
  if (replica.state == ReplicaState::kBad) return ReplicaWorth::kBad;
  if (replica.state == ReplicaState::kOpen) return ReplicaWorth::kNothing;
  if (block.phase() == BlockPhase::kOpen) {
    return replica.state == ReplicaState::kWaiting ? ReplicaWorth::kNothing : ReplicaWorth::kGood;
  }
  if (replica.state == ReplicaState::kWaiting) return ReplicaWorth::kOutdated;
  return replica.length == block.length() ? ReplicaWorth::kGood : ReplicaWorth::kBad;
}

bool AddOnce(Nodes& nodes, DataNode* node) {
  if (std::count(nodes.begin(), nodes.end(), node) > 0) return false;
  nodes.push_back(node);
  return true;
}

}  // namespace

ReplicaWorth WorthOf(const BlockEntry& block, const Replica& replica) {
  if (replica.storage->lost) return ReplicaWorth::kNothing;
  const ReplicaWorth worth = WorthThere(block, replica);
  if (!replica.storage->away) return worth;
  return worth == ReplicaWorth::kGood ? ReplicaWorth::kAway : ReplicaWorth::kNothing;
}

uint32_t StayingTarget(const BlockEntry& block, const ReplicaCounts& counts) {
  const uint32_t replication = block.replication();
  if (counts.resting == 0) return replication;
  return std::max(replication - std::min(replication, counts.resting), std::min(1u, replication));
}

uint32_t CopiesNeeded(const BlockEntry& block, const ReplicaCounts& counts) {
  const uint32_t target = StayingTarget(block, counts);
  return target - std::min(target, counts.staying);
}

Redundancy RedundancyOf(const BlockEntry& block, const ReplicaCounts& counts) {
  if (block.phase() != BlockPhase::kClosed) return Redundancy::kUncounted;
  if (counts.good == 0) return counts.bad > 0 ? Redundancy::kCorrupt : Redundancy::kMissing;
  if (CopiesNeeded(block, counts) > 0) {
    return counts.good + counts.away < block.replication() ? Redundancy::kUnder
                                                           : Redundancy::kLeaving;
  }
  return counts.staying > block.replication() ? Redundancy::kOver : Redundancy::kSound;
}

// --- Replicas in and out --------------------------------------------------------------------

void BlockMap::Erase(BlockId id) {
  const BlockEntry* block = Find(id);
  if (block == nullptr) return;
  ForEachReplica(id, *block, [&](const Replica& replica) { replica.storage->blocks.erase(id); });
  if (block->more_ != 0) records_.erase(id);
  blocks_.Erase(id);
}

bool BlockMap::FitsSlot(const BlockEntry& block, const Record& record) {
  return record.generation == block.generation() && record.length == block.length() &&
         (record.state == ReplicaState::kFinalized || record.state == ReplicaState::kProvisional);
}

void BlockMap::Settle(BlockId id, BlockEntry& block) {
  if (block.more_ == 0) return;
  const auto it = records_.find(id);
  std::vector<Record>& records = it->second;
  for (size_t slot = 0; slot < BlockEntry::kSlots; ++slot) {
    if (block.slots_[slot] != 0) continue;
    const auto fits = std::find_if(records.begin(), records.end(),
                                   [&](const Record& record) { return FitsSlot(block, record); });
    if (fits == records.end()) break;
    block.SetSlot(slot, fits->storage, fits->state == ReplicaState::kProvisional);
    records.erase(fits);
  }
  if (!records.empty()) return;
  records_.erase(it);
  block.more_ = 0;
}

void BlockMap::SetStamp(BlockId id, BlockEntry& block, GenerationStamp generation,
                        uint64_t length) {
  if (block.generation() == generation && block.length() == length) return;
  for (size_t slot = 0; slot < BlockEntry::kSlots; ++slot) {
    const StorageNumber number = block.slots_[slot];
    if (number == 0) continue;
    const ReplicaState state =
        block.provisional(slot) ? ReplicaState::kProvisional : ReplicaState::kFinalized;
    records_[id].push_back({block.generation(), block.length(), number, state});
    block.SetSlot(slot, 0, false);
    block.more_ = 1;
  }
  BlockEntry::Write(generation, block.generation_);
  block.set_length(length);
  Settle(id, block);
}

Replicas BlockMap::AllReplicas(BlockId id, const BlockEntry& block) const {
  Replicas replicas;
  ForEachReplica(id, block, [&](const Replica& replica) { replicas.push_back(replica); });
  return replicas;
}

std::optional<Replica> BlockMap::FindReplica(BlockId id, const BlockEntry& block,
                                             Storage& storage) const {
  for (size_t slot = 0; slot < BlockEntry::kSlots; ++slot) {
    if (block.slots_[slot] == storage.number) return Unpack(block, slot, &storage);
  }
  if (block.more_ == 0) return std::nullopt;
  for (const Record& record : records_.at(id)) {
    if (record.storage == storage.number) return Unpack(record, &storage);
  }
  return std::nullopt;
}

void BlockMap::PutReplica(BlockId id, BlockEntry& block, const Replica& replica) {
  const Record record{replica.generation, replica.length, replica.storage->number, replica.state};
  const bool fits = FitsSlot(block, record);
  size_t slot = 0;
  while (slot < BlockEntry::kSlots && block.slots_[slot] != record.storage) ++slot;
  if (slot < BlockEntry::kSlots) {
    block.SetSlot(slot, fits ? record.storage : 0,
                  fits && record.state == ReplicaState::kProvisional);
    if (fits) return;
  } else {
    replica.storage->blocks.insert(id);
    RemoveRecord(id, block, record.storage);
    const auto free = std::find(block.slots_.begin(), block.slots_.end(), 0u);
    if (fits && free != block.slots_.end()) {
      block.SetSlot(static_cast<size_t>(free - block.slots_.begin()), record.storage,
                    record.state == ReplicaState::kProvisional);
      return;
    }
  }
  records_[id].push_back(record);
  block.more_ = 1;
  Settle(id, block);
}

void BlockMap::RemoveRecord(BlockId id, BlockEntry& block, StorageNumber storage) {
  if (block.more_ == 0) return;
  const auto it = records_.find(id);
  std::erase_if(it->second, [&](const Record& record) { return record.storage == storage; });
  Settle(id, block);
}

bool BlockMap::RemoveReplica(BlockId id, BlockEntry& block, Storage& storage) {
  if (!storage.blocks.erase(id)) return false;
  for (size_t slot = 0; slot < BlockEntry::kSlots; ++slot) {
    if (block.slots_[slot] == storage.number) block.SetSlot(slot, 0, false);
  }
  RemoveRecord(id, block, storage.number);
  return true;
}

// --- What they are worth --------------------------------------------------------------------

Nodes BlockMap::GoodNodes(BlockId id, const BlockEntry& block) const {
  Nodes nodes;
  ForEachReplica(id, block, [&](const Replica& replica) {
    if (WorthOf(block, replica) == ReplicaWorth::kGood) AddOnce(nodes, replica.storage->node);
  });
  return nodes;
}

Nodes BlockMap::CountedNodes(BlockId id, const BlockEntry& block) const {
  Nodes nodes;
  ForEachReplica(id, block, [&](const Replica& replica) {
    const ReplicaWorth worth = WorthOf(block, replica);
    const bool good = worth == ReplicaWorth::kGood || worth == ReplicaWorth::kAway;
    if (good && !replica.storage->node->retiring()) AddOnce(nodes, replica.storage->node);
  });
  return nodes;
}

ReplicaCounts BlockMap::Count(BlockId id, const BlockEntry& block) const {
  ReplicaCounts counts;
  Nodes good;  // and away
  Nodes confirmed;
  ForEachReplica(id, block, [&](const Replica& replica) {
    const ReplicaWorth worth = WorthOf(block, replica);
    if (!replica.storage->lost && !replica.storage->away) {
      counts.unsure |= replica.storage->stale || replica.state == ReplicaState::kProvisional ||
                       replica.generation > block.generation();
    }
    if (worth == ReplicaWorth::kBad) ++counts.bad;
    if (worth == ReplicaWorth::kOutdated) ++counts.outdated;
    if (worth != ReplicaWorth::kGood && worth != ReplicaWorth::kAway) return;
    DataNode* node = replica.storage->node;
    if (node->in_service() && replica.state == ReplicaState::kFinalized) AddOnce(confirmed, node);
    if (!AddOnce(good, node)) return;
    worth == ReplicaWorth::kGood ? ++counts.good : ++counts.away;
    counts.staying += node->in_service() ? 1 : 0;
    counts.resting += node->in_maintenance() ? 1 : 0;
  });
  counts.confirmed = static_cast<uint32_t>(confirmed.size());
  return counts;
}

}  // namespace cairn::namenode
