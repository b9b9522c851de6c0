#include "namenode/blocks/copy_tracker.h"

#include <algorithm>

namespace cairn::namenode {
namespace {

constexpr int64_t kFailureMs = 120'000;  // for so long it is remembered
// In such a time a block's second failure does not end its order: less often than rounds, more
// often than deadlines.
constexpr int64_t kNotAgainMs = 30'000;

}  // namespace

void CopyTracker::Start(BlockId block, NodeNumber source, std::vector<NodeNumber> targets,
                        uint64_t cost_bytes, int64_t deadline_ms) {
  Cancel(block);
  in_flight_[source] += cost_bytes;
  for (const NodeNumber target : targets) in_flight_[target] += cost_bytes;
  deadlines_.emplace(deadline_ms, block);
  copies_[block] = {source, std::move(targets), cost_bytes, deadline_ms};
}

bool CopyTracker::Pending(BlockId block, NodeNumber source) const {
  const auto it = copies_.find(block);
  return it != copies_.end() && it->second.source == source;
}

bool CopyTracker::Arrived(BlockId block, NodeNumber target) {
  if (copies_.empty()) return false;
  const auto it = copies_.find(block);
  if (it == copies_.end()) return false;
  Copy& copy = it->second;
  if (std::erase(copy.targets, target) == 0) return false;
  Release(target, copy.cost_bytes);
  if (!copy.targets.empty()) return false;
  failures_.erase(block);
  Cancel(block);
  return true;
}

bool CopyTracker::Failed(BlockId block, NodeNumber source, int64_t now_ms) {
  if (!Pending(block, source)) return false;  // told late: it was given up
  const auto [it, first] = failures_.try_emplace(block, Failure{source, now_ms});
  if (!first && now_ms - it->second.told_ms < kNotAgainMs) {
    it->second.source = source;
    ExpireBy(block, it->second.told_ms + kNotAgainMs);
    return false;
  }
  it->second = {source, now_ms};
  Cancel(block);
  return true;
}

void CopyTracker::ExpireBy(BlockId block, int64_t deadline_ms) {
  Copy& copy = copies_.at(block);
  if (copy.deadline_ms <= deadline_ms) return;
  deadlines_.erase({copy.deadline_ms, block});
  copy.deadline_ms = deadline_ms;
  deadlines_.emplace(deadline_ms, block);
}

bool CopyTracker::FailedAt(BlockId block, NodeNumber source) const {
  const auto it = failures_.find(block);
  return it != failures_.end() && it->second.source == source;
}

void CopyTracker::Cancel(BlockId block) {
  if (copies_.empty()) return;
  const auto it = copies_.find(block);
  if (it == copies_.end()) return;
  const Copy& copy = it->second;
  Release(copy.source, copy.cost_bytes);
  for (const NodeNumber target : copy.targets) Release(target, copy.cost_bytes);
  deadlines_.erase({copy.deadline_ms, block});
  copies_.erase(it);
}

std::vector<BlockId> CopyTracker::CancelNode(NodeNumber node) {
  std::vector<BlockId> blocks;
  for (const auto& [block, copy] : copies_) {
    const bool target = std::count(copy.targets.begin(), copy.targets.end(), node) > 0;
    if (copy.source == node || target) blocks.push_back(block);
  }
  for (const BlockId block : blocks) Cancel(block);
  return blocks;
}

std::vector<BlockId> CopyTracker::Expire(int64_t now_ms, size_t max) {
  absl::erase_if(failures_, [&](const auto& failure) {
    return now_ms - failure.second.told_ms >= kFailureMs;
  });
  std::vector<BlockId> blocks;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms && blocks.size() < max) {
    blocks.push_back(deadlines_.begin()->second);
    Cancel(blocks.back());
  }
  return blocks;
}

uint64_t CopyTracker::BytesInFlight(NodeNumber node) const {
  const auto it = in_flight_.find(node);
  return it == in_flight_.end() ? 0 : it->second;
}

void CopyTracker::Release(NodeNumber node, uint64_t bytes) {
  const auto it = in_flight_.find(node);
  if (it == in_flight_.end()) return;
  it->second -= bytes;
  if (it->second == 0) in_flight_.erase(it);
}

}  // namespace cairn::namenode
