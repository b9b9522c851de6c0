#include "namenode/blocks/block_map.h"

#include <algorithm>

namespace cairn::namenode {

ReplicaWorth WorthOf(const BlockEntry& block, const Replica& replica) {
  if (replica.storage->lost) return ReplicaWorth::kNothing;
  if (replica.generation < block.generation) return ReplicaWorth::kOutdated;
  if (replica.generation > block.generation) return ReplicaWorth::kNothing;
  if (replica.state == ReplicaState::kBad) return ReplicaWorth::kBad;
  if (replica.state == ReplicaState::kOpen) return ReplicaWorth::kNothing;
  if (block.phase == BlockPhase::kOpen) {
    return replica.state == ReplicaState::kWaiting ? ReplicaWorth::kNothing : ReplicaWorth::kGood;
  }
  if (replica.state == ReplicaState::kWaiting) return ReplicaWorth::kOutdated;
  return replica.length == block.length ? ReplicaWorth::kGood : ReplicaWorth::kBad;
}

void BlockMap::Erase(BlockId id) {
  BlockEntry* block = Find(id);
  if (block == nullptr) return;
  for (const Replica& replica : block->replicas) replica.storage->blocks.erase(id);
  blocks_.Erase(id);
}

Replica* BlockMap::FindReplica(BlockEntry& block, const Storage& storage) {
  for (Replica& replica : block.replicas) {
    if (replica.storage == &storage) return &replica;
  }
  return nullptr;
}

Replica& BlockMap::AddReplica(BlockId id, BlockEntry& block, Storage& storage) {
  storage.blocks.insert(id);
  block.replicas.push_back({&storage});
  return block.replicas.back();
}

bool BlockMap::RemoveReplica(BlockId id, BlockEntry& block, Storage& storage) {
  storage.blocks.erase(id);
  return std::erase_if(block.replicas, [&](const Replica& r) { return r.storage == &storage; }) > 0;
}

std::vector<DataNode*> BlockMap::GoodNodes(const BlockEntry& block) {
  std::vector<DataNode*> nodes;
  for (const Replica& replica : block.replicas) {
    DataNode* node = replica.storage->node;
    const bool known = std::count(nodes.begin(), nodes.end(), node) > 0;
    if (!known && WorthOf(block, replica) == ReplicaWorth::kGood) nodes.push_back(node);
  }
  return nodes;
}

ReplicaCounts BlockMap::Count(const BlockEntry& block) {
  ReplicaCounts counts;
  for (size_t i = 0; i < block.replicas.size(); ++i) {
    const Replica& replica = block.replicas[i];
    const ReplicaWorth worth = WorthOf(block, replica);
    if (!replica.storage->lost) {
      counts.unsure |= replica.storage->stale || replica.state == ReplicaState::kProvisional ||
                       replica.generation > block.generation;
    }
    if (worth == ReplicaWorth::kBad) ++counts.bad;
    if (worth == ReplicaWorth::kOutdated) ++counts.outdated;
    if (worth != ReplicaWorth::kGood) continue;
    const auto same_node = [&](const Replica& other) {
      return other.storage->node == replica.storage->node &&
             WorthOf(block, other) == ReplicaWorth::kGood;
    };
    const auto before = block.replicas.begin();
    if (std::none_of(before, before + i, same_node)) ++counts.good;
  }
  return counts;
}

Redundancy RedundancyOf(const BlockEntry& block, const ReplicaCounts& counts) {
  if (block.phase != BlockPhase::kClosed) return Redundancy::kUncounted;
  if (counts.good == 0) return counts.bad > 0 ? Redundancy::kCorrupt : Redundancy::kMissing;
  if (counts.good < block.replication) return Redundancy::kUnder;
  return counts.good > block.replication ? Redundancy::kOver : Redundancy::kSound;
}

}  // namespace cairn::namenode
