// Blocks that are being written or settled: what their pipelines were promised, who can join them,
// who can be asked what it holds, orders of block recovery.
#include <algorithm>
#include <utility>

#include "common/logging.h"
#include "namenode/blocks/reported_state.h"

namespace cairn::namenode {

void ReportedState::ApplyOpened(const BlockChange& change, BlockEntry& block) {
  const BlockId id = change.block.id;
  blocks_.SetStamp(id, block, change.block.generation, change.block.length);
  block.set_phase(BlockPhase::kOpen);
  copies_.Cancel(id);  // of what was finished before
  GiveBack(id);
  Promised(id, change);
}

void ReportedState::Promised(BlockId id, const BlockChange& change) {
  const uint64_t bytes = change.block_size - std::min(change.block_size, change.block.length);
  for (const NodeNumber number : change.pipeline) {
    DataNode* node = nodes_.Find(number);
    if (node == nullptr) continue;
    node->promised_bytes += bytes;
    ++node->open_blocks;
    nodes_.Refresh(*node, Now());
  }
  promises_[id] = {change.pipeline, bytes};
}

void ReportedState::GiveBack(BlockId id) {
  const auto it = promises_.find(id);
  if (it == promises_.end()) return;
  for (const NodeNumber number : it->second.pipeline) {
    DataNode* node = nodes_.Find(number);
    if (node == nullptr || node->open_blocks == 0) continue;
    node->promised_bytes -= std::min(node->promised_bytes, it->second.bytes);
    --node->open_blocks;
    nodes_.Refresh(*node, Now());
  }
  promises_.erase(it);
}

void ReportedState::DeleteInPipeline(BlockId id, const BlockEntry& block) {
  // Open replicas are reported when their writer leaves: the members may have one that is not known
  // here yet.
  const auto it = promises_.find(id);
  if (it == promises_.end()) return;
  for (const NodeNumber number : it->second.pipeline) {
    const DataNode* node = nodes_.Find(number);
    if (node == nullptr || !node->alive) continue;  // its full report will tell
    deletions_.AddUntracked(number, {id, block.generation(), block.length()});
  }
}

std::optional<std::vector<NodeNumber>> ReportedState::GoodNodes(const Block& wanted) const {
  const BlockEntry* block = blocks_.Find(wanted.id);
  if (block == nullptr || block->phase() == BlockPhase::kOpen ||
      block->generation() != wanted.generation || block->length() != wanted.length) {
    return std::nullopt;
  }
  std::vector<NodeNumber> numbers;
  // All, those that leave too: the next to write must not depend on fewer replicas than there are.
  Nodes nodes = blocks_.GoodNodes(wanted.id, *block);
  const int64_t now = Now();
  std::stable_partition(nodes.begin(), nodes.end(), [&](const DataNode* node) {
    return node->in_service() && !nodes_.Late(*node, now);
  });
  for (const DataNode* node : nodes) numbers.push_back(node->number);
  return numbers;
}

bool ReportedState::MayJoin(NodeNumber node, BlockId id, bool stale_too) const {
  const BlockEntry* block = blocks_.Find(id);
  if (block == nullptr) return true;
  if (deletions_.Contains(node, id)) return false;
  bool may = true;
  blocks_.ForEachReplica(id, *block, [&](const Replica& replica) {
    if (replica.storage->node->number != node) return;
    // Nobody writes to it any more, and no recovery will ask for it.
    const bool left =
        replica.state == ReplicaState::kWaiting && replica.generation == block->generation();
    may &= stale_too && (left || replica.generation < block->generation());
  });
  return may;
}

RecoveryMembers ReportedState::FindMembers(const std::vector<NodeNumber>& pipeline) const {
  RecoveryMembers members;
  std::vector<NodeAddress> late;
  const int64_t now = Now();
  for (const NodeNumber number : pipeline) {
    const DataNode* node = nodes_.Find(number);
    if (node == nullptr) continue;
    if (node->alive) {
      (nodes_.Late(*node, now) ? late : members.alive).push_back(nodes_.AddressOf(*node));
    } else if (!node->seen && now - started_ms_ < options_.dead_after_ms) {
      members.awaited.push_back(number);
    }
  }
  for (NodeAddress& address : late) members.alive.push_back(std::move(address));
  return members;
}

bool ReportedState::OrderRecovery(NodeNumber primary, RecoverBlock order) {
  RaiseLimits(order.block.id, order.recovery);
  nodes_.ForEach([&](DataNode& node) {
    std::erase_if(node.recovery_orders,
                  [&](const RecoverBlock& old) { return old.block.id == order.block.id; });
  });
  DataNode* node = nodes_.Find(primary);
  if (node == nullptr || !node->alive) return false;
  LogInfo("DataNode {} recovers block {} (generation {}) under stamp {} with {} members", node->id,
          order.block.id, order.block.generation, order.recovery, order.members.size());
  node->recovery_orders.push_back(std::move(order));
  return true;
}

void ReportedState::AddRecoveries(DataNode& node, std::vector<NodeCommand>* commands) {
  for (RecoverBlock& order : std::exchange(node.recovery_orders, {})) {
    const BlockEntry* block = blocks_.Find(order.block.id);
    const bool open = block != nullptr && block->phase() == BlockPhase::kOpen &&
                      block->generation() == order.block.generation;
    if (open) commands->push_back(std::move(order));
  }
}

}  // namespace cairn::namenode
