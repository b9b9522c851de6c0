#include "namenode/blocks/reported_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/status.h"

namespace cairn::namenode {

ReportedState::ReportedState(BlockManagerOptions options, Clock* clock, uint64_t seed)
    : options_(std::move(options)),
      clock_(clock),
      started_ms_(clock->SteadyMs()),
      placement_(*NewPlacement(options_.placement)),
      random_(seed),
      nodes_(options_),
      safe_mode_(options_.safe_mode_threshold, options_.safe_mode_extension_ms),
      balancer_(options_, &nodes_, &blocks_, &copies_, &deletions_, placement_.get()),
      requeued_ms_(started_ms_) {}

int64_t ReportedState::Now() const { return clock_->SteadyMs(); }

void ReportedState::UpdateSafeMode() {
  const BlockCounts counts = index_.counts();
  safe_mode_.Update(counts.total - counts.missing, counts.total, Now());
}

void ReportedState::RaiseLimits(BlockId id, GenerationStamp generation) {
  highest_block_id_ = std::max(highest_block_id_, id);
  highest_generation_ = std::max(highest_generation_, generation);
}

void ReportedState::QueueRepair(BlockId id, const BlockEntry& block, const ReplicaCounts& counts) {
  // Those of a file that stays open for long too, though they do not count yet.
  const bool finished = block.phase() == BlockPhase::kFinished;
  const bool under = (finished || (block.phase() == BlockPhase::kClosed && repairing_)) &&
                     counts.good > 0 && CopiesNeeded(block, counts) > 0;
  const bool leaving = counts.good + counts.away >= block.replication();  // nothing was lost
  const bool misplaced = block.redundancy() == Redundancy::kMisplaced && repairing_;
  if ((under || misplaced) && !copies_.Pending(id)) {
    const RepairPriority priority = misplaced                        ? RepairPriority::kMisplaced
                                    : leaving && counts.staying == 0 ? RepairPriority::kLeavingAll
                                    : leaving                        ? RepairPriority::kLeaving
                                    : counts.good == 1               ? RepairPriority::kLastReplica
                                    : counts.bad > 0                 ? RepairPriority::kHasBad
                                                                     : RepairPriority::kOther;
    queues_.PutRepair(id, priority);
  } else {
    queues_.RemoveRepair(id);
  }
}

bool ReportedState::Spread(BlockId id, const BlockEntry& block) const {
  absl::InlinedVector<uint32_t, 8> holders;
  for (const DataNode* node : blocks_.CountedNodes(id, block)) {
    holders.push_back(node->view_index);
  }
  return placement_->Spread(nodes_.view(), holders);
}

Redundancy ReportedState::Judge(BlockId id, const BlockEntry& block,
                                const ReplicaCounts& counts) const {
  const Redundancy redundancy = RedundancyOf(block, counts);
  const bool judged = redundancy == Redundancy::kSound && counts.staying + counts.resting > 1 &&
                      nodes_.view().racks() > 1;  // where there is one, nothing can be better
  return judged && !Spread(id, block) ? Redundancy::kMisplaced : redundancy;
}

void ReportedState::Evaluate(BlockId id, BlockEntry& block) {
  const ReplicaCounts counts = blocks_.Count(id, block);
  const Redundancy redundancy = Judge(id, block, counts);
  index_.Move(id, block.redundancy(), redundancy);
  block.set_redundancy(redundancy);
  QueueRepair(id, block, counts);
  for (DataNode* node : leaving_) {
    DependsOn(*node, id, block, counts) ? node->left.insert(id) : node->left.erase(id);
  }

  const bool enough = redundancy == Redundancy::kSound || redundancy == Redundancy::kOver ||
                      redundancy == Redundancy::kMisplaced;
  const bool useless = counts.bad > 0 || counts.outdated > 0;
  if (redundancy == Redundancy::kOver || (enough && useless)) {
    queues_.PutSurplus(id);
  } else {
    queues_.RemoveSurplus(id);
  }
}

// --- From the namespace ---------------------------------------------------------------------

void ReportedState::Apply(const BlockChange& change) {
  if (change.kind == BlockChange::Kind::kAdminState) return ApplyAdminState(change);
  const BlockId id = change.block.id;
  RaiseLimits(id, change.block.generation);
  if (change.kind == BlockChange::Kind::kRemoved) {
    if (BlockEntry* block = blocks_.Find(id)) ApplyRemoved(id, *block);
    return;
  }
  BlockEntry& block = blocks_.Make(id);
  if (change.inode != 0) block.set_inode(change.inode);
  if (change.replication != 0) block.set_replication(change.replication);
  switch (change.kind) {
    case BlockChange::Kind::kOpened:
      ApplyOpened(change, block);
      break;
    case BlockChange::Kind::kFinished:
      ApplyFinished(change, block);
      break;
    case BlockChange::Kind::kFileClosed:
      if (block.phase() == BlockPhase::kOpen) {
        blocks_.SetStamp(id, block, change.block.generation, change.block.length);
        GiveBack(id);
      }
      block.set_phase(BlockPhase::kClosed);
      break;
    case BlockChange::Kind::kReplication:
    case BlockChange::Kind::kRemoved:
    case BlockChange::Kind::kAdminState:
      break;
  }
  Evaluate(id, block);
}

void ReportedState::ApplyFinished(const BlockChange& change, BlockEntry& block) {
  const BlockId id = change.block.id;
  const GenerationStamp generation = change.block.generation;
  const uint64_t length = change.block.length;
  blocks_.SetStamp(id, block, generation, length);
  if (block.phase() == BlockPhase::kOpen) block.set_phase(BlockPhase::kFinished);
  GiveBack(id);
  const int64_t now = Now();
  for (const StorageNumber number : change.storages) {
    Storage* storage = nodes_.FindStorage(number);
    if (storage == nullptr || storage->node == nullptr) continue;
    if (storage->lost || storage->away) continue;
    const std::optional<Replica> replica = blocks_.FindReplica(id, block, *storage);
    // What the DataNode itself has said of this generation is worth more than its writer's word.
    const bool told = replica.has_value() && replica->state != ReplicaState::kOpen &&
                      replica->generation >= generation;
    if (told) continue;
    blocks_.PutReplica(id, block, {storage, generation, length, ReplicaState::kProvisional});
    storage->window.Touch(id, now, options_.report_snapshot_margin_ms);
    unconfirmed_.push_back(
        {now + ConfirmationMs(), now, highest_block_id_, id, generation, number});
  }
}

void ReportedState::ApplyRemoved(BlockId id, BlockEntry& block) {
  blocks_.ForEachReplica(id, block, [&](const Replica& replica) {
    if (replica.storage->lost || replica.storage->away) return;  // its full report will tell
    deletions_.Add(replica.storage->node->number, {id, replica.generation, replica.length});
    replica.storage->window.Touch(id, Now(), options_.report_snapshot_margin_ms);
  });
  DeleteInPipeline(id, block);
  GiveBack(id);
  copies_.Cancel(id);
  queues_.RemoveRepair(id);
  queues_.RemoveSurplus(id);
  for (DataNode* node : leaving_) node->left.erase(id);
  index_.Move(id, block.redundancy(), Redundancy::kUncounted);
  blocks_.Erase(id);
}

// --- For clients ----------------------------------------------------------------------------

absl::StatusOr<std::vector<NodeNumber>> ReportedState::ChooseTargets(const TargetRequest& request) {
  std::vector<NodeNumber> taken = request.excluded;
  taken.insert(taken.end(), request.existing.begin(), request.existing.end());
  bool stale_too = false;
  const auto allowed = [&](NodeNumber node) {
    return std::count(taken.begin(), taken.end(), node) == 0 &&
           MayJoin(node, request.block, stale_too);
  };
  // A count may come from anyone; what is computed from it must stay within the cluster's size.
  const auto nodes = static_cast<uint32_t>(nodes_.view().size());
  PlacementRequest wanted{.count = std::min(request.count, nodes),
                          .existing = {},
                          .writer_host = request.writer_host,
                          .writer_rack = request.writer_rack,
                          .block_size = request.block_size,
                          .key = request.key,
                          .worst_tier = PlacementTier::kLastResort,
                          .allowed = allowed};
  for (const NodeNumber number : request.existing) {
    if (const DataNode* node = nodes_.Find(number)) wanted.existing.push_back(node->view_index);
  }
  std::vector<NodeNumber> targets;
  const auto choose = [&] {
    for (const uint32_t index : placement_->Choose(nodes_.view(), wanted, random_)) {
      targets.push_back(nodes_.view().node(index).number);
      taken.push_back(targets.back());
      wanted.existing.push_back(index);
      --wanted.count;
    }
  };
  choose();
  if (request.block != 0 && wanted.count > 0) {
    stale_too = true;
    choose();
  }
  if (targets.size() < request.min_required) return TooFewTargets(request, targets.size());
  return targets;
}

absl::Status ReportedState::TooFewTargets(const TargetRequest& request, size_t found) const {
  const ClusterView& view = nodes_.view();
  const bool space = std::any_of(view.all().begin(), view.all().end(), [&](uint32_t index) {
    const PlacementNode& node = view.node(index);
    return node.tier != PlacementTier::kUnusable && node.free_bytes < request.block_size;
  });
  const std::string need =
      fmt::format("need {} healthy DataNode{}{}, {} available", request.min_required,
                  request.min_required == 1 ? "" : "s",
                  space ? fmt::format(" with {} bytes free", request.block_size) : "", found);
  size_t away = 0;
  nodes_.ForEach([&](const DataNode& node) { away += node.seen || !node.in_service() ? 0 : 1; });
  // A writer who may do with nodes that it left out need not wait so long for others.
  const int64_t now = Now();
  const auto there =
      std::count_if(request.excluded.begin(), request.excluded.end(), [&](NodeNumber number) {
        const DataNode* const node = nodes_.Find(number);
        return node != nullptr && node->alive && !nodes_.Late(*node, now);
      });
  const bool enough = found + static_cast<size_t>(there) >= request.min_required;
  const int64_t patience_ms = enough ? options_.stale_after_ms : options_.dead_after_ms;
  if (away > 0 && now - started_ms_ < patience_ms) {
    // They served until the NameNode was restarted, and most are about to register: worth a retry.
    return absl::UnavailableError(fmt::format(
        "{}; the NameNode has just started, and {} known to it are yet to register", need, away));
  }
  const size_t short_of = request.min_required - found;
  std::string advice = short_of == 1 ? "add one" : fmt::format("add {}", short_of);
  if (space) advice += " or free space";
  if (found > 0) advice += fmt::format(" or use -r {}", found);
  return WithKind(absl::ResourceExhaustedError(fmt::format("{}; {}", need, advice)),
                  ErrorKind::kNotEnoughDataNodes);
}

namespace {

// 0: the reader's host; then its rack, its region, elsewhere.
int Distance(const DataNode& node, std::string_view host, std::string_view rack) {
  if (!host.empty() && node.host == host) return 0;
  if (!rack.empty() && node.rack == rack) return 1;
  const std::string_view region = RegionOf(rack);
  return !region.empty() && RegionOf(node.rack) == region ? 2 : 3;
}

}  // namespace

std::vector<NodeAddress> ReportedState::NearestFirst(absl::Span<DataNode* const> nodes,
                                                     std::string_view reader_host,
                                                     std::string_view reader_rack) {
  const int64_t now = Now();
  // Those in service, then degraded ones, then those that leave.
  using Rank = std::tuple<int, int, uint64_t, const DataNode*>;
  absl::InlinedVector<Rank, 4> ranks;
  for (const DataNode* node : nodes) {
    const bool degraded = nodes_.State(*node, now, nullptr) == NodeState::kDegraded;
    const int choice = (node->in_service() ? 0 : 2) + (degraded ? 1 : 0);
    ranks.emplace_back(choice, Distance(*node, reader_host, reader_rack), random_(), node);
  }
  std::sort(ranks.begin(), ranks.end());
  std::vector<NodeAddress> addresses;
  addresses.reserve(ranks.size());
  for (const Rank& rank : ranks) addresses.push_back(nodes_.AddressOf(*std::get<3>(rank)));
  return addresses;
}

Nodes ReportedState::ServingNodes(BlockId id, const BlockEntry& block) const {
  Nodes nodes = blocks_.GoodNodes(id, block);
  const int64_t now = Now();
  const auto serving = std::count_if(nodes.begin(), nodes.end(), [&](const DataNode* node) {
    return node->in_service() && !nodes_.Late(*node, now);
  });
  if (serving < block.replication()) return nodes;
  const auto leaves = [](const DataNode* node) { return !node->in_service(); };
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(), leaves), nodes.end());
  return nodes;
}

BlockLocations ReportedState::Locate(BlockId id, std::string_view reader_host,
                                     std::string_view reader_rack) {
  BlockLocations locations;
  const BlockEntry* block = blocks_.Find(id);
  if (block == nullptr) return locations;
  locations.nodes = NearestFirst(ServingNodes(id, *block), reader_host, reader_rack);
  locations.corrupt = locations.nodes.empty() && blocks_.Count(id, *block).bad > 0;
  return locations;
}

std::vector<NodeAddress> ReportedState::LocateOpen(const std::vector<NodeNumber>& pipeline,
                                                   std::string_view reader_host,
                                                   std::string_view reader_rack) {
  Nodes nodes;
  std::vector<NodeAddress> absent;
  for (const NodeNumber number : pipeline) {
    DataNode* node = nodes_.Find(number);
    if (node != nullptr && node->alive) {
      nodes.push_back(node);
    } else {
      absent.push_back({.number = number});
    }
  }
  std::vector<NodeAddress> addresses = NearestFirst(nodes, reader_host, reader_rack);
  addresses.insert(addresses.end(), absent.begin(), absent.end());
  return addresses;
}

std::vector<NodeAddress> ReportedState::NodeAddresses(const std::vector<NodeNumber>& nodes) const {
  std::vector<NodeAddress> addresses;
  for (const NodeNumber number : nodes) {
    const DataNode* node = nodes_.Find(number);
    if (node != nullptr && node->seen) addresses.push_back(nodes_.AddressOf(*node));
  }
  return addresses;
}

// --- Reports --------------------------------------------------------------------------------

ClusterReport ReportedState::Report() const {
  ClusterReport report;
  const int64_t now = Now();
  nodes_.ForEach([&](const DataNode& node) {
    DataNodeReport described = nodes_.Describe(node, now);
    DescribeLeaving(node, &described);
    switch (described.state) {
      case NodeState::kHealthy:
        ++report.nodes_healthy;
        break;
      case NodeState::kDegraded:
        ++report.nodes_degraded;
        break;
      case NodeState::kFailed:
        ++report.nodes_failed;
        break;
      case NodeState::kRecovering:
        ++report.nodes_recovering;
        break;
    }
    if (described.state != NodeState::kFailed) {
      report.capacity_bytes += described.capacity_bytes;
      report.used_bytes += described.used_bytes;
      report.remaining_bytes += described.remaining_bytes;
    }
    report.datanodes.push_back(std::move(described));
  });
  report.blocks = index_.counts();
  report.safe_mode = safe_mode_.on();
  report.safe_mode_reason = safe_mode_.Reason();
  return report;
}

ReplicationIssue ReportedState::IssueOf(BlockId id) const {
  const BlockEntry& block = *blocks_.Find(id);
  ReplicationIssue issue{id, block.inode(), 0, block.replication(), {}};
  for (const DataNode* node : blocks_.GoodNodes(id, block)) issue.nodes.push_back(node->id);
  issue.current_replicas = static_cast<uint32_t>(issue.nodes.size());
  return issue;
}

HealthReport ReportedState::Health(size_t limit) const {
  HealthReport health;
  health.totals = index_.counts();
  const auto list = [&](Redundancy redundancy, auto&& add) {
    size_t listed = 0;
    for (const BlockId id : index_.list(redundancy).From(0, limit + 1)) {
      if (listed == limit) {
        health.truncated = true;
        return;
      }
      listed = add(id);
    }
  };
  list(Redundancy::kUnder, [&](BlockId id) {
    health.under_replicated.push_back(IssueOf(id));
    return health.under_replicated.size();
  });
  list(Redundancy::kOver, [&](BlockId id) {
    health.over_replicated.push_back(IssueOf(id));
    return health.over_replicated.size();
  });
  list(Redundancy::kCorrupt, [&](BlockId id) {
    const BlockEntry& block = *blocks_.Find(id);
    blocks_.ForEachReplica(id, block, [&](const Replica& replica) {
      if (WorthOf(block, replica) != ReplicaWorth::kBad) return;
      if (health.corrupt.size() == limit) {
        health.truncated = true;
      } else {
        health.corrupt.push_back({id, block.inode(), replica.storage->node->id});
      }
    });
    return health.corrupt.size();
  });
  list(Redundancy::kMissing, [&](BlockId id) {
    health.missing.push_back({id, blocks_.Find(id)->inode()});
    return health.missing.size();
  });
  return health;
}

BlockCounts ReportedState::Recount() const {
  RedundancyIndex anew;
  blocks_.ForEach([&](BlockId id, const BlockEntry& block) {
    anew.Move(id, Redundancy::kUncounted, Judge(id, block, blocks_.Count(id, block)));
  });
  return anew.counts();
}

}  // namespace cairn::namenode
