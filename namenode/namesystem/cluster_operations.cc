#include "namenode/namesystem/cluster_operations.h"

#include <fmt/core.h>

#include <limits>
#include <memory>
#include <utility>

#include "common/logging.h"

namespace cairn::namenode {
namespace {

Counters CountersOf(const Namesystem& namesystem) {
  Counters counters;
  namesystem.Peek([&](const FsState& state) { counters = state.counters(); });
  return counters;
}

absl::Status RequireSuperuser(const Caller& caller) {
  if (caller.superuser) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("Permission denied: user {} is no superuser", caller.user));
}

}  // namespace

ClusterOperations::ClusterOperations(Namesystem* namesystem, BlockManager* blocks,
                                     ForcedSafeMode* forced, const NamespaceConfig& config,
                                     std::string cluster_id, int64_t heartbeat_interval_ms)
    : namesystem_(namesystem),
      blocks_(blocks),
      forced_(forced),
      cluster_id_(std::move(cluster_id)),
      default_replication_(config.default_replication),
      block_size_(config.default_block_size),
      heartbeat_interval_ms_(heartbeat_interval_ms),
      accept_older_journal_(config.accept_older_journal),
      at_start_(CountersOf(*namesystem)),
      epoch_(at_start_.epoch) {}

absl::Status ClusterOperations::CheckRegistration(const RegisterNode& request) const {
  if (!request.cluster_id.empty() && request.cluster_id != cluster_id_) {
    return absl::FailedPreconditionError(
        fmt::format("the DataNode's data belongs to cluster {}, this NameNode serves {}",
                    request.cluster_id, cluster_id_));
  }
  if (request.node.id.empty() || request.node.addresses.empty() || request.node.storages.empty()) {
    return absl::InvalidArgumentError("a registration names an id, an address and a storage");
  }
  return absl::OkStatus();
}

bool ClusterOperations::KnowsMore(const RegisterNode& request, const Counters& now) {
  const auto beyond_start = [this](BlockId block, GenerationStamp generation) {
    return block >= at_start_.next_block || generation >= at_start_.next_generation;
  };
  bool first = false;
  {
    MutexLock lock(mu_);
    first = registered_.insert(request.node.id).second;
  }
  if (first && beyond_start(request.highest_block, request.highest_generation)) {
    // What a node knew before this start, others gave it: ids that were given out since then are no
    // proof that the journal holds them.
    if (!request.at_last_contact.has_value()) return true;
    if (beyond_start(request.at_last_contact->first, request.at_last_contact->second)) return true;
    // What it has learned since it last heard from a NameNode, writers may have brought from this
    // one. Where that is not so, a replica without a file here must not be deleted.
    blocks_->SpareIds(at_start_.next_block, request.highest_block, at_start_.next_generation,
                      request.highest_generation);
  }
  return request.highest_block >= now.next_block ||
         request.highest_generation >= now.next_generation || request.highest_epoch > now.epoch;
}

void ClusterOperations::CheckAge(const RegisterNode& request, StatusReply next) {
  const Counters now = CountersOf(*namesystem_);
  if (!KnowsMore(request, now)) return next(absl::OkStatus());
  const std::string knows = fmt::format(
      "this NameNode runs on an older copy of its journal: DataNode {} knows block {}, "
      "generation {}, epoch {}; the journal ended at {}, {}, {}",
      request.node.id, request.highest_block, request.highest_generation, request.highest_epoch,
      at_start_.next_block - 1, at_start_.next_generation - 1, at_start_.epoch);
  if (accept_older_journal_) {
    LogWarn("{}. It is accepted: the counters go on behind these", knows);
    return RaiseCounters(request, std::move(next));
  }
  LogError("{}", knows);
  forced_->SetOlderJournal(
      fmt::format("safe mode: {}. Stop it and start it on its newest --data-dir, or, if that is "
                  "lost, with --accept-older-journal",
                  knows));
  next(absl::OkStatus());
}

void ClusterOperations::RaiseCounters(const RegisterNode& request, StatusReply next) {
  // Of what was given out after the journal's end nothing is known: nothing of it is deleted, also
  // once new blocks have raised the limits.
  blocks_->SpareIds(at_start_.next_block, request.highest_block, at_start_.next_generation,
                    request.highest_generation);
  namesystem_->Commit(
      Origin::kInternal, std::nullopt,
      [&](const FsState& s) {
        return PlanRaiseCounters(s, request.highest_block, request.highest_generation,
                                 request.highest_epoch);
      },
      [this, next = std::move(next)](absl::StatusOr<Answer> answer) {
        if (answer.ok()) epoch_.store(CountersOf(*namesystem_).epoch);
        next(answer.status());
      });
}

void ClusterOperations::Register(RegisterNode request, Reply<RegisteredNode> reply) {
  if (absl::Status valid = CheckRegistration(request); !valid.ok()) return reply(std::move(valid));
  auto held = std::make_shared<RegisterNode>(std::move(request));
  CheckAge(*held, [this, held, reply = std::move(reply)](const absl::Status& checked) {
    if (!checked.ok()) return reply(checked);
    CommitRegistration(std::move(*held), reply);
  });
}

void ClusterOperations::CommitRegistration(RegisterNode request, Reply<RegisteredNode> reply) {
  RegisterNodeRequest plan_request{request.node.id, request.node.rack, {}};
  for (const StorageReport& storage : request.node.storages) {
    plan_request.storage_ids.push_back(storage.id);
  }
  auto node = std::make_shared<NodeRegistration>(std::move(request.node));
  namesystem_->Commit(
      Origin::kInternal, std::nullopt,
      [&](const FsState& s) { return PlanRegisterNode(s, plan_request); },
      [this, node, reply = std::move(reply)](absl::StatusOr<Answer> answer) {
        if (!answer.ok()) return reply(answer.status());
        const auto& numbers = std::get<RegisteredAnswer>(*answer);
        node->number = numbers.node;
        for (size_t i = 0; i < node->storages.size(); ++i) {
          node->storages[i].number = numbers.storages[i];
        }
        if (absl::Status taken = blocks_->Register(*node); !taken.ok()) return reply(taken);
        reply(RegisteredNode{cluster_id_, numbers.node, numbers.storages, epoch(),
                             heartbeat_interval_ms_});
      });
}

void ClusterOperations::CommitRecovery(const RecoveredBlock& request, StatusReply reply) {
  if (absl::Status known = blocks_->CheckSpeaker(request.node_id, request.incarnation);
      !known.ok()) {
    return reply(std::move(known));
  }
  // Refused in safe mode, as clients' changes are: the journal may be an older one.
  namesystem_->Commit(
      Origin::kClient, std::nullopt,
      [&](const FsState& s) { return PlanCommitRecovery(s, request.block, request.storages); },
      [this, block = request.block, node = request.node_id,
       reply = std::move(reply)](absl::StatusOr<Answer> answer) {
        if (answer.ok()) {
          LogInfo("block {} was recovered by DataNode {}: {} bytes, generation {}", block.id, node,
                  block.length, block.generation);
          namesystem_->WakeLeases();  // for the file's next block
        }
        reply(answer.status());
      });
}

void ClusterOperations::Report(Reply<ClusterOverview> reply) {
  ClusterOverview overview;
  overview.report = blocks_->Report();
  overview.default_replication = default_replication_;
  overview.block_size = block_size_;
  namesystem_->Read<ClusterOverview>(
      [&](const FsState& state) {
        overview.files = state.files();
        return ReadResult<ClusterOverview>{std::move(overview), state.applied_txid()};
      },
      std::move(reply));
}

void ClusterOperations::Health(size_t limit, Reply<HealthOverview> reply) {
  HealthOverview overview;
  overview.report = blocks_->Health(limit);
  namesystem_->Read<HealthOverview>(
      [&](const FsState& state) {
        const auto add = [&](const auto& issues) {
          for (const auto& issue : issues) {
            std::string& path = overview.paths[issue.inode];
            if (path.empty()) path = state.PathOf(issue.inode);
          }
        };
        add(overview.report.under_replicated);
        add(overview.report.over_replicated);
        add(overview.report.corrupt);
        add(overview.report.missing);
        return ReadResult<HealthOverview>{std::move(overview), state.applied_txid()};
      },
      std::move(reply));
}

absl::StatusOr<SafeModeState> ClusterOperations::SafeMode(const Caller& caller,
                                                          SafeModeAction action) {
  if (action != SafeModeAction::kGet) {
    RETURN_IF_ERROR(RequireSuperuser(caller));
    if (action == SafeModeAction::kEnter) {
      blocks_->EnterSafeMode();
    } else {
      RETURN_IF_ERROR(blocks_->LeaveSafeMode());
    }
    LogInfo("safe mode {} by {}", action == SafeModeAction::kEnter ? "entered" : "left",
            caller.user);
  }
  return blocks_->SafeModeNow();
}

void ClusterOperations::SetAdminState(const CallContext& call, std::string_view node,
                                      NodeAction action, Reply<std::string> reply) {
  if (absl::Status may = RequireSuperuser(call.caller); !may.ok()) return reply(std::move(may));
  const absl::StatusOr<NodeIdentity> found = blocks_->FindNode(node);
  if (!found.ok()) return reply(found.status());
  const AdminState state = action == NodeAction::kDecommission  ? AdminState::kDecommissioning
                           : action == NodeAction::kMaintenance ? AdminState::kMaintenance
                                                                : AdminState::kInService;
  namesystem_->Commit(
      Origin::kClient, call.key,
      [&](const FsState& s) {
        return PlanSetAdminState(s, call.caller, {found->number, state});
      },
      [id = found->id, state, user = call.caller.user,
       reply = std::move(reply)](const absl::StatusOr<Answer>& answer) {
        if (!answer.ok()) return reply(answer.status());
        LogInfo("DataNode {} shall be {}, says {}", id, ToString(state), user);
        reply(id);
      });
}

absl::StatusOr<BalanceOverview> ClusterOperations::Balance(const Caller& caller,
                                                           BalanceAction action,
                                                           double threshold_percent) {
  BalanceOverview overview;
  if (action != BalanceAction::kGet) {
    RETURN_IF_ERROR(RequireSuperuser(caller));
    if (action == BalanceAction::kStart) {
      ASSIGN_OR_RETURN(overview.started, blocks_->StartBalancing(threshold_percent));
    } else {
      blocks_->StopBalancing();
    }
    LogInfo("{} asked to {} the balancer", caller.user,
            action == BalanceAction::kStart ? "start" : "stop");
  }
  overview.report = blocks_->BalanceProgress();
  return overview;
}

absl::StatusOr<RepairRound> ClusterOperations::Repair(const Caller& caller, uint64_t max) {
  RETURN_IF_ERROR(RequireSuperuser(caller));
  RepairRound round = blocks_->Repair(max == 0 ? std::numeric_limits<uint64_t>::max() : max);
  LogInfo("a round of repairs for {}: {} blocks planned, {} wait", caller.user, round.planned,
          round.waiting);
  return round;
}

absl::StatusOr<TxId> ClusterOperations::Checkpoint(const Caller& caller) {
  RETURN_IF_ERROR(RequireSuperuser(caller));
  return checkpoint_();
}

}  // namespace cairn::namenode
