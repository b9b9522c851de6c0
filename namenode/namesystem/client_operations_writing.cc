// Writing: files that are created and filled, pipelines that change, files that are opened again.
#include <algorithm>
#include <utility>

#include "common/crc32c.h"
#include "common/logging.h"
#include "common/status.h"
#include "namenode/namesystem/client_operations.h"

namespace cairn::namenode {
namespace {

// A plan for a new block is asked even when placement found no targets: a refusal of the path or
// the lease is the better answer, and a call that needs no block goes on. But why there are none,
// placement tells better than the plan.
Planned WithTargets(Planned planned, const absl::Status& targets) {
  const bool want = planned.status.ok() || KindOf(planned.status) == ErrorKind::kNotEnoughDataNodes;
  if (!want || targets.ok()) return planned;
  planned.status = targets;
  planned.edit.reset();
  return planned;
}

// The answer as the call's own kind. A retry that names another kind of call gets no answer of it.
template <typename T>
absl::StatusOr<T> AnswerAs(absl::StatusOr<Answer> answer) {
  RETURN_IF_ERROR(answer.status());
  T* value = std::get_if<T>(&*answer);
  if (value == nullptr) {
    return absl::InvalidArgumentError("this call id was used for a call of another kind");
  }
  return std::move(*value);
}

}  // namespace

TargetRequest ClientOperations::TargetsFor(const CallContext& call, uint32_t count,
                                           uint32_t min_required, uint64_t block_size,
                                           const std::vector<NodeNumber>& excluded) const {
  TargetRequest request;
  request.count = count;
  request.min_required = min_required;
  request.writer_host = call.host;
  request.writer_rack = call.rack;
  request.excluded = excluded;
  request.block_size = block_size;
  return request;
}

absl::Status ClientOperations::ChooseTargets(const TargetRequest& request, Facts* facts) {
  absl::StatusOr<std::vector<NodeNumber>> targets = blocks_->ChooseTargets(request);
  RETURN_IF_ERROR(targets.status());
  facts->targets = *std::move(targets);
  return absl::OkStatus();
}

// --- Files that are written -----------------------------------------------------------------

void ClientOperations::Create(const CallContext& call, CreateRequest request,
                              Reply<CreatedFile> reply) {
  if (request.mode == 0) request.mode = 0666 & ~config_.umask;
  Facts facts = FactsNow();
  absl::Status targets;
  if (request.with_block) {
    // Replication and size may be out of range here; the plan refuses them.
    const uint32_t replication =
        request.replication == 0 ? facts.default_replication : request.replication;
    const uint32_t min_required =
        request.consistency == Consistency::kStrong ? std::min(facts.min_replicas, replication) : 1;
    TargetRequest wanted =
        TargetsFor(call, replication, min_required,
                   request.block_size == 0 ? facts.default_block_size : request.block_size, {});
    wanted.key = Crc32c(request.path);  // the file has no id yet
    targets = ChooseTargets(wanted, &facts);
  }
  request.holder = call.key.client;
  RenewLease(call);
  Commit(
      call,
      [&call, request = std::move(request), facts = std::move(facts),
       targets = std::move(targets)](const FsState& s) {
        return Noted(call, s, WithTargets(PlanCreate(s, call.caller, request, facts), targets));
      },
      [this, reply = std::move(reply)](absl::StatusOr<Answer> answer) {
        const auto created = AnswerAs<CreatedAnswer>(std::move(answer));
        if (!created.ok()) return reply(created.status());
        CreatedFile file;
        file.inode = created->inode;
        file.replication = created->replication;
        file.block_size = created->block_size;
        file.min_replicas = created->min_replicas;
        if (created->block.has_value()) file.block = Locate(*created->block);
        reply(std::move(file));
      });
}

void ClientOperations::AddBlock(const CallContext& call, AddBlockRequest request,
                                const std::vector<NodeNumber>& excluded,
                                Reply<LocatedBlock> reply) {
  request.holder = call.key.client;
  Facts facts = FactsNow();
  absl::Status targets;
  ReadResult<OpenFileInfo> file;
  namesystem_->Peek(
      [&](const FsState& s) { file = ReadOpenFile(s, request.inode, request.holder); });
  if (file.value.ok()) {
    TargetRequest wanted = TargetsFor(call, file.value->replication, file.value->min_replicas,
                                      file.value->block_size, excluded);
    wanted.key = (request.inode << 24) + file.value->blocks;
    targets = ChooseTargets(wanted, &facts);
  }
  Commit(
      call,
      [&call, request = std::move(request), facts = std::move(facts),
       targets = std::move(targets)](const FsState& s) {
        return WithTargets(PlanAddBlock(s, call.caller, request, facts), targets);
      },
      [this, reply = std::move(reply)](absl::StatusOr<Answer> answer) {
        const auto added = AnswerAs<NewBlockAnswer>(std::move(answer));
        if (!added.ok()) return reply(added.status());
        reply(Locate(added->block));
      });
}

void ClientOperations::AbandonBlock(const CallContext& call, AbandonBlockRequest request,
                                    StatusReply reply) {
  request.holder = call.key.client;
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanAbandonBlock(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::NewStamp(const CallContext& call, NewStampRequest request,
                                const Replacements& replacements, Reply<IssuedStamp> reply) {
  request.holder = call.key.client;
  Facts facts = FactsNow();
  ReadResult<OpenFileInfo> file;
  if (replacements.wanted > 0) {
    namesystem_->Peek(
        [&](const FsState& s) { file = ReadOpenFile(s, request.inode, request.holder); });
  }
  if (file.value.ok()) {
    // Fewer will do, and none: the pipeline then goes on with its survivors.
    TargetRequest wanted =
        TargetsFor(call, std::min(replacements.wanted, file.value->replication),
                   /*min_required=*/0, file.value->block_size, replacements.excluded);
    wanted.existing = replacements.survivors;
    wanted.block = request.block.id;
    wanted.key = request.block.id;
    (void)ChooseTargets(wanted, &facts);
  }
  Commit(
      call,
      [&call, request = std::move(request), facts = std::move(facts)](const FsState& s) {
        return PlanNewStamp(s, call.caller, request, facts);
      },
      [this, reply = std::move(reply)](absl::StatusOr<Answer> answer) {
        const auto stamp = AnswerAs<NewStampAnswer>(std::move(answer));
        if (!stamp.ok()) return reply(stamp.status());
        // DataNodes may have it from now on, even if it never becomes the block's.
        blocks_->SetIdLimits(0, stamp->generation);
        reply(IssuedStamp{stamp->generation, blocks_->NodeAddresses(stamp->targets)});
      });
}

void ClientOperations::UpdatePipeline(const CallContext& call, UpdatePipelineRequest request,
                                      StatusReply reply) {
  request.holder = call.key.client;
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanUpdatePipeline(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::Complete(const CallContext& call, CompleteRequest request,
                                StatusReply reply) {
  request.holder = call.key.client;
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanComplete(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::AbandonFile(const CallContext& call, AbandonFileRequest request,
                                   StatusReply reply) {
  request.holder = call.key.client;
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanAbandonFile(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::RenewLease(const CallContext& call) {
  namesystem_->RenewLease(call.key.client);
}

// --- Files that are opened again ------------------------------------------------------------

void ClientOperations::TakeOver(const OpenHolder& open, StatusReply next) {
  namesystem_->Commit(
      Origin::kClient, std::nullopt,
      [&](const FsState& s) { return PlanTakeOver(s, open.inode, open.holder); },
      [this, next = std::move(next)](absl::StatusOr<Answer> answer) {
        namesystem_->WakeLeases();
        next(answer.status());
      });
}

void ClientOperations::TakeFromSilent(const CallContext& call, const std::string& path,
                                      StatusReply next) {
  namesystem_->Read<std::optional<OpenHolder>>(
      [&](const FsState& s) { return ReadHolder(s, call.caller, path, FactsNow()); },
      [this, path, next = std::move(next)](absl::StatusOr<std::optional<OpenHolder>> open) {
        // What is wrong with the path the plan tells; and a retry gets the answer it had.
        if (!open.ok() || !open->has_value()) return next(absl::OkStatus());
        const OpenHolder& writer = **open;
        if (!namesystem_->LeaseExpired(writer.holder, config_.lease_soft_limit_ms)) {
          return next(absl::OkStatus());
        }
        LogInfo("{} is taken from a writer that fell silent", path);
        TakeOver(writer, std::move(next));
      });
}

void ClientOperations::FindReplicas(const CallContext& call, const std::string& path,
                                    uint64_t length, std::function<void(Facts)> next) {
  // Released once it is durable, so that the block room knows of the block as well.
  namesystem_->Read<std::optional<BlockInfo>>(
      [&](const FsState& s) { return ReadLastBlock(s, call.caller, path, length, FactsNow()); },
      [this, next = std::move(next)](absl::StatusOr<std::optional<BlockInfo>> block) {
        Facts facts = FactsNow();
        if (block.ok() && block->has_value()) {
          // Where another has opened it meanwhile, the plan must not take it for one that nobody
          // has, even if it is closed again by then.
          auto nodes = blocks_->GoodNodes((*block)->block);
          if (nodes.has_value()) {
            facts.targets_block = (*block)->block;
            facts.targets = *std::move(nodes);
          }
        }
        next(std::move(facts));
      });
}

void ClientOperations::Append(const CallContext& call, AppendRequest request,
                              Reply<AppendedFile> reply) {
  request.holder = call.key.client;
  RenewLease(call);
  const std::string path = request.path;
  TakeFromSilent(call, path,
                 [this, call, request = std::move(request),
                  reply = std::move(reply)](const absl::Status& taken) {
                   if (!taken.ok()) return reply(taken);
                   FindReplicas(call, request.path, kToAppend,
                                [this, call, request, reply](const Facts& facts) {
                                  CommitAppend(call, request, facts, reply);
                                });
                 });
}

void ClientOperations::CommitAppend(const CallContext& call, const AppendRequest& request,
                                    const Facts& facts, Reply<AppendedFile> reply) {
  namesystem_->Commit(
      Origin::kClient, call.key,
      [&](const FsState& s) { return PlanAppend(s, call.caller, request, facts); },
      [this, reply = std::move(reply)](absl::StatusOr<Answer> answer) {
        const auto appended = AnswerAs<AppendedAnswer>(std::move(answer));
        if (!appended.ok()) return reply(appended.status());
        AppendedFile file;
        file.inode = appended->inode;
        file.length = appended->length;
        file.replication = appended->replication;
        file.block_size = appended->block_size;
        file.min_replicas = appended->min_replicas;
        if (appended->block.has_value()) {
          file.block = Locate(*appended->block, appended->block_length);
        }
        reply(std::move(file));
      });
}

void ClientOperations::Truncate(const CallContext& call, TruncateRequest request,
                                Reply<bool> reply) {
  const std::string path = request.path;
  TakeFromSilent(call, path,
                 [this, call, request = std::move(request),
                  reply = std::move(reply)](const absl::Status& taken) {
                   if (!taken.ok()) return reply(taken);
                   FindReplicas(call, request.path, request.length,
                                [this, call, request, reply](const Facts& facts) {
                                  CommitTruncate(call, request, facts, reply);
                                });
                 });
}

void ClientOperations::CommitTruncate(const CallContext& call, const TruncateRequest& request,
                                      const Facts& facts, Reply<bool> reply) {
  namesystem_->Commit(
      Origin::kClient, call.key,
      [&](const FsState& s) { return PlanTruncate(s, call.caller, request, facts); },
      [this, reply = std::move(reply)](absl::StatusOr<Answer> answer) {
        const auto truncated = AnswerAs<TruncatedAnswer>(std::move(answer));
        if (!truncated.ok()) return reply(truncated.status());
        if (!truncated->done) namesystem_->WakeLeases();
        reply(truncated->done);
      });
}

void ClientOperations::RecoverLease(const CallContext& call, const std::string& path,
                                    Reply<bool> reply) {
  using Holder = std::optional<OpenHolder>;
  const auto read = [this, call, path](std::function<void(absl::StatusOr<Holder>)> done) {
    namesystem_->Read<Holder>(
        [&](const FsState& s) { return ReadHolder(s, call.caller, path, FactsNow()); },
        std::move(done));
  };
  read([this, read, path, user = call.caller.user,
        reply = std::move(reply)](absl::StatusOr<Holder> open) {
    if (!open.ok()) return reply(open.status());
    if (!open->has_value()) return reply(true);
    if ((**open).holder == kNameNodeHolder) {
      namesystem_->WakeLeases();
      return reply(false);
    }
    LogInfo("{} is taken from its writer by {}", path, user);
    TakeOver(**open, [read, reply](const absl::Status& taken) {
      if (!taken.ok()) return reply(taken);
      read([reply](absl::StatusOr<Holder> left) {
        // A temporary has gone with its writer.
        reply(!left.ok() || !left->has_value());
      });
    });
  });
}

}  // namespace cairn::namenode
