#include "namenode/namesystem/client_operations.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/status.h"

namespace cairn::namenode {
namespace {

// A plan for a new block is asked even when placement found no targets: a refusal of the path or
// the lease is the better answer, and a call that needs no block goes on. But why there are none,
// placement tells better than the plan.
Planned WithTargets(Planned planned, const absl::StatusOr<std::vector<NodeNumber>>& targets) {
  const bool want = planned.status.ok() || KindOf(planned.status) == ErrorKind::kNotEnoughDataNodes;
  if (!want || targets.ok()) return planned;
  planned.status = targets.status();
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

ClientOperations::ClientOperations(Namesystem* namesystem, BlockManager* blocks, Clock* clock,
                                   NamespaceConfig config)
    : namesystem_(namesystem), blocks_(blocks), clock_(clock), config_(std::move(config)) {}

Facts ClientOperations::FactsNow() const {
  Facts facts;
  facts.now_ms = clock_->WallMs();
  facts.limits = config_.limits;
  facts.default_replication = config_.default_replication;
  facts.default_block_size = config_.default_block_size;
  facts.min_replicas = config_.min_replicas;
  facts.superuser_group = config_.superuser_group;
  return facts;
}

void ClientOperations::CommitStatus(const CallContext& call, const Namesystem::PlanFn& plan,
                                    StatusReply reply) {
  namesystem_->Commit(
      Origin::kClient, call.key, plan,
      [reply = std::move(reply)](absl::StatusOr<Answer> answer) { reply(answer.status()); });
}

absl::StatusOr<std::vector<NodeNumber>> ClientOperations::Targets(
    const CallContext& call, uint32_t replication, uint64_t block_size,
    const std::vector<NodeNumber>& excluded) {
  TargetRequest request;
  request.count = replication;
  request.min_required = std::min(config_.min_replicas, replication);
  request.writer_host = call.host;
  request.writer_rack = call.rack;
  request.excluded = excluded;
  request.block_size = block_size;
  return blocks_->ChooseTargets(request);
}

LocatedBlock ClientOperations::Locate(const NewBlock& block) const {
  LocatedBlock located;
  located.block = {block.id, block.generation, 0};
  located.offset = block.offset;
  located.nodes = blocks_->NodeAddresses(block.targets);
  located.open = true;
  return located;
}

LocatedBlock ClientOperations::Locate(const BlockInfo& info, const CallContext& call) const {
  LocatedBlock located;
  located.block = info.block;
  located.offset = info.offset;
  located.open = info.open;
  if (info.open) {
    located.nodes = blocks_->NodeAddresses(info.pipeline);
    return located;
  }
  BlockLocations found = blocks_->Locate(info.block.id, call.host, call.rack);
  located.nodes = std::move(found.nodes);
  located.corrupt = found.corrupt;
  return located;
}

void ClientOperations::Mkdirs(const CallContext& call, MkdirsRequest request, StatusReply reply) {
  if (request.mode == 0) request.mode = 0777 & ~config_.umask;
  CommitStatus(
      call, [&](const FsState& s) { return PlanMkdirs(s, call.caller, request, FactsNow()); },
      std::move(reply));
}

void ClientOperations::Create(const CallContext& call, CreateRequest request,
                              Reply<CreatedFile> reply) {
  if (request.mode == 0) request.mode = 0666 & ~config_.umask;
  Facts facts = FactsNow();
  absl::StatusOr<std::vector<NodeNumber>> targets = std::vector<NodeNumber>();
  if (request.with_block) {
    // Replication and size may be out of range here; the plan refuses them.
    targets =
        Targets(call, request.replication == 0 ? facts.default_replication : request.replication,
                request.block_size == 0 ? facts.default_block_size : request.block_size, {});
    if (targets.ok()) facts.targets = *targets;
  }
  request.holder = call.key.client;
  RenewLease(call);
  namesystem_->Commit(
      Origin::kClient, call.key,
      [&](const FsState& s) {
        return WithTargets(PlanCreate(s, call.caller, request, facts), targets);
      },
      [this, reply = std::move(reply)](absl::StatusOr<Answer> answer) {
        const auto created = AnswerAs<CreatedAnswer>(std::move(answer));
        if (!created.ok()) return reply(created.status());
        CreatedFile file;
        file.inode = created->inode;
        file.replication = created->replication;
        file.block_size = created->block_size;
        file.min_replicas = std::min(config_.min_replicas, created->replication);
        if (created->block.has_value()) file.block = Locate(*created->block);
        reply(std::move(file));
      });
}

void ClientOperations::AddBlock(const CallContext& call, AddBlockRequest request,
                                const std::vector<NodeNumber>& excluded,
                                Reply<LocatedBlock> reply) {
  request.holder = call.key.client;
  Facts facts = FactsNow();
  absl::StatusOr<std::vector<NodeNumber>> targets = std::vector<NodeNumber>();
  ReadResult<OpenFileInfo> file;
  namesystem_->Peek(
      [&](const FsState& s) { file = ReadOpenFile(s, request.inode, request.holder); });
  if (file.value.ok()) {
    targets = Targets(call, file.value->replication, file.value->block_size, excluded);
    if (targets.ok()) facts.targets = *targets;
  }
  namesystem_->Commit(
      Origin::kClient, call.key,
      [&](const FsState& s) {
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
      call, [&](const FsState& s) { return PlanAbandonBlock(s, call.caller, request, FactsNow()); },
      std::move(reply));
}

void ClientOperations::Complete(const CallContext& call, CompleteRequest request,
                                StatusReply reply) {
  request.holder = call.key.client;
  CommitStatus(
      call, [&](const FsState& s) { return PlanComplete(s, call.caller, request, FactsNow()); },
      std::move(reply));
}

void ClientOperations::AbandonFile(const CallContext& call, AbandonFileRequest request,
                                   StatusReply reply) {
  request.holder = call.key.client;
  CommitStatus(
      call, [&](const FsState& s) { return PlanAbandonFile(s, call.caller, request, FactsNow()); },
      std::move(reply));
}

void ClientOperations::RenewLease(const CallContext& call) {
  namesystem_->RenewLease(call.key.client);
}

void ClientOperations::Rename(const CallContext& call, RenameRequest request, StatusReply reply) {
  CommitStatus(
      call, [&](const FsState& s) { return PlanRename(s, call.caller, request, FactsNow()); },
      std::move(reply));
}

void ClientOperations::Delete(const CallContext& call, DeleteRequest request, StatusReply reply) {
  CommitStatus(
      call, [&](const FsState& s) { return PlanDelete(s, call.caller, request, FactsNow()); },
      std::move(reply));
}

void ClientOperations::SetReplication(const CallContext& call, std::string path,
                                      uint32_t replication, StatusReply reply) {
  CommitStatus(
      call,
      [&](const FsState& s) {
        return PlanSetReplication(s, call.caller, path, replication, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::SetTimes(const CallContext& call, std::string path, int64_t mtime_ms,
                                int64_t atime_ms, StatusReply reply) {
  CommitStatus(
      call,
      [&](const FsState& s) {
        return PlanSetTimes(s, call.caller, path, mtime_ms, atime_ms, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::SetOwner(const CallContext& call, std::string path, std::string owner,
                                std::string group, StatusReply reply) {
  CommitStatus(
      call,
      [&](const FsState& s) {
        return PlanSetOwner(s, call.caller, path, owner, group, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::SetPermission(const CallContext& call, std::string path, uint32_t mode,
                                     StatusReply reply) {
  CommitStatus(
      call,
      [&](const FsState& s) { return PlanSetPermission(s, call.caller, path, mode, FactsNow()); },
      std::move(reply));
}

void ClientOperations::GetFileInfo(const CallContext& call, const std::string& path,
                                   Reply<FileStatus> reply) {
  namesystem_->Read<FileStatus>(
      [&](const FsState& s) { return ReadFileInfo(s, call.caller, path, FactsNow()); },
      std::move(reply));
}

void ClientOperations::List(const CallContext& call, const std::string& path,
                            const std::string& start_after, uint32_t limit, Reply<ListPage> reply) {
  namesystem_->Read<ListPage>(
      [&](const FsState& s) {
        return ReadList(s, call.caller, path, start_after, limit, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::GetBlockLocations(const CallContext& call, const std::string& path,
                                         uint64_t offset, uint64_t length,
                                         Reply<LocatedFile> reply) {
  namesystem_->Read<FileBlocks>(
      [&](const FsState& s) {
        return ReadBlocks(s, call.caller, path, offset, length, FactsNow());
      },
      [this, call, reply = std::move(reply)](absl::StatusOr<FileBlocks> file) {
        if (!file.ok()) return reply(file.status());
        LocatedFile located;
        located.status = std::move(file->status);
        located.blocks.reserve(file->blocks.size());
        for (const BlockInfo& info : file->blocks) located.blocks.push_back(Locate(info, call));
        reply(std::move(located));
      });
}

void ClientOperations::GetContentSummary(const CallContext& call, const std::string& path,
                                         Reply<ContentSummary> reply) {
  namesystem_->Read<ContentSummary>(
      [&](const FsState& s) { return ReadContentSummary(s, call.caller, path, FactsNow()); },
      std::move(reply));
}

}  // namespace cairn::namenode
