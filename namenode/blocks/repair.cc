// What follows from losses: dead nodes, copies, deletions; and when the balancer may move replicas.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/logging.h"
#include "common/units.h"
#include "namenode/blocks/reported_state.h"

namespace cairn::namenode {
namespace {

constexpr int64_t kRequeueMs = 60'000;  // what found no target tries again this often at least
constexpr uint64_t kCopyBytesPerMs = 1 << 20 >> 10;  // 1 MiB/s: slower copies are given up

}  // namespace

// --- Nodes ----------------------------------------------------------------------------------

void ReportedState::CheckNodes(std::optional<int64_t> now_ms) {
  const int64_t now = now_ms.value_or(Now());
  nodes_.JudgeSlowness(now);
  for (DataNode* node : nodes_.FindDead(now)) {
    LogWarn("DataNode {} is dead: no heartbeat for {} ms", node->id, now - node->last_heartbeat_ms);
    DropNodeOrders(node->number);
    if (node->in_maintenance()) {
      JudgeAnew(*node);  // what is on it counts, but cannot be read
    } else {
      Lose(node->storages);
    }
  }
}

bool ReportedState::CheckOverdue(size_t max) {
  const int64_t now = Now();
  bool done = CheckUnconfirmed(max);
  bool all_deletions = false;
  for (const NodeNumber number : deletions_.Expire(now, max, &all_deletions)) {
    LogWarn("DataNode {} did not report deletions in time; its full report is wanted", number);
    // An order names no volume.
    for (Storage* storage : nodes_.Find(number)->storages) WantReport(*storage);
  }
  const std::vector<BlockId> late_copies = copies_.Expire(now, max);
  for (const BlockId id : late_copies) {
    LogWarn("the copy of block {} did not arrive in time", id);
    if (BlockEntry* block = blocks_.Find(id)) Evaluate(id, *block);
  }
  return done && all_deletions && late_copies.size() < max;
}

bool ReportedState::CheckUnconfirmed(size_t max) {
  const int64_t now = Now();
  for (; !unconfirmed_.empty() && unconfirmed_.front().due_ms <= now; --max) {
    if (max == 0) return false;
    Unconfirmed due = unconfirmed_.front();
    unconfirmed_.pop_front();
    BlockEntry* block = blocks_.Find(due.block);
    if (block == nullptr) continue;
    Storage& storage = *nodes_.FindStorage(due.storage);
    const std::optional<Replica> replica = blocks_.FindReplica(due.block, *block, storage);
    if (!replica.has_value() || replica->state != ReplicaState::kProvisional ||
        replica->generation != due.generation) {
      continue;
    }
    // A DataNode reports in the order of events: a block opened after this one was finished shows
    // that the report of this one does not come. Unless the node was restarted: then its full
    // report tells.
    const bool passed = !storage.stale && storage.node->newest_received > due.newest_block;
    const int64_t age_ms = now - due.finished_ms;
    if (passed || nodes_.Late(*storage.node, now) || age_ms >= options_.provisional_max_ms) {
      LogWarn("no report confirmed the replica of block {} on DataNode {}", due.block,
              storage.node->id);
      blocks_.RemoveReplica(due.block, *block, storage);
      Evaluate(due.block, *block);
      continue;
    }
    // By then the window has forgotten the block, so that the report may sweep it.
    if (age_ms >= ReportWindow::kMaxMargins * options_.report_snapshot_margin_ms) {
      WantReport(storage);
    }
    due.due_ms = now + ConfirmationMs();
    unconfirmed_.push_back(due);
  }
  return true;
}

void ReportedState::WantReport(Storage& storage) const {
  if (storage.report_wanted_ms == 0) storage.report_wanted_ms = Now();
}

bool ReportedState::RemoveLostReplicas(size_t max) {
  while (!lost_.empty() && max > 0) {
    Storage& storage = *lost_.back();
    if (!storage.lost || storage.blocks.empty()) {
      lost_.pop_back();
      continue;
    }
    for (const BlockId id : storage.blocks.From(0, max)) {
      BlockEntry& block = *blocks_.Find(id);
      blocks_.RemoveReplica(id, block, storage);
      Evaluate(id, block);
      --max;
    }
  }
  return lost_.empty();
}

// --- Copies ---------------------------------------------------------------------------------

bool ReportedState::RepairMayBegin() const {
  if (safe_mode_.on()) return false;
  // A node that has not come back after the NameNode's start is as dead as one that fell silent
  // then: its replicas are not replaced before dead_after.
  return Now() - started_ms_ >= options_.dead_after_ms || nodes_.AllReported();
}

bool ReportedState::BeginRound(bool by_hand) {
  if (!RepairMayBegin()) return false;
  if (by_hand || Now() - requeued_ms_ >= kRequeueMs) {
    requeued_ms_ = Now();
    requeue_ = true;
    queues_.RequeueSurplus();
  }
  repairing_ = true;
  return true;
}

bool ReportedState::FillQueues(size_t max) {
  constexpr std::array kLists = {Redundancy::kUnder, Redundancy::kLeaving};
  for (size_t i = 0; i < kLists.size(); ++i) {
    const std::vector<BlockId> listed = index_.list(kLists[i]).From(fill_from_[i], max);
    for (const BlockId id : listed) {
      const BlockEntry& block = *blocks_.Find(id);
      QueueRepair(id, block, blocks_.Count(id, block));
      fill_from_[i] = id + 1;
    }
    if (listed.size() == max) return false;
    fill_from_[i] = std::numeric_limits<BlockId>::max();  // from now on each comes by itself
  }
  if (requeue_) requeue_ = !queues_.RequeueRepairs(max);
  return !requeue_;
}

bool ReportedState::CheckSpread(size_t max) {
  if (spread_changes_ != nodes_.view().changes() && spread_from_ == 0) {
    spread_changes_ = nodes_.view().changes();  // what changes from now on is for the next check
    const bool may_differ = nodes_.view().racks() > 1 || index_.count(Redundancy::kMisplaced) > 0;
    spread_from_ = may_differ ? 1 : 0;
  }
  if (spread_from_ == 0) return true;
  size_t seen = 0;
  BlockId next = 0;
  blocks_.ForEachFrom(spread_from_, [&](BlockId id, BlockEntry& block) {
    if (seen == max) {
      next = id;
      return false;
    }
    ++seen;
    const bool judged =
        block.redundancy() == Redundancy::kSound || block.redundancy() == Redundancy::kMisplaced;
    if (judged) Evaluate(id, block);
    return true;
  });
  spread_from_ = next;
  return next == 0 && spread_changes_ == nodes_.view().changes();
}

bool ReportedState::ScheduleCopies(ReplicationQueues::Cursor& cursor, size_t max,
                                   uint64_t max_copies, RepairRound* round) {
  const std::vector<BlockId> blocks = queues_.NextRepairs(cursor, max);
  size_t busy = 0;
  for (const BlockId id : blocks) {
    if (round->planned >= max_copies) return true;  // there may be more, and room for it
    BlockEntry& block = *blocks_.Find(id);
    switch (ScheduleCopy(id, block)) {
      case CopyOutcome::kScheduled:
        ++round->planned;
        queues_.RemoveRepair(id);
        break;
      case CopyOutcome::kNotNeeded:
        queues_.RemoveRepair(id);
        break;
      case CopyOutcome::kNoTarget:
        queues_.SetRepairAside(id);
        break;
      case CopyOutcome::kBusy:  // keeps its place
        ++busy;
        ++round->busy;
        break;
    }
  }
  // Where nothing can be scheduled any more, the nodes have all the work they may have.
  const bool done = blocks.size() < max || busy == blocks.size();
  if (done) repairs_left_ = queues_.repairs() - queues_.repairs_aside();
  return done;
}

void ReportedState::Describe(bool ran, uint64_t max_copies, RepairRound* round) const {
  round->in_flight = copies_.size();
  // Before the first round the queue is empty: the index's lists are it.
  round->waiting = repairing_
                       ? queues_.repairs()
                       : index_.count(Redundancy::kUnder) + index_.count(Redundancy::kLeaving);
  round->no_target = queues_.repairs_aside();
  round->busy = std::min(round->busy, round->waiting - round->no_target);
  std::vector<std::string> reasons;
  if (safe_mode_.on()) {
    reasons.push_back("the NameNode is in safe mode: " + safe_mode_.Reason());
  } else if (!ran) {
    reasons.push_back(fmt::format(
        "DataNodes that were there before the NameNode's start may still come: it waits {} s for "
        "them",
        options_.dead_after_ms / 1000));
  } else {
    if (round->no_target > 0) {
      reasons.push_back(
          fmt::format("for {} no target qualifies: the other DataNodes hold a copy, "
                      "are full, late, failed or out of service",
                      round->no_target));
    }
    if (round->busy > 0) {
      reasons.push_back(
          fmt::format("the nodes of {} copy as much as they may ({} each) or are late", round->busy,
                      FormatSize(options_.max_copy_bytes_in_flight)));
    }
    if (round->planned == max_copies && round->waiting > round->no_target + round->busy) {
      reasons.push_back(fmt::format("no more than {} were asked for", max_copies));
    }
  }
  const uint64_t lost = index_.count(Redundancy::kMissing) + index_.count(Redundancy::kCorrupt);
  if (lost > 0) reasons.push_back(fmt::format("{} more have no good copy left", lost));
  round->reason = fmt::format("{}", fmt::join(reasons, "; "));
}

DataNode* ReportedState::CopySource(BlockId id, const Nodes& good) const {
  DataNode* best = nullptr;
  // One that retires has nothing else to do; one in maintenance may be gone at any moment.
  const auto tier = [&](const DataNode& node) {
    return node.retiring()         ? PlacementTier::kPreferred
           : node.in_maintenance() ? PlacementTier::kLastResort
                                   : nodes_.view().node(node.view_index).tier;
  };
  const auto better = [&](const DataNode& a, const DataNode& b) {
    const bool failed = copies_.FailedAt(id, a.number);
    if (failed != copies_.FailedAt(id, b.number)) return !failed;
    if (tier(a) != tier(b)) return tier(a) < tier(b);
    return copies_.BytesInFlight(a.number) < copies_.BytesInFlight(b.number);
  };
  for (DataNode* node : good) {
    // A late node would not fetch the order.
    if (nodes_.Late(*node, Now())) continue;
    if (copies_.BytesInFlight(node->number) >= options_.max_copy_bytes_in_flight) continue;
    if (best == nullptr || better(*node, *best)) best = node;
  }
  return best;
}

ReportedState::CopyOutcome ReportedState::ScheduleCopy(BlockId id, BlockEntry& block) {
  const ReplicaCounts counts = blocks_.Count(id, block);
  // One more where they are not far enough apart; then one of those that are too near is surplus.
  const bool misplaced = block.redundancy() == Redundancy::kMisplaced;
  const uint32_t needed = CopiesNeeded(block, counts);
  const bool under = needed > 0;
  if (counts.good == 0 || !(under || misplaced)) return CopyOutcome::kNotNeeded;
  const Nodes good = blocks_.GoodNodes(id, block);
  DataNode* source = CopySource(id, good);
  if (source == nullptr) return CopyOutcome::kBusy;

  bool busy = false;
  const Replicas replicas = blocks_.AllReplicas(id, block);
  const auto allowed = [&](NodeNumber node) {
    const auto holds = [&](const Replica& r) { return r.storage->node->number == node; };
    if (std::any_of(replicas.begin(), replicas.end(), holds)) return false;
    if (deletions_.Contains(node, id)) return false;
    const bool full = copies_.BytesInFlight(node) >= options_.max_copy_bytes_in_flight;
    busy |= full;
    return !full;
  };
  PlacementRequest request{.count = under ? needed : 1,
                           .existing = {},
                           .writer_host = {},
                           .writer_rack = {},
                           .block_size = block.length(),
                           .key = id,
                           .worst_tier = PlacementTier::kSecondary,
                           .allowed = allowed};
  for (const DataNode* node : blocks_.CountedNodes(id, block)) {
    request.existing.push_back(node->view_index);
  }
  const std::vector<uint32_t> chosen = placement_->Choose(nodes_.view(), request, random_);
  if (!under) {
    std::vector<uint32_t> holders = request.existing;
    holders.insert(holders.end(), chosen.begin(), chosen.end());
    if (!placement_->Spread(nodes_.view(), holders)) {
      return busy ? CopyOutcome::kBusy : CopyOutcome::kNoTarget;
    }
  }
  std::vector<NodeNumber> targets;
  for (const uint32_t index : chosen) targets.push_back(nodes_.view().node(index).number);
  if (targets.empty()) {
    if (busy || DeleteUselessForRoom(id, block, counts)) return CopyOutcome::kBusy;
    return CopyOutcome::kNoTarget;
  }
  const uint64_t cost = std::max(block.length(), options_.min_copy_cost_bytes);
  const int64_t deadline =
      Now() + options_.copy_timeout_ms + static_cast<int64_t>(block.length() / kCopyBytesPerMs);
  source->copy_orders.push_back({id, targets});
  copies_.Start(id, source->number, std::move(targets), cost, deadline);
  return CopyOutcome::kScheduled;
}

// --- Deletions ------------------------------------------------------------------------------

bool ReportedState::DeleteUselessForRoom(BlockId id, BlockEntry& block,
                                         const ReplicaCounts& counts) {
  // On a cluster of as many nodes as replicas, a bad copy stands where the new one must go. Good
  // ones that are sure to exist make it dispensable: two, or all but one of the target.
  const uint32_t enough = std::max<uint32_t>(1, std::min<uint32_t>(2, block.replication() - 1));
  if (counts.unsure || counts.good < enough) return false;
  return DeleteUseless(id, block);
}

bool ReportedState::DeleteUseless(BlockId id, BlockEntry& block) {
  const Nodes good = blocks_.GoodNodes(id, block);
  Replicas useless;
  for (const Replica& replica : blocks_.AllReplicas(id, block)) {
    const ReplicaWorth worth = WorthOf(block, replica);
    // An order names a block and a generation, not a volume: it would take a good one along.
    const bool beside_good = std::count(good.begin(), good.end(), replica.storage->node) > 0 &&
                             replica.generation == block.generation();
    const bool dispensable = worth == ReplicaWorth::kBad || worth == ReplicaWorth::kOutdated;
    if (dispensable && !beside_good) useless.push_back(replica);
  }
  for (const Replica& replica : useless) {
    deletions_.Add(replica.storage->node->number, {id, replica.generation, replica.length});
    blocks_.RemoveReplica(id, block, *replica.storage);
  }
  if (!useless.empty()) Evaluate(id, block);
  return !useless.empty();
}

void ReportedState::DeleteExcess(BlockId id, BlockEntry& block) {
  std::vector<uint32_t> holders;
  for (const DataNode* node : blocks_.GoodNodes(id, block)) {
    if (node->in_service()) holders.push_back(node->view_index);
  }
  std::vector<uint32_t> excess;
  if (holders.size() > block.replication()) {
    if (const auto moved = balancer_.LeftBehind(id, holders, Now())) {
      excess.push_back(*moved);
      std::erase(holders, *moved);
      balancer_.Removed(id, Now());
    }
  }
  const auto others = ChooseExcess(nodes_.view(), std::move(holders), block.replication());
  excess.insert(excess.end(), others.begin(), others.end());
  for (const uint32_t index : excess) {
    const NodeNumber number = nodes_.view().node(index).number;
    for (const Replica& replica : blocks_.AllReplicas(id, block)) {
      const bool same = replica.storage->node->number == number;
      if (!same || replica.generation != block.generation()) continue;
      deletions_.AddExcess(number, replica.storage->number,
                           {id, replica.generation, replica.length});
      blocks_.RemoveReplica(id, block, *replica.storage);
    }
  }
  Evaluate(id, block);
}

bool ReportedState::KeepExcess(StorageNumber number, const Block& excess) {
  BlockEntry* block = blocks_.Find(excess.id);
  Storage& storage = *nodes_.FindStorage(number);
  if (block == nullptr || block->phase() == BlockPhase::kOpen || storage.lost) return false;
  if (block->generation() != excess.generation || block->length() != excess.length) return false;
  const ReplicaCounts counts = blocks_.Count(excess.id, *block);
  // On a node that leaves it does not count, but it can be copied from.
  const bool needed = CopiesNeeded(*block, counts) > 0;
  if (!needed && counts.good > 0 && !counts.unsure) return false;
  // It was sure to be good when it was ordered away; had anything been told of it since, there
  // would be no such order any more.
  blocks_.PutReplica(excess.id, *block,
                     {&storage, excess.generation, excess.length, ReplicaState::kFinalized});
  storage.window.Touch(excess.id, Now(), options_.report_snapshot_margin_ms);
  Evaluate(excess.id, *block);
  return true;
}

void ReportedState::EndMove(BlockId id, BlockEntry& block) {
  // Else a round sees to it, or finds that it is not too much.
  const bool may = block.redundancy() == Redundancy::kOver && !blocks_.Count(id, block).unsure;
  if (may && !safe_mode_.on()) DeleteExcess(id, block);
}

bool ReportedState::BeginBalanceRound() {
  std::string obstacle;
  if (safe_mode_.on()) {
    obstacle = "waits for the end of safe mode";
  } else if (!repairing_ || !nodes_.LiveReported()) {
    obstacle = "waits until all DataNodes have reported";
  } else if (repairs_left_ > 0) {
    obstacle = "waits for repairs, which go first";
  }
  return balancer_.BeginRound(std::move(obstacle), Now());
}

bool ReportedState::DeleteSurplus(BlockId& cursor, size_t max) {
  const std::vector<BlockId> blocks = queues_.NextSurplus(cursor, max);
  for (const BlockId id : blocks) {
    cursor = id + 1;
    BlockEntry& block = *blocks_.Find(id);
    const ReplicaCounts counts = blocks_.Count(id, block);
    if (counts.unsure) {
      queues_.SetSurplusAside(id);
      continue;
    }
    const bool deleted = CopiesNeeded(block, counts) == 0 && DeleteUseless(id, block);
    if (counts.staying > block.replication()) {
      DeleteExcess(id, block);
    } else if (!deleted) {
      queues_.SetSurplusAside(id);
    }
  }
  return blocks.size() < max;
}

}  // namespace cairn::namenode
