#include "tests/unit/namenode/blocks/writers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace cairn::namenode {

void Writers::OpenNew(const std::vector<NodeNumber>& targets, uint32_t replication) {
  const Block block = cluster_.NewBlock(0);
  cluster_.Open(block, targets, replication);
  for (const NodeNumber n : targets) cluster_.Write(cluster_.node(n), block);
  open_[block.id] = {.block = block, .pipeline = targets, .replication = replication};
}

void Writers::Append(BlockId id) {
  const KnownBlock known = closed_.at(id);
  const std::vector<NodeNumber> nodes = *cluster_.manager().GoodNodes(known.block);
  if (nodes.empty()) return;
  cluster_.Open(known.block, nodes, known.replication);
  open_[id] = {.block = known.block,
               .acked = known.block.length,
               .pipeline = nodes,
               .replication = known.replication,
               .untouched = true};
  closed_.erase(id);
}

void Writers::Cut(BlockId id) {
  const KnownBlock known = closed_.at(id);
  const std::vector<NodeNumber> nodes = *cluster_.manager().GoodNodes(known.block);
  if (nodes.empty() || known.block.length < 2) return;
  Block cut = known.block;
  cut.length = 1 + Draw(cut.length - 1);
  cluster_.Open(cut, nodes, known.replication);
  open_[id] = {.block = cut,
               .acked = cut.length,
               .pipeline = nodes,
               .replication = known.replication,
               .cut = true,
               .writer = false};
  closed_.erase(id);
}

bool Writers::HoldsAcked(const FakeNode& node, const Open& open) {
  const auto it = node.disk.find(open.block.id);
  return it != node.disk.end() && it->second.block.generation >= open.block.generation &&
         it->second.block.length >= open.acked;
}

bool Writers::Healthy(NodeNumber number, const Open& open) const {
  const FakeNode& node = cluster_.node(number);
  if (!node.up || !HoldsAcked(node, open)) return false;
  const FakeReplica& replica = node.disk.at(open.block.id);
  return replica.open && !replica.waiting && replica.block.generation == open.block.generation;
}

void Writers::Step() {
  CarryOutOrders();
  if (open_.empty()) return;
  Open& open = std::next(open_.begin(), Draw(open_.size()))->second;
  if (!open.writer) return OrderRecovery(open);
  if (Draw(8) == 0) return Leave(open);
  if (open.untouched && Draw(4) == 0) {  // an append that adds nothing
    const Open done = open;
    open_.erase(done.block.id);
    cluster_.Finish(done.block, {}, done.replication);
    closed_[done.block.id] = {done.block, done.replication};
    return;
  }
  GoOn(open);
}

void Writers::GoOn(Open& open) {
  const bool healthy = std::all_of(open.pipeline.begin(), open.pipeline.end(),
                                   [&](NodeNumber n) { return Healthy(n, open); });
  if (!healthy) return RecoverPipeline(open);
  if (Draw(3) == 0) return Finish(open);
  open.acked += 1 + Draw(1000);
  for (const NodeNumber n : open.pipeline) {
    cluster_.node(n).disk.at(open.block.id).block.length = open.acked;
  }
}

void Writers::RecoverPipeline(Open& open) {
  std::vector<NodeNumber> nodes;
  for (const NodeNumber n : open.pipeline) {
    if (cluster_.node(n).up && HoldsAcked(cluster_.node(n), open)) nodes.push_back(n);
  }
  if (nodes.empty()) return Leave(open);
  Block next = open.block;
  next.generation = cluster_.NewBlock().generation;
  if (nodes.size() < open.replication) {
    TargetRequest request;
    request.count = 1;
    request.min_required = 0;
    request.block = next.id;
    request.existing = nodes;
    request.excluded = open.pipeline;
    request.block_size = kMiB;
    const auto joining = cluster_.manager().ChooseTargets(request);
    ASSERT_TRUE(joining.ok());
    for (const NodeNumber n : *joining) {
      // A node may have more than was reported of it; it refuses then.
      const auto old = cluster_.node(n).disk.find(next.id);
      const bool takes = old == cluster_.node(n).disk.end() ||
                         old->second.block.generation < open.block.generation;
      if (cluster_.node(n).up && takes) nodes.push_back(n);
    }
  }
  const size_t taken = Draw(5) == 0 ? Draw(nodes.size()) : nodes.size();
  for (size_t i = 0; i < taken; ++i) {
    cluster_.Write(cluster_.node(nodes[i]), {next.id, next.generation, open.acked});
  }
  open.untouched = false;
  if (taken < nodes.size()) {  // the writer ends before its pipeline is journaled
    open.pipeline.insert(open.pipeline.end(), nodes.begin(), nodes.end());
    std::sort(open.pipeline.begin(), open.pipeline.end());
    const auto journaled = std::exchange(open.pipeline, {});
    for (const NodeNumber n : journaled) {
      if (std::count(open.pipeline.begin(), open.pipeline.end(), n) == 0)
        open.pipeline.push_back(n);
    }
    return Leave(open);
  }
  open.block = next;
  open.pipeline = nodes;
  cluster_.Open(next, nodes, open.replication);
}

void Writers::Leave(Open& open) {
  open.writer = false;
  for (const NodeNumber n : open.pipeline) {
    FakeNode& node = cluster_.node(n);
    const auto it = node.disk.find(open.block.id);
    if (!node.up || it == node.disk.end() || !it->second.open || it->second.waiting) continue;
    cluster_.Leave(node, open.block.id);
  }
}

void Writers::Finish(Open open) {
  open_.erase(open.block.id);
  if (open.acked == 0) return cluster_.Remove(open.block);
  open.block.length = open.acked;
  for (const NodeNumber n : open.pipeline) cluster_.Receive(cluster_.node(n), open.block);
  cluster_.Finish(open.block, open.pipeline, open.replication);
  closed_[open.block.id] = {open.block, open.replication};
}

void Writers::OrderRecovery(Open& open) {
  const RecoveryMembers members = cluster_.manager().FindMembers(open.pipeline);
  if (members.alive.empty() || !members.awaited.empty()) return;
  open.recovery = cluster_.NewBlock().generation;
  const NodeNumber primary = members.alive[Draw(members.alive.size())].number;
  EXPECT_TRUE(cluster_.manager().OrderRecovery(
      primary, {open.block, open.recovery, members.alive, open.cut}));
}

void Writers::CarryOutOrders() {
  for (NodeNumber n = 1; n <= cluster_.nodes(); ++n) {
    for (const RecoverBlock& order : std::exchange(cluster_.node(n).recoveries, {})) {
      if (cluster_.node(n).up) CarryOut(order);
    }
  }
}

void Writers::CarryOut(const RecoverBlock& order) {
  const auto it = open_.find(order.block.id);
  if (it == open_.end() || it->second.block.generation != order.block.generation) return;
  Open& open = it->second;
  bool finalized = false;
  uint64_t length = UINT64_MAX;
  std::vector<NodeNumber> answered;
  for (const NodeAddress& member : order.members) {
    const FakeNode& node = cluster_.node(member.number);
    if (!node.up) return;  // each must answer
    const auto replica = node.disk.find(order.block.id);
    if (replica == node.disk.end() || replica->second.block.generation < order.block.generation) {
      continue;
    }
    if (replica->second.block.generation >= order.recovery) return;  // a later one was here
    answered.push_back(member.number);
    if (!replica->second.open && !finalized) {
      finalized = true;
      length = UINT64_MAX;
    }
    if (replica->second.open != finalized) length = std::min(length, replica->second.block.length);
  }
  if (order.cut) length = order.block.length;
  if (answered.empty()) length = 0;
  const Block settled{order.block.id, order.recovery, length};
  std::vector<NodeNumber> nodes;
  for (const NodeNumber n : answered) {
    if (length == 0 || cluster_.node(n).disk.at(settled.id).block.length < length) continue;
    cluster_.Receive(cluster_.node(n), settled);
    nodes.push_back(n);
  }
  if (Draw(4) == 0 || order.recovery != open.recovery) return;  // the commit is lost, or too late
  if (length < open.block.length) return;                       // refused: more is known to exist
  EXPECT_GE(length, open.acked) << "block " << settled.id << " lost what was acknowledged";
  const uint32_t replication = open.replication;
  open_.erase(it);
  if (nodes.empty()) return cluster_.Remove(settled);
  cluster_.Finish(settled, nodes, replication);
  closed_[settled.id] = {settled, replication};
}

bool Writers::SettleAll() {
  for (auto& [id, open] : open_) {
    if (open.writer) Leave(open);
    OrderRecovery(open);
  }
  cluster_.Run(3'000);
  CarryOutOrders();
  return open_.empty();
}

void Writers::Check() const {
  for (const auto& [id, open] : open_) {
    bool held = open.acked == 0;
    for (NodeNumber n = 1; n <= cluster_.nodes(); ++n) {
      held |= HoldsAcked(cluster_.node(n), open);
    }
    ASSERT_TRUE(held) << "open block " << id << " was lost by an order";
  }
}

}  // namespace cairn::namenode
