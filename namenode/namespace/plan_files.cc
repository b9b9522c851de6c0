// Plans of files that are written: create, blocks, complete, abandon.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "common/status.h"
#include "namenode/namespace/lookup.h"
#include "namenode/namespace/quota_check.h"

namespace cairn::namenode {
namespace {

absl::StatusOr<NewBlock> NextBlock(const FsState& state, uint64_t offset, uint32_t min_replicas,
                                   const Facts& facts) {
  if (facts.targets.empty()) {
    return WithKind(
        absl::ResourceExhaustedError(fmt::format(
            "need {} healthy DataNodes, 0 available; add one or use -r 1", min_replicas)),
        ErrorKind::kNotEnoughDataNodes);
  }
  RETURN_IF_ERROR(CheckNextBlock(state));
  return NewBlock{state.next_block(), state.next_generation(), offset, facts.targets};
}

absl::StatusOr<Decision> DecideCreate(Lookup& lookup, const CreateRequest& request,
                                      const Facts& facts) {
  const FsState& state = lookup.state();
  ASSIGN_OR_RETURN(const Walked walked, lookup.Walk(request.path));
  CreateEdit edit;
  const INode* parent = walked.last;
  if (walked.exists()) {
    if (walked.last->is_directory()) return IsADirectory();
    if (!request.overwrite) return FileExists();
    parent = &lookup.ParentOf(*walked.last);
    edit.replaced = walked.last->id();
    RETURN_IF_ERROR(lookup.CheckRemove(*walked.last));
    RETURN_IF_ERROR(lookup.Check(*walked.last, kWrite));
  } else {
    if (walked.missing > 1) return NoSuchFile();
    RETURN_IF_ERROR(lookup.CheckAdd(*parent));
  }
  RETURN_IF_ERROR(CheckMode(request.mode));
  RETURN_IF_ERROR(CheckHolder(request.holder));
  RETURN_IF_ERROR(lookup.CheckCallerName());
  RETURN_IF_ERROR(lookup.CheckPrincipalRoom(lookup.caller().user, lookup.caller().user));
  RETURN_IF_ERROR(CheckNextINodes(state, 1));
  edit.replication = request.replication != 0 ? request.replication : facts.default_replication;
  edit.block_size = request.block_size != 0 ? request.block_size : facts.default_block_size;
  RETURN_IF_ERROR(CheckReplication(edit.replication, facts.limits));
  RETURN_IF_ERROR(CheckBlockSize(edit.block_size, facts.limits));
  edit.parent = parent->id();
  edit.name = std::string(walked.names.back());
  edit.inode = state.next_inode();
  edit.owner = lookup.caller().user;
  edit.group = state.PrincipalName(parent->group());
  edit.mode = request.mode;
  edit.holder = request.holder;
  edit.unpublished = request.unpublished;
  edit.min_replicas = MinReplicas(request.consistency, facts, edit.replication);
  Growth growth{.names = 1};
  if (request.with_block) growth.space = SpaceOf(edit.block_size, edit.replication);
  if (walked.exists()) growth -= GrowthOf(state.TotalsOf(*walked.last));
  RETURN_IF_ERROR(CheckQuota(lookup, *parent, growth));
  if (request.with_block) {
    ASSIGN_OR_RETURN(edit.first_block, NextBlock(state, 0, edit.min_replicas, facts));
  }
  CreatedAnswer answer{edit.inode, edit.first_block, edit.replication, edit.block_size,
                       edit.min_replicas};
  return Decision{std::move(edit), std::move(answer)};
}

// --- Finished blocks
// --------------------------------------------------------------------------------

// Checks one block that the writer calls finished. True: it was open until now. A block that was
// finished before with the same length is fine: its writer did not get the answer.
absl::StatusOr<bool> CheckFinished(const FsState& state, const INode& inode,
                                   const FinishedBlock& done) {
  const BlockMeta* meta = state.FindBlock(done.block.id);
  if (meta == nullptr || meta->inode() != inode.id()) {
    return absl::InvalidArgumentError(
        fmt::format("block {} is not a block of this file", done.block.id));
  }
  if (meta->generation() != done.block.generation) {
    return absl::FailedPreconditionError(fmt::format("block {} has generation stamp {}, not {}",
                                                     done.block.id, meta->generation(),
                                                     done.block.generation));
  }
  if (!meta->is_open()) {
    if (meta->length() == done.block.length) return false;
    return absl::InvalidArgumentError(fmt::format("block {} was finished with {} bytes, not {}",
                                                  done.block.id, meta->length(),
                                                  done.block.length));
  }
  if (done.block.length > inode.block_size()) {
    return absl::InvalidArgumentError(fmt::format("block {} has {} bytes, more than its size {}",
                                                  done.block.id, done.block.length,
                                                  inode.block_size()));
  }
  if (done.block.length < meta->length()) {
    return absl::InvalidArgumentError(
        fmt::format("block {} has {} bytes and cannot be finished with {}", done.block.id,
                    meta->length(), done.block.length));
  }
  if (state.FindOpenBlock(done.block.id)->untouched) {  // its replicas are what they were
    if (done.block.length == meta->length() && done.storages.empty()) return true;
    return absl::FailedPreconditionError(fmt::format(
        "block {} cannot have been written: no generation stamp was taken", done.block.id));
  }
  if (done.block.length > 0) RETURN_IF_ERROR(CheckStorages(state, done, MinReplicas(state, inode)));
  return true;
}

absl::Status ShortBlock(const FinishedBlock& done, uint64_t block_size) {
  return absl::InvalidArgumentError(
      fmt::format("block {} has {} bytes; only the last block of a file may have less than {}",
                  done.block.id, done.block.length, block_size));
}

// The newly finished ones of `finished`. All blocks of the file below index `full` must be full.
absl::StatusOr<std::vector<FinishedBlock>> TakeFinished(const FsState& state, const INode& inode,
                                                        const std::vector<FinishedBlock>& finished,
                                                        size_t full) {
  std::vector<FinishedBlock> taken;
  std::set<BlockId> seen;
  for (const FinishedBlock& done : finished) {
    if (finished.size() > 1 && !seen.insert(done.block.id).second) {
      return absl::InvalidArgumentError(fmt::format("block {} finishes twice", done.block.id));
    }
    ASSIGN_OR_RETURN(const bool newly, CheckFinished(state, inode, done));
    const BlockMeta& meta = *state.FindBlock(done.block.id);
    if (meta.index() < full && done.block.length != inode.block_size()) {
      return ShortBlock(done, inode.block_size());
    }
    if (newly) taken.push_back(done);
  }
  return taken;
}

absl::StatusOr<Decision> DecideAddBlock(Lookup& lookup, const AddBlockRequest& request,
                                        const Facts& facts) {
  const FsState& state = lookup.state();
  ASSIGN_OR_RETURN(const INode* inode, lookup.FindHeld(request.inode, request.holder));
  const BlockIds blocks = inode->blocks();
  const uint64_t block_size = inode->block_size();
  AddBlockEdit edit;
  edit.inode = request.inode;
  ASSIGN_OR_RETURN(edit.finished, TakeFinished(state, *inode, request.finished, blocks.size()));
  if (!blocks.empty()) {
    const BlockMeta& last = *state.FindBlock(blocks.back());
    if (!last.is_open() && last.length() != block_size) {
      return ShortBlock({{blocks.back(), last.generation(), last.length()}, {}}, block_size);
    }
  }
  if (blocks.size() >= facts.limits.max_blocks_per_file) {
    return absl::ResourceExhaustedError(
        fmt::format("the file has {} blocks, the most allowed; use a larger block size",
                    facts.limits.max_blocks_per_file));
  }
  if (state.FindOpenState(*inode)->open_blocks - edit.finished.size() >=
      facts.limits.max_open_blocks) {
    return absl::FailedPreconditionError(
        fmt::format("the file has {} unfinished blocks, the most allowed; finish one first",
                    facts.limits.max_open_blocks));
  }
  // What was just finished is full: it takes what it was counted for.
  RETURN_IF_ERROR(CheckQuota(lookup, lookup.ParentOf(*inode),
                             {.space = SpaceOf(block_size, inode->replication())}));
  ASSIGN_OR_RETURN(edit.block,
                   NextBlock(state, blocks.size() * block_size, MinReplicas(state, *inode), facts));
  NewBlockAnswer answer{edit.block, block_size};
  return Decision{std::move(edit), std::move(answer)};
}

absl::StatusOr<Decision> DecideAbandonBlock(Lookup& lookup, const AbandonBlockRequest& request) {
  ASSIGN_OR_RETURN(const INode* inode, lookup.FindHeld(request.inode, request.holder));
  const BlockMeta* meta = lookup.state().FindBlock(request.block);
  if (meta == nullptr || meta->inode() != request.inode) {
    return absl::NotFoundError(fmt::format("block {} is not a block of this file", request.block));
  }
  if (!meta->is_open() || meta->index() + 1 != inode->blocks().size()) {
    return absl::FailedPreconditionError(fmt::format(
        "block {} cannot be abandoned: it is finished or not the file's last", request.block));
  }
  if (meta->length() > 0) {
    return absl::FailedPreconditionError(
        fmt::format("block {} cannot be abandoned: {} bytes of it were in the file before",
                    request.block, meta->length()));
  }
  return Decision{AbandonBlockEdit{request.inode, request.block}, NoAnswer{}};
}

// --- Closing
// ----------------------------------------------------------------------------------------

// Fills in where the file goes.
absl::Status PlanPublish(Lookup& lookup, const INode& inode, const CompleteRequest& request,
                         CompleteEdit& edit) {
  ASSIGN_OR_RETURN(const Walked to, lookup.Walk(request.publish_as));
  if (to.exists() && to.last == &inode) return absl::OkStatus();
  const INode* parent = to.last;
  if (to.exists()) {
    if (to.last->is_directory()) return IsADirectory();
    if (!request.overwrite) return FileExists();
    parent = &lookup.ParentOf(*to.last);
    edit.replaced = to.last->id();
    RETURN_IF_ERROR(lookup.CheckRemove(*to.last));
  } else {
    if (to.missing > 1) return NoSuchFile();
    if (parent->id() == inode.parent()) {
      RETURN_IF_ERROR(lookup.Check(*parent, kWrite | kExecute));
    } else {
      RETURN_IF_ERROR(lookup.CheckAdd(*parent));
    }
  }
  Growth growth = GrowthOfClosed(lookup.state(), inode, edit.finished);
  if (to.exists()) growth -= GrowthOf(lookup.state().TotalsOf(*to.last));
  RETURN_IF_ERROR(CheckQuotaOfMove(lookup, lookup.ParentOf(inode), *parent, growth));
  edit.new_parent = parent->id();
  edit.new_name = std::string(to.names.back());
  return absl::OkStatus();
}

// A file that was there before its writer: it stays where it is, and only its owner may give it
// another mode or times.
absl::Status CheckAppended(Lookup& lookup, const INode& inode, const CompleteRequest& request) {
  if (!request.publish_as.empty()) {
    return absl::InvalidArgumentError("a file that was appended to keeps its name");
  }
  if (!request.mode && request.mtime_ms == 0 && request.atime_ms == 0) return absl::OkStatus();
  return lookup.CheckOwner(inode);
}

absl::StatusOr<Decision> DecideComplete(Lookup& lookup, const CompleteRequest& request,
                                        const Facts& facts) {
  const FsState& state = lookup.state();
  ASSIGN_OR_RETURN(const INode* inode, lookup.FindHeld(request.inode, request.holder));
  const BlockIds blocks = inode->blocks();
  const OpenState& open = *state.FindOpenState(*inode);
  // The last block may be short; when it is empty it goes, and the one before is the last.
  size_t kept = blocks.size();
  for (const FinishedBlock& done : request.finished) {
    if (done.block.length == 0 && kept > 0 && done.block.id == blocks.back()) {
      kept = blocks.size() - 1;
    }
  }
  CompleteEdit edit;
  edit.inode = request.inode;
  ASSIGN_OR_RETURN(edit.finished,
                   TakeFinished(state, *inode, request.finished, kept == 0 ? 0 : kept - 1));
  if (edit.finished.size() != open.open_blocks) {
    return absl::FailedPreconditionError(fmt::format("{} blocks of the file are not finished",
                                                     open.open_blocks - edit.finished.size()));
  }
  for (const FinishedBlock& done : edit.finished) {
    if (done.block.length == 0 && done.block.id != blocks.back()) {
      return ShortBlock(done, inode->block_size());
    }
  }
  if (request.mode) RETURN_IF_ERROR(CheckMode(*request.mode));
  RETURN_IF_ERROR(CheckTime(request.mtime_ms));
  RETURN_IF_ERROR(CheckTime(request.atime_ms));
  if (open.appended) RETURN_IF_ERROR(CheckAppended(lookup, *inode, request));
  if (!request.publish_as.empty()) RETURN_IF_ERROR(PlanPublish(lookup, *inode, request, edit));
  edit.mtime_ms = request.mtime_ms != 0 ? request.mtime_ms : ClampTime(facts.now_ms);
  edit.atime_ms = request.atime_ms != 0 ? request.atime_ms : ClampTime(facts.now_ms);
  edit.mode = request.mode;
  return Decision{std::move(edit), NoAnswer{}};
}

}  // namespace

Planned PlanCreate(const FsState& state, const Caller& caller, const CreateRequest& request,
                   const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideCreate(lookup, request, facts); });
}

Planned PlanAddBlock(const FsState& state, const Caller& caller, const AddBlockRequest& request,
                     const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideAddBlock(lookup, request, facts); });
}

Planned PlanAbandonBlock(const FsState& state, const Caller& caller,
                         const AbandonBlockRequest& request, const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideAbandonBlock(lookup, request); });
}

Planned PlanComplete(const FsState& state, const Caller& caller, const CompleteRequest& request,
                     const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideComplete(lookup, request, facts); });
}

Planned PlanAbandonFile(const FsState& state, const Caller& caller,
                        const AbandonFileRequest& request, const Facts& facts) {
  return MakePlan(state, caller, facts.limits, [&](Lookup& lookup) -> absl::StatusOr<Decision> {
    ASSIGN_OR_RETURN(const INode* inode, lookup.FindHeld(request.inode, request.holder));
    if (state.FindOpenState(*inode)->appended) {
      return Decision{TakeOverEdit{request.inode}, NoAnswer{}};
    }
    return Decision{DeleteEdit{request.inode}, NoAnswer{}};
  });
}

ReadResult<OpenFileInfo> ReadOpenFile(const FsState& state, INodeId inode, const ClientId& holder) {
  const Caller nobody;
  const Limits limits;
  return MakeRead<OpenFileInfo>(
      state, nobody, limits, [&](Lookup& lookup) -> absl::StatusOr<OpenFileInfo> {
        ASSIGN_OR_RETURN(const INode* file, lookup.FindHeld(inode, holder));
        return OpenFileInfo{file->replication(), file->block_size(), MinReplicas(state, *file),
                            file->blocks().size()};
      });
}

}  // namespace cairn::namenode
