// What DataNodes say: registrations, heartbeats, reports.
#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/status.h"
#include "namenode/blocks/reported_state.h"

namespace cairn::namenode {

absl::Status ReportedState::PrepareRegister(const NodeRegistration& registration) {
  RETURN_IF_ERROR(nodes_.CheckRegistration(registration, Now()));
  for (const StorageReport& report : registration.storages) {
    Storage* storage = nodes_.FindStorage(report.number);
    if (storage == nullptr || storage->blocks.empty()) continue;
    const bool moved = storage->node != nullptr && storage->node->number != registration.number;
    if (moved && !storage->lost) {
      storage->lost = true;
      storage->away = false;
      Lose({storage});
    }
  }
  return absl::OkStatus();
}

absl::Status ReportedState::Register(const NodeRegistration& registration) {
  const int64_t now = Now();
  RETURN_IF_ERROR(nodes_.CheckRegistration(registration, now));
  DropNodeOrders(registration.number);
  Lose(nodes_.Register(registration, now));
  DataNode& node = *nodes_.Find(registration.number);
  if (!node.in_service()) JudgeAnew(node);
  requeue_ = true;
  LogInfo("DataNode {} registered as number {} at {}, rack {}, {} volumes", registration.id,
          registration.number,
          registration.addresses.empty() ? std::string("-") : registration.addresses[0], node.rack,
          registration.storages.size());
  return absl::OkStatus();
}

void ReportedState::Lose(const std::vector<Storage*>& storages) {
  for (Storage* storage : storages) {
    LogWarn("volume {} ({}) of DataNode {} is lost with {} replicas", storage->path, storage->id,
            storage->node->id, storage->blocks.size());
    lost_.push_back(storage);
  }
}

void ReportedState::DropNodeOrders(NodeNumber node) {
  deletions_.DropNode(node);
  for (const BlockId id : copies_.CancelNode(node)) {
    if (BlockEntry* block = blocks_.Find(id)) Evaluate(id, *block);
  }
}

void ReportedState::CopiesFailed(const DataNode& source, const std::vector<BlockId>& blocks) {
  const int64_t now = Now();
  for (const BlockId id : blocks) {
    if (balancer_.HasMove(id)) continue;  // in no hurry: it gives its moves their time
    if (!copies_.Failed(id, source.number, now)) continue;
    if (BlockEntry* block = blocks_.Find(id)) Evaluate(id, *block);
  }
  if (blocks.empty()) return;
  LogInfo("DataNode {} could not copy {} blocks, the first of them {}", source.id, blocks.size(),
          blocks.front());
}

// --- Heartbeats -----------------------------------------------------------------------------

absl::StatusOr<std::vector<NodeCommand>> ReportedState::Heartbeat(std::string_view id,
                                                                  uint64_t incarnation,
                                                                  const HeartbeatReport& report) {
  ASSIGN_OR_RETURN(DataNode * node, nodes_.Speaker(id, incarnation));
  const int64_t now = Now();
  const bool was_late = nodes_.Late(*node, now);
  Lose(nodes_.Heartbeat(*node, report, now));
  requeue_ |= was_late;
  CopiesFailed(*node, report.failed_copies);
  std::vector<NodeCommand> commands;
  if (!safe_mode_.on()) AddCommands(*node, &commands);
  AskForReports(*node, &commands);
  return commands;
}

void ReportedState::AddCommands(DataNode& node, std::vector<NodeCommand>* commands) {
  const size_t max = options_.max_deletes_per_heartbeat;
  const int64_t deadline_ms = Now() + options_.delete_timeout_ms;
  DeleteReplicas deletes{deletions_.Take(node.number, max, deadline_ms)};
  // Not while replicas that were lost are in the map: they look as if they were enough.
  if (lost_.empty()) {
    const auto keep = [this](StorageNumber storage, const Block& block) {
      return KeepExcess(storage, block);
    };
    const auto excess =
        deletions_.TakeExcess(node.number, max - deletes.blocks.size(), deadline_ms, keep);
    deletes.blocks.insert(deletes.blocks.end(), excess.begin(), excess.end());
  }
  if (!deletes.blocks.empty()) commands->push_back(std::move(deletes));
  for (const DataNode::CopyOrder& order : std::exchange(node.copy_orders, {})) {
    const BlockEntry* block = blocks_.Find(order.block);
    if (block == nullptr || !copies_.Pending(order.block, node.number)) continue;
    const Block copied{order.block, block->generation(), block->length()};
    commands->push_back(CopyReplica{copied, NodeAddresses(order.targets)});
  }
  AddRecoveries(node, commands);
}

void ReportedState::AskForReports(DataNode& node, std::vector<NodeCommand>* commands) {
  const int64_t now = Now();
  const auto asked = [&](const Storage& storage) {
    return storage.report_due() && storage.report_asked_ms != 0 &&
           now - storage.report_asked_ms < options_.report_request_after_ms;
  };
  SendFullReport request;
  for (Storage* storage : node.storages) {
    if (!storage->report_due()) continue;
    const int64_t last_ms =
        std::max({node.registered_ms, storage->report_asked_ms,
                  storage->window.active() ? storage->window.last_piece_ms() : 0});
    if (now - last_ms >= options_.report_request_after_ms) {
      request.storages.push_back(storage->number);
    }
  }
  if (request.storages.empty()) return;
  uint32_t busy = 0;
  nodes_.ForEach([&](const DataNode& other) {
    busy += std::any_of(other.storages.begin(), other.storages.end(),
                        [&](const Storage* s) { return asked(*s); });
  });
  if (busy >= options_.max_report_requests) return;
  for (const StorageNumber number : request.storages) {
    nodes_.FindStorage(number)->report_asked_ms = now;
  }
  commands->push_back(std::move(request));
}

// --- Reports --------------------------------------------------------------------------------

absl::Status ReportedState::BeginReport(std::string_view id, uint64_t incarnation,
                                        StorageNumber number) {
  ASSIGN_OR_RETURN(Storage * storage, nodes_.SpeakerStorage(id, incarnation, number));
  storage->window.Begin(Now(), options_.report_snapshot_margin_ms);
  return absl::OkStatus();
}

absl::Status ReportedState::ReportPiece(std::string_view id, uint64_t incarnation,
                                        StorageNumber number,
                                        absl::Span<const ReplicaRecord> replicas) {
  ASSIGN_OR_RETURN(Storage * storage, nodes_.SpeakerStorage(id, incarnation, number));
  if (storage->lost || !storage->window.active()) {
    return absl::AbortedError("the full report was interrupted; send it again");
  }
  storage->window.Progress(Now());
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < replicas.size(); ++i) {
    if (i + kAhead < replicas.size()) blocks_.Prefetch(replicas[i + kAhead].block.id);
    const ReplicaRecord& record = replicas[i];
    const ReplicaState state = record.waiting ? ReplicaState::kWaiting
                               : record.open  ? ReplicaState::kOpen
                                              : ReplicaState::kFinalized;
    TakeReported(*storage, record.block, state, /*incremental=*/false);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ReportedState::SweepReport(std::string_view id, uint64_t incarnation,
                                                StorageNumber number, BlockId& cursor, size_t max) {
  ASSIGN_OR_RETURN(Storage * storage, nodes_.SpeakerStorage(id, incarnation, number));
  if (storage->lost || !storage->window.active()) {
    return absl::AbortedError("the full report was interrupted; send it again");
  }
  const std::vector<BlockId> slice = storage->blocks.From(cursor, max);
  for (const BlockId block_id : slice) {
    if (storage->window.Named(block_id) || storage->window.Touched(block_id)) continue;
    BlockEntry& block = *blocks_.Find(block_id);
    blocks_.RemoveReplica(block_id, block, *storage);
    Evaluate(block_id, block);
  }
  if (slice.size() == max) {
    cursor = slice.back() + 1;
    return false;
  }
  storage->window.End();
  storage->stale = false;
  if (storage->window.begun_ms() >= storage->report_wanted_ms) storage->report_wanted_ms = 0;
  nodes_.Refresh(*storage->node, Now());
  queues_.RequeueSurplus();
  requeue_ = true;
  LogInfo("volume {} of DataNode {} reported: {} replicas", storage->path, storage->node->id,
          storage->blocks.size());
  return true;
}

absl::Status ReportedState::IncrementalReport(std::string_view id, uint64_t incarnation,
                                              uint64_t sequence, bool last,
                                              absl::Span<const ReplicaChange> changes) {
  ASSIGN_OR_RETURN(DataNode * node, nodes_.Speaker(id, incarnation));
  if (sequence != 0 && sequence <= node->last_sequence) return absl::OkStatus();
  for (const ReplicaChange& change : changes) {
    ASSIGN_OR_RETURN(Storage * storage, nodes_.SpeakerStorage(id, incarnation, change.storage));
    if (storage->lost) continue;
    switch (change.kind) {
      case ReplicaChange::Kind::kReceived:
        node->newest_received = std::max(node->newest_received, change.block.id);
        TakeReported(*storage, change.block, ReplicaState::kFinalized, /*incremental=*/true);
        break;
      case ReplicaChange::Kind::kWaiting:
        TakeReported(*storage, change.block, ReplicaState::kWaiting, /*incremental=*/true);
        break;
      case ReplicaChange::Kind::kDeleted:
        TakeDeleted(*storage, change.block);
        break;
    }
    storage->window.Touch(change.block.id, Now(), options_.report_snapshot_margin_ms);
  }
  if (last && sequence != 0) node->last_sequence = sequence;
  return absl::OkStatus();
}

void ReportedState::TakeReported(Storage& storage, const Block& reported, ReplicaState state,
                                 bool incremental) {
  const NodeNumber node = storage.node->number;
  BlockEntry* block = blocks_.Find(reported.id);
  if (block == nullptr) return DeleteUnknown(node, reported);
  if (deletions_.Contains(node, reported.id, reported.generation)) return;
  const std::optional<Replica> known = blocks_.FindReplica(reported.id, *block, storage);
  const bool same = known.has_value() && known->generation == reported.generation;
  const bool equal = same && known->length == reported.length;
  if (!incremental) {
    // The report may be older than what is known; all that it can still do is to confirm.
    const bool confirms =
        equal && known->state == ReplicaState::kProvisional && state == ReplicaState::kFinalized;
    if (!confirms && storage.window.Touched(reported.id)) return;
    storage.window.Name(reported.id);
  }
  // A report does not take a bad mark back (it may be a late repetition): only a deletion does.
  if (same && known->state == ReplicaState::kBad) return;
  if (equal && known->state == state) return;  // nothing new: nearly all of a full report
  const Replica replica{&storage, reported.generation, reported.length, state};
  blocks_.PutReplica(reported.id, *block, replica);
  if (WorthOf(*block, replica) == ReplicaWorth::kGood) copies_.Arrived(reported.id, node);
  Evaluate(reported.id, *block);
  if (balancer_.Awaits(reported.id, node)) EndMove(reported.id, *block);
}

void ReportedState::DeleteUnknown(NodeNumber node, const Block& reported) {
  // No file has it. But ids above the counters are not ours to judge: this NameNode may run on an
  // old copy of the journal. Nor are those that a newer copy gave out.
  if (reported.id > highest_block_id_ || reported.generation > highest_generation_) return;
  const auto within = [&](const IdRange& range) {
    return (reported.id >= range.first && reported.id <= range.last) ||
           (reported.generation >= range.first_stamp && reported.generation <= range.last_stamp);
  };
  if (std::any_of(spared_.begin(), spared_.end(), within)) return;
  deletions_.Add(node, reported);
}

void ReportedState::TakeDeleted(Storage& storage, const Block& reported) {
  deletions_.Done(storage.node->number, reported.id, reported.generation);
  BlockEntry* block = blocks_.Find(reported.id);
  if (block == nullptr) return;
  const std::optional<Replica> replica = blocks_.FindReplica(reported.id, *block, storage);
  if (replica.has_value() && replica->generation == reported.generation) {
    blocks_.RemoveReplica(reported.id, *block, storage);
  }
  Evaluate(reported.id, *block);  // even without: the node may take a copy again
}

absl::Status ReportedState::BadReplica(std::string_view id, uint64_t incarnation,
                                       StorageNumber number, const Block& reported) {
  ASSIGN_OR_RETURN(Storage * storage, nodes_.SpeakerStorage(id, incarnation, number));
  BlockEntry* block = blocks_.Find(reported.id);
  const NodeNumber node = storage->node->number;
  if (storage->lost) return absl::OkStatus();
  if (deletions_.Contains(node, reported.id, reported.generation)) {
    deletions_.Add(node, reported);  // not kept any more, were it excess
    return absl::OkStatus();
  }
  if (block == nullptr) {
    DeleteUnknown(node, reported);
    return absl::OkStatus();
  }
  const std::optional<Replica> known = blocks_.FindReplica(reported.id, *block, *storage);
  if (known.has_value() && known->generation > reported.generation) return absl::OkStatus();
  blocks_.PutReplica(reported.id, *block,
                     {storage, reported.generation, reported.length, ReplicaState::kBad});
  storage->window.Touch(reported.id, Now(), options_.report_snapshot_margin_ms);
  if (copies_.Pending(reported.id, node)) copies_.Cancel(reported.id);
  LogWarn("the replica of block {} (generation {}) on DataNode {} is bad", reported.id,
          reported.generation, storage->node->id);
  Evaluate(reported.id, *block);
  return absl::OkStatus();
}

}  // namespace cairn::namenode
