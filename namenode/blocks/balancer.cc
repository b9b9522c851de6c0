#include "namenode/blocks/balancer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/logging.h"

namespace cairn::namenode {
namespace {

// Smaller blocks move when no larger one can (HDFS: dfs.balancer.getBlocks.min-block-size).
constexpr uint64_t kLargeBlock = 10 << 20;
constexpr size_t kLooksLikeABlock = 32;   // at takers: they take as long as to look at a block
constexpr size_t kBlocksARound = 20'000;  // of a node: a walk may take many rounds
constexpr int kMaxWalksInVain = 5;      // as HDFS: dfs.balancer.max-no-move-interval, in its rounds
constexpr int64_t kLeftOutMs = 60'000;  // how long nodes that are not healthy are waited for
constexpr int64_t kAsideMs = 60'000;    // a node that lost a copy gets no other
constexpr int64_t kMaxSurplusMs = 600'000;     // how long a copy may wait for its original to go
constexpr uint64_t kMoveBytesPerMs = 1 << 10;  // 1 MiB/s, as of a repair

}  // namespace

// --- Administrators -------------------------------------------------------------------------

bool Balancer::Start(double threshold_percent, int64_t now_ms) {
  if (running()) return false;
  const uint64_t run = report_.run + 1;
  report_ = {};
  report_.run = run;
  report_.state = BalanceState::kRunning;
  report_.threshold_percent = threshold_percent;
  started_ms_ = now_ms;
  set_aside_.clear();
  scans_.clear();
  givers_.clear();  // of a round of the run before
  giver_ = 0;
  obstacles_ = {};
  walk_began_done_ = 0;
  wide_ = false;
  in_vain_ = 0;
  resume_ms_ = 0;
  left_out_since_ms_ = -1;
  LogInfo("the balancer begins, with a threshold of {}%", threshold_percent);
  return true;
}

void Balancer::Stop(int64_t now_ms) {
  if (running()) EndRun(BalanceState::kStopped, "stopped by an administrator", now_ms);
}

void Balancer::EndRun(BalanceState state, std::string reason, int64_t now_ms) {
  report_.state = state;
  report_.reason = std::move(reason);
  report_.elapsed_ms = now_ms - started_ms_;
  LogInfo("the balancer has ended: {}; {} replicas, {} bytes moved", report_.reason,
          report_.moves_done, report_.bytes_moved);
}

BalanceReport Balancer::Report(int64_t now_ms) const {
  BalanceReport report = report_;
  const BalancePlan plan(Participants(/*with_moves=*/false, now_ms), report.threshold_percent);
  report.mean_percent = plan.mean_percent();
  report.most_over_percent = plan.MostOver();
  report.most_under_percent = plan.MostUnder();
  report.nodes = plan.size();
  if (report.state != BalanceState::kNone) {
    report.nodes_over = plan.nodes_over();
    report.nodes_under = plan.nodes_under();
    report.bytes_left = plan.BytesLeft();
  }
  for (const auto& [id, move] : moves_) {
    if (move.removed_ms >= 0) continue;
    ++report.moves_in_flight;
    report.bytes_in_flight += move.bytes;
  }
  if (running()) report.elapsed_ms = now_ms - started_ms_;
  return report;
}

std::vector<BalanceNode> Balancer::Participants(bool with_moves, int64_t now_ms) const {
  std::vector<BalanceNode> participants;
  nodes_.ForEach([&](const DataNode& node) {
    if (!node.in_service() || nodes_.State(node, now_ms, nullptr) != NodeState::kHealthy) return;
    const PlacementNode& seen = nodes_.view().node(node.view_index);
    BalanceNode participant{.number = node.number,
                            .view_index = node.view_index,
                            .rack = seen.rack,
                            .capacity_bytes = seen.capacity_bytes,
                            .used_bytes = 0,
                            .room_bytes = seen.free_bytes};
    if (participant.capacity_bytes == 0) return;
    for (const Storage* storage : node.storages) {
      participant.used_bytes += static_cast<int64_t>(storage->used_bytes);
    }
    const auto shift = shift_.find(node.number);
    if (with_moves && shift != shift_.end()) {
      participant.used_bytes += shift->second;
      const auto coming = static_cast<uint64_t>(std::max<int64_t>(0, shift->second));
      participant.room_bytes -= std::min(participant.room_bytes, coming);
    }
    participants.push_back(participant);
  });
  return participants;
}

// --- A round --------------------------------------------------------------------------------

bool Balancer::BeginRound(std::string obstacle, int64_t now_ms) {
  if (!running()) return false;
  report_.reason = std::move(obstacle);
  if (!report_.reason.empty()) return false;
  plan_.emplace(Participants(/*with_moves=*/true, now_ms), report_.threshold_percent, wide_);
  if (plan_->Balanced()) {
    // Only what the nodes themselves say ends the run.
    if (moves_.empty()) EndBalanced(now_ms);
    return false;
  }
  left_out_since_ms_ = -1;
  givers_ = plan_->Givers();
  giver_ = 0;
  seen_ = 0;
  takers_busy_ = takers_aside_ = false;
  const bool exhausted = std::all_of(givers_.begin(), givers_.end(), [&](size_t giver) {
    return scans_[plan_->node(giver).number].exhausted;
  });
  if (exhausted && moves_.empty()) EndWalk(now_ms);
  return running() && !exhausted && now_ms >= resume_ms_;
}

void Balancer::EndBalanced(int64_t now_ms) {
  // Those that are late or degraded take no part, and may be what the run is about.
  size_t left_out = 0;
  nodes_.ForEach([&](const DataNode& node) {
    if (!node.in_service() || !node.alive) return;
    left_out += nodes_.State(node, now_ms, nullptr) == NodeState::kHealthy ? 0 : 1;
  });
  const double threshold = report_.threshold_percent;
  if (left_out == 0) {
    return EndRun(BalanceState::kBalanced,
                  fmt::format("every DataNode is within {}% of the mean", threshold), now_ms);
  }
  if (left_out_since_ms_ < 0) left_out_since_ms_ = now_ms;
  if (now_ms - left_out_since_ms_ >= kLeftOutMs) {
    return EndRun(BalanceState::kStuck,
                  fmt::format("every healthy DataNode is within {}% of the mean, but others are "
                              "late or degraded: {}",
                              threshold, left_out),
                  now_ms);
  }
  report_.reason = fmt::format("waits for DataNodes that are late or degraded: {}", left_out);
}

void Balancer::EndWalk(int64_t now_ms) {
  const bool moved = report_.moves_done > walk_began_done_;
  wide_ = !moved && !wide_;
  in_vain_ = moved ? 0 : in_vain_ + (wide_ ? 0 : 1);
  const bool later =
      std::any_of(scans_.begin(), scans_.end(), [](const auto& scan) { return scan.second.later; });
  if (!moved && !wide_ && (!later || in_vain_ >= kMaxWalksInVain)) {
    return EndRun(BalanceState::kStuck, WhyStuck(), now_ms);
  }
  scans_.clear();
  obstacles_ = {};
  walk_began_done_ = report_.moves_done;
  resume_ms_ = moved || wide_ ? 0 : now_ms + (options_.heartbeat_interval_ms << in_vain_);
}

std::string Balancer::WhyStuck() const {
  const auto [held, spread, size] = obstacles_;
  std::string why = "nothing is on them, or all of it is in doubt";
  if (spread > 0 && spread >= std::max(held, size)) {
    why = "their blocks would be in fewer racks";
  } else if (held > 0 && held >= size) {
    why = "the emptier ones have their blocks already";
  } else if (size > 0) {
    why = "their blocks are too large for the space, or for the difference, that is left";
  }
  return "no other replica of the fuller DataNodes can be moved: " + why;
}

bool Balancer::Schedule(size_t max, int64_t now_ms) {
  while (giver_ < givers_.size()) {
    if (max == 0) return false;
    const size_t giver = givers_[giver_];
    Scan& scan = scans_[plan_->node(giver).number];
    bool done = scan.exhausted || !plan_->Gives(giver);
    if (!done) {
      const size_t seen = ScanSome(giver, scan, max, now_ms, &done);
      max -= std::min(max, seen);
      seen_ += seen;
    }
    if (!done && seen_ < kBlocksARound) continue;
    ++giver_;
    seen_ = 0;
  }
  return true;
}

size_t Balancer::ScanSome(size_t giver, Scan& scan, size_t max, int64_t now_ms, bool* done) {
  const DataNode& node = *nodes_.Find(plan_->node(giver).number);
  if (scan.storage >= node.storages.size()) {
    EndPass(scan);
    *done = true;
    return 1;
  }
  const Storage& storage = *node.storages[scan.storage];
  const std::vector<BlockId> slice = storage.blocks.From(scan.from, max);
  size_t seen = 0;
  for (const BlockId id : slice) {
    if (moves_.size() >= options_.max_moves || !plan_->Gives(giver)) {
      *done = true;
      return seen;
    }
    plan_->TakeLooks();
    const Try outcome = TryMove(giver, scan, storage, id, now_ms);
    seen += 1 + plan_->TakeLooks() / kLooksLikeABlock;
    const bool takers_busy = outcome == Try::kTakersBusy && !plan_->has_takers();
    if (outcome == Try::kGiverBusy || takers_busy) {  // goes on with this block
      scan.busy = *done = true;
      return seen;
    }
    scan.from = id + 1;
    scan.moved += outcome == Try::kMoved ? 1 : 0;
    scan.busy |= outcome == Try::kTakersBusy;
    scan.later |= outcome == Try::kLater;
    if (seen >= max) return seen;
  }
  if (slice.size() < max) {
    ++scan.storage;
    scan.from = 0;
  }
  return seen + 1;
}

void Balancer::EndPass(Scan& scan) {
  const bool in_vain = scan.moved == 0 && !scan.busy;
  scan.storage = 0;
  scan.from = 0;
  if (in_vain && scan.small_too) {
    scan.exhausted = true;
    return;
  }
  scan.small_too |= in_vain;
  scan.moved = 0;
  scan.busy = scan.later = false;
}

uint64_t Balancer::CostOf(uint64_t bytes) const {
  return std::max(bytes, options_.min_move_cost_bytes);
}

bool Balancer::HasRoom(NodeNumber node, uint64_t cost) const {
  const uint64_t in_flight = copies_.BytesInFlight(node);
  return in_flight == 0 || in_flight + cost <= options_.max_move_bytes_in_flight;
}

Balancer::Try Balancer::Movable(BlockId id, const BlockEntry& block, const Storage& storage) const {
  // What is open, or not exactly as it should be, is left alone.
  if (block.phase() != BlockPhase::kClosed || block.redundancy() != Redundancy::kSound) {
    return Try::kLater;
  }
  if (copies_.Pending(id) || moves_.contains(id)) return Try::kLater;
  const ReplicaCounts counts = blocks_.Count(id, block);
  if (counts.unsure || counts.bad > 0 || counts.outdated > 0 || counts.resting > 0 ||
      counts.staying != block.replication()) {
    return Try::kLater;
  }
  size_t on_node = 0;
  bool good = false;
  blocks_.ForEachReplica(id, block, [&](const Replica& replica) {
    on_node += replica.storage->node == storage.node ? 1 : 0;
    good |= replica.storage == &storage && WorthOf(block, replica) == ReplicaWorth::kGood;
  });
  // An order of deletion names a block and its generation, not a volume: it would take both.
  if (on_node > 1) return Try::kNever;
  return good ? Try::kMoved : Try::kLater;
}

Balancer::Try Balancer::TryMove(size_t giver, const Scan& scan, const Storage& storage, BlockId id,
                                int64_t now_ms) {
  const BlockEntry& block = *blocks_.Find(id);
  if (block.length() < kLargeBlock && !scan.small_too) return Try::kSkipped;
  if (const Try movable = Movable(id, block, storage); movable != Try::kMoved) return movable;
  if (!HasRoom(storage.node->number, CostOf(block.length()))) return Try::kGiverBusy;
  Try otherwise = Try::kNever;
  const std::optional<size_t> taker = ChooseTaker(giver, id, block, now_ms, &otherwise);
  if (!taker.has_value()) return otherwise;
  Begin(giver, *taker, id, block, now_ms);
  return Try::kMoved;
}

std::optional<size_t> Balancer::ChooseTaker(size_t giver, BlockId id, const BlockEntry& block,
                                            int64_t now_ms, Try* otherwise) {
  using Verdict = BalancePlan::Verdict;
  const uint32_t from = plan_->node(giver).view_index;
  const Replicas replicas = blocks_.AllReplicas(id, block);
  absl::InlinedVector<uint32_t, 8> holders;
  for (const DataNode* node : blocks_.CountedNodes(id, block)) holders.push_back(node->view_index);
  bool held = false;
  bool spread = false;
  const auto judge = [&](const BalanceNode& taker) {
    const auto aside = set_aside_.find(taker.number);
    if (aside != set_aside_.end() && now_ms < aside->second) {
      takers_aside_ = true;
      return Verdict::kNotAnyMore;
    }
    if (!HasRoom(taker.number, CostOf(block.length()))) {
      takers_busy_ = true;
      return Verdict::kNotAnyMore;
    }
    const auto holds = [&](const Replica& r) { return r.storage->node->number == taker.number; };
    if (std::any_of(replicas.begin(), replicas.end(), holds) ||
        deletions_.Contains(taker.number, id)) {
      held = true;
      return Verdict::kNot;
    }
    if (taker.room_bytes < block.length()) return Verdict::kNot;
    if (!MoveKeepsSpread(placement_, nodes_.view(), holders, from, taker.view_index)) {
      spread = true;
      return Verdict::kNot;
    }
    return Verdict::kTake;
  };
  const std::optional<size_t> taker = plan_->ChooseTaker(giver, block.length(), judge);
  if (taker.has_value()) return taker;
  ++(spread ? obstacles_.spread : held ? obstacles_.held : obstacles_.size);
  *otherwise = takers_busy_ ? Try::kTakersBusy : takers_aside_ ? Try::kLater : Try::kNever;
  return std::nullopt;
}

void Balancer::Begin(size_t giver, size_t taker, BlockId id, const BlockEntry& block,
                     int64_t now_ms) {
  const NodeNumber source = plan_->node(giver).number;
  const NodeNumber target = plan_->node(taker).number;
  const uint64_t bytes = block.length();
  const int64_t deadline =
      now_ms + options_.copy_timeout_ms + static_cast<int64_t>(bytes / kMoveBytesPerMs);
  nodes_.Find(source)->copy_orders.push_back({id, {target}});
  copies_.Start(id, source, {target}, CostOf(bytes), deadline);
  moves_[id] = {.generation = block.generation(),
                .source = source,
                .target = target,
                .bytes = bytes,
                .begun_ms = now_ms};
  plan_->Move(giver, taker, bytes);
  Shift(source, -static_cast<int64_t>(bytes));
  Shift(target, static_cast<int64_t>(bytes));
}

// --- Moves under way ------------------------------------------------------------------------

void Balancer::Shift(NodeNumber node, int64_t bytes) {
  const auto it = shift_.try_emplace(node, 0).first;
  it->second += bytes;
  if (it->second == 0) shift_.erase(it);
}

bool Balancer::Follow(BlockId& cursor, size_t max, int64_t now_ms) {
  auto it = moves_.lower_bound(cursor);
  for (; it != moves_.end() && max > 0; --max) {
    cursor = it->first + 1;
    if (FollowOne(it->first, it->second, now_ms)) {
      it = moves_.erase(it);
    } else {
      ++it;
    }
  }
  return it == moves_.end();
}

bool Balancer::FollowOne(BlockId id, Move& move, int64_t now_ms) {
  if (move.removed_ms >= 0) return Settled(id, move, now_ms);
  if (!FollowCopy(id, move, now_ms)) return false;
  ++report_.moves_failed;
  Shift(move.source, static_cast<int64_t>(move.bytes));
  Shift(move.target, -static_cast<int64_t>(move.bytes));
  return true;
}

// True when nothing comes of it.
bool Balancer::FollowCopy(BlockId id, const Move& move, int64_t now_ms) {
  const BlockEntry* block = blocks_.Find(id);
  if (block == nullptr || block->phase() != BlockPhase::kClosed ||
      block->generation() != move.generation) {
    return true;  // removed, or written to
  }
  if (copies_.Pending(id)) return false;
  bool arrived = false;
  bool source_good = false;
  blocks_.ForEachReplica(id, *block, [&](const Replica& replica) {
    if (WorthOf(*block, replica) != ReplicaWorth::kGood) return;
    arrived |= replica.storage->node->number == move.target;
    source_good |= replica.storage->node->number == move.source;
  });
  if (!arrived) {
    LogWarn("the balancer's copy of block {} to DataNode {} is lost", id,
            nodes_.Find(move.target)->id);
    if (source_good) set_aside_[move.target] = now_ms + kAsideMs;  // else it is not to blame
    return true;
  }
  // It may be in the place of one that was lost meanwhile; or it waits until all is sure.
  return block->redundancy() != Redundancy::kOver || now_ms - move.begun_ms >= kMaxSurplusMs;
}

bool Balancer::Settled(BlockId id, Move& move, int64_t now_ms) {
  // Space counts as reported from the first heartbeat on that came after the change.
  const auto reported = [&](NodeNumber number, int64_t since_ms) {
    const DataNode& node = *nodes_.Find(number);
    return !node.alive || node.last_heartbeat_ms > since_ms;
  };
  if (!move.target_settled && reported(move.target, move.removed_ms)) {
    move.target_settled = true;
    Shift(move.target, -static_cast<int64_t>(move.bytes));
  }
  if (move.gone_ms < 0 && !deletions_.Contains(move.source, id, move.generation)) {
    move.gone_ms = now_ms;
  }
  if (!move.source_settled && move.gone_ms >= 0 && reported(move.source, move.gone_ms)) {
    move.source_settled = true;
    Shift(move.source, static_cast<int64_t>(move.bytes));
  }
  return move.source_settled && move.target_settled;
}

bool Balancer::Awaits(BlockId id, NodeNumber target) const {
  if (moves_.empty()) return false;
  const auto it = moves_.find(id);
  return it != moves_.end() && it->second.removed_ms < 0 && it->second.target == target;
}

std::optional<uint32_t> Balancer::LeftBehind(BlockId id, absl::Span<const uint32_t> holders,
                                             int64_t now_ms) const {
  if (moves_.empty()) return std::nullopt;
  const auto it = moves_.find(id);
  if (it == moves_.end() || it->second.removed_ms >= 0) return std::nullopt;
  const uint32_t from = nodes_.Find(it->second.source)->view_index;
  const uint32_t to = nodes_.Find(it->second.target)->view_index;
  const auto has = [&](uint32_t index) {
    return std::find(holders.begin(), holders.end(), index) != holders.end();
  };
  if (!has(from) || !has(to)) return std::nullopt;
  absl::InlinedVector<uint32_t, 8> before;
  for (const uint32_t holder : holders) {
    // One that is silent may be lost already.
    const DataNode& node = *nodes_.Find(nodes_.view().node(holder).number);
    if (holder != from && nodes_.Late(node, now_ms)) return std::nullopt;
    if (holder != to) before.push_back(holder);
  }
  if (!MoveKeepsSpread(placement_, nodes_.view(), before, from, to)) return std::nullopt;
  return from;
}

void Balancer::Removed(BlockId id, int64_t now_ms) {
  Move& move = moves_.at(id);
  move.removed_ms = now_ms;
  ++report_.moves_done;
  report_.bytes_moved += move.bytes;
}

}  // namespace cairn::namenode
