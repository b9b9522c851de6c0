// Nodes that an administrator takes out, for good or for a while: what still depends on them.
//
// A node's list of such blocks is kept up to date by Evaluate, block by block, like all figures.
// Where the node itself begins to count in another way, its blocks are judged anew, in slices.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/logging.h"
#include "common/status.h"
#include "namenode/blocks/reported_state.h"

namespace cairn::namenode {
namespace {

constexpr size_t kBlocksExplained = 1'000;  // of those left, when it is said why they are

bool Leaves(AdminState admin) {
  return admin == AdminState::kDecommissioning || admin == AdminState::kMaintenance;
}

std::string Plural(uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

void ReportedState::LoadNode(const NodeRegistration& node, AdminState admin) {
  nodes_.Load(node, admin);
  if (Leaves(admin)) leaving_.push_back(nodes_.Find(node.number));
}

absl::StatusOr<NodeIdentity> ReportedState::FindNode(std::string_view name) const {
  ASSIGN_OR_RETURN(const DataNode* node, nodes_.FindByName(name));
  return NodeIdentity{node->number, node->id};
}

void ReportedState::ApplyAdminState(const BlockChange& change) {
  DataNode* node = nodes_.Find(change.node);
  if (node == nullptr || node->admin == change.admin) return;
  LogInfo("DataNode {} is {} from now on, was {}", node->id, ToString(change.admin),
          ToString(node->admin));
  Lose(nodes_.SetAdminState(*node, change.admin, Now()));
  node->left.clear();
  std::erase(leaving_, node);
  if (Leaves(change.admin)) leaving_.push_back(node);
  JudgeAnew(*node);
  requeue_ = true;  // it may be what others waited for
}

// --- Judging a node's blocks anew -------------------------------------------------------------

void ReportedState::JudgeAnew(DataNode& node) {
  std::erase_if(judging_, [&](const Judging& judging) { return judging.node == &node; });
  judging_.push_back({&node, 0, 0});
}

bool ReportedState::JudgeNodes(size_t max) {
  while (!judging_.empty() && max > 0) {
    Judging& judging = judging_.front();
    std::vector<BlockId> slice;
    const bool open_blocks = judging.storage >= judging.node->storages.size();
    if (open_blocks) {
      for (auto it = promises_.lower_bound(judging.from); it != promises_.end(); ++it) {
        if (slice.size() == max) break;
        slice.push_back(it->first);
      }
    } else {
      slice = judging.node->storages[judging.storage]->blocks.From(judging.from, max);
    }
    for (const BlockId id : slice) {
      if (BlockEntry* block = blocks_.Find(id)) Evaluate(id, *block);
    }
    if (slice.size() == max) {
      judging.from = slice.back() + 1;
    } else if (open_blocks) {
      judging_.pop_front();
    } else {
      ++judging.storage;
      judging.from = 0;
    }
    max -= slice.size();
  }
  return judging_.empty();
}

// --- What depends on a node -------------------------------------------------------------------

bool ReportedState::DependsOn(const DataNode& node, BlockId id, const BlockEntry& block,
                              const ReplicaCounts& counts) const {
  if (block.phase() == BlockPhase::kOpen) {
    const auto it = promises_.find(id);
    if (it == promises_.end()) return false;
    const auto& pipeline = it->second.pipeline;
    if (std::count(pipeline.begin(), pipeline.end(), node.number) == 0) return false;
    const auto stays = [&](NodeNumber number) {
      const DataNode* member = nodes_.Find(number);
      return member != nullptr && member->in_service();
    };
    return !node.in_maintenance() || std::none_of(pipeline.begin(), pipeline.end(), stays);
  }
  const uint32_t wanted =
      node.in_maintenance() ? std::min(1u, block.replication()) : StayingTarget(block, counts);
  if (counts.confirmed >= wanted) return false;
  bool holds = false;
  blocks_.ForEachReplica(id, block, [&](const Replica& replica) {
    const ReplicaWorth worth = WorthOf(block, replica);
    holds |= replica.storage->node == &node &&
             (worth == ReplicaWorth::kGood || worth == ReplicaWorth::kAway);
  });
  return holds;
}

std::vector<NodeNumber> ReportedState::FindDecommissioned() const {
  std::vector<NodeNumber> done;
  for (const DataNode* node : leaving_) {
    if (node->admin == AdminState::kDecommissioning &&
        WhatLeavingWaitsFor(*node, node->left.size()).empty()) {
      done.push_back(node->number);
    }
  }
  return done;
}

void ReportedState::DescribeLeaving(const DataNode& node, DataNodeReport* report) const {
  if (!Leaves(node.admin)) return;
  const bool judging = std::any_of(judging_.begin(), judging_.end(),
                                   [&](const Judging& judging) { return judging.node == &node; });
  report->blocks_left = judging ? std::max(report->blocks, node.left.size()) : node.left.size();
  report->admin_reason = WhatLeavingWaitsFor(node, report->blocks_left);
}

std::string ReportedState::WhatLeavingWaitsFor(const DataNode& node, uint64_t blocks_left) const {
  const bool for_good = !node.in_maintenance();
  if (safe_mode_.on()) return "waits for the end of safe mode";
  if (for_good && !RepairMayBegin()) return "waits until all DataNodes have reported";
  if (node.alive && node.awaits_report()) return "waits for its full block report";
  if (blocks_left > 0) {
    return fmt::format("waits for {}{}", Plural(blocks_left, "block"), WhyBlocksAreLeft(node));
  }
  if (!judging_.empty()) return "its blocks are being looked at";
  if (!for_good) return "";
  if (!nodes_.LiveReported()) return "waits for block reports of other DataNodes";
  // Of a silent node nobody knows all that is on it: what it did not confirm is not counted any
  // more. HDFS then waits, too, until nothing lacks replicas.
  const BlockCounts counts = index_.counts();
  const uint64_t lacking = counts.under_replicated + counts.corrupt + counts.missing;
  if (!lost_.empty()) return "waits for what was lost with a volume to be counted";
  if ((!node.alive || nodes_.Late(node, Now())) && lacking > 0) {
    return fmt::format("it is silent; waits for {} that may have been on it",
                       Plural(lacking, "block"));
  }
  return "";
}

std::string ReportedState::WhyBlocksAreLeft(const DataNode& node) const {
  uint64_t open = 0, closed = 0, without_target = 0;
  uint32_t need = 0;
  for (const BlockId id : node.left.From(0, kBlocksExplained)) {
    const BlockEntry& block = *blocks_.Find(id);
    const ReplicaCounts counts = blocks_.Count(id, block);
    block.phase() == BlockPhase::kOpen ? ++open : ++closed;
    without_target += queues_.RepairAside(id) ? 1 : 0;
    need = std::max(need, node.in_maintenance() ? 1u : StayingTarget(block, counts));
  }
  const ClusterView& view = nodes_.view();
  const size_t available = view.size() - view.of_tier(PlacementTier::kUnusable);
  std::string why;
  if (need > available) {
    why = fmt::format(": need {}, {} available", Plural(need, "other DataNode"), available);
  } else if (closed > 0 && without_target == closed) {
    why = ": no other DataNode has room for them; add one, or space";
  }
  if (open > 0) why += fmt::format("{}{} being written", why.empty() ? ": " : "; ", open);
  return why;
}

}  // namespace cairn::namenode
