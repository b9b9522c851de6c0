// Plans of files that have content already: append, truncate, the pipeline of a block that is
// open.
#include <fmt/format.h>

#include <set>
#include <string>

#include "common/status.h"
#include "namenode/namespace/lookup.h"
#include "namenode/namespace/quota_check.h"

namespace cairn::namenode {
namespace {

// --- Append and truncate
// ----------------------------------------------------------------------------

// A closed file that the caller may write to.
absl::StatusOr<const INode*> FindToWrite(Lookup& lookup, std::string_view path) {
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
  if (inode->is_directory()) return IsADirectory();
  RETURN_IF_ERROR(lookup.Check(*inode, kWrite));
  return inode;
}

absl::Status CheckClosed(const FsState& state, const INode& inode) {
  if (!inode.is_open()) return absl::OkStatus();
  if (state.FindOpenState(inode)->holder == kNameNodeHolder) {
    return WithKind(absl::UnavailableError("the file is being recovered; try again"),
                    ErrorKind::kRecoveryInProgress);
  }
  return WithKind(absl::FailedPreconditionError("the file is being written by another client"),
                  ErrorKind::kBeingWritten);
}

// The block that becomes open when the file is appended to; 0: none.
BlockId BlockToAppend(const FsState& state, const INode& file) {
  if (file.blocks().empty()) return 0;
  const BlockId last = file.blocks().back();
  return state.FindBlock(last)->length() < file.block_size() ? last : 0;
}

// The same, when it is cut to `length`.
absl::StatusOr<BlockId> BlockToCut(const INode& file, uint64_t length) {
  if (length > file.length()) {
    return absl::InvalidArgumentError(
        fmt::format("the file has {} bytes and cannot be cut to {}", file.length(), length));
  }
  if (length == file.length() || length % file.block_size() == 0) return 0;
  return file.blocks()[length / file.block_size()];
}

// The nodes of `block`, which is to be opened.
absl::StatusOr<std::vector<NodeNumber>> TakeReplicas(const FsState& state, BlockId block,
                                                     const Facts& facts) {
  const BlockMeta& meta = *state.FindBlock(block);
  if (facts.targets_block != Block{block, meta.generation(), meta.length()}) {
    return WithKind(absl::UnavailableError("the file has just changed; try again"),
                    ErrorKind::kRecoveryInProgress);
  }
  if (facts.targets.empty()) {
    return absl::UnavailableError(
        fmt::format("block {} has no live replica; bring back a DataNode that has one", block));
  }
  return facts.targets;
}

absl::StatusOr<Decision> DecideAppend(Lookup& lookup, const AppendRequest& request,
                                      const Facts& facts) {
  const FsState& state = lookup.state();
  RETURN_IF_ERROR(CheckHolder(request.holder));
  ASSIGN_OR_RETURN(const INode* inode, FindToWrite(lookup, request.path));
  RETURN_IF_ERROR(CheckClosed(state, *inode));
  const INode& file = *inode;
  AppendEdit edit;
  edit.inode = inode->id();
  edit.holder = request.holder;
  edit.min_replicas = MinReplicas(request.consistency, facts, file.replication());
  AppendedAnswer answer{.inode = edit.inode,
                        .length = file.length(),
                        .replication = file.replication(),
                        .block_size = file.block_size(),
                        .min_replicas = edit.min_replicas};
  edit.reopened = BlockToAppend(state, file);
  if (edit.reopened != 0) {
    ASSIGN_OR_RETURN(edit.pipeline, TakeReplicas(state, edit.reopened, facts));
    const BlockMeta& meta = *state.FindBlock(edit.reopened);
    RETURN_IF_ERROR(
        CheckQuota(lookup, lookup.ParentOf(*inode),
                   {.space = SpaceOf(file.block_size() - meta.length(), file.replication())}));
    answer.block =
        NewBlock{edit.reopened, meta.generation(), meta.index() * file.block_size(), edit.pipeline};
    answer.block_length = meta.length();
  }
  return Decision{std::move(edit), std::move(answer)};
}

absl::StatusOr<Decision> DecideTruncate(Lookup& lookup, const TruncateRequest& request,
                                        const Facts& facts) {
  const FsState& state = lookup.state();
  ASSIGN_OR_RETURN(const INode* inode, FindToWrite(lookup, request.path));
  RETURN_IF_ERROR(CheckClosed(state, *inode));
  const INode& file = *inode;
  TruncateEdit edit;
  edit.inode = inode->id();
  edit.length = request.length;
  ASSIGN_OR_RETURN(edit.cut, BlockToCut(file, request.length));
  if (request.length == file.length()) return Decision{std::nullopt, TruncatedAnswer{true}};
  if (edit.cut != 0) {
    ASSIGN_OR_RETURN(edit.pipeline, TakeReplicas(state, edit.cut, facts));
    RETURN_IF_ERROR(CheckNextStamp(state));
    edit.recovery = state.next_generation();
  }
  const TruncatedAnswer answer{edit.cut == 0};
  return Decision{std::move(edit), answer};
}

// --- The pipeline of an open block
// ------------------------------------------------------------------

// `block` must be an open one of the file, with the generation stamp that it has now.
absl::Status CheckOpenBlock(const FsState& state, const INode& inode, const Block& block) {
  const BlockMeta* meta = state.FindBlock(block.id);
  if (meta == nullptr || meta->inode() != inode.id()) {
    return absl::FailedPreconditionError(
        fmt::format("block {} is not a block of this file", block.id));
  }
  if (!meta->is_open()) {
    return absl::FailedPreconditionError(fmt::format("block {} is finished", block.id));
  }
  if (meta->generation() == block.generation) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("block {} has generation stamp {}, not {}",
                                                   block.id, meta->generation(), block.generation));
}

absl::StatusOr<Decision> DecideNewStamp(Lookup& lookup, const NewStampRequest& request,
                                        const Facts& facts) {
  const FsState& state = lookup.state();
  ASSIGN_OR_RETURN(const INode* inode, lookup.FindHeld(request.inode, request.holder));
  RETURN_IF_ERROR(CheckOpenBlock(state, *inode, request.block));
  RETURN_IF_ERROR(CheckNextStamp(state));
  return Decision{NewStampEdit{inode->id(), request.block.id, state.next_generation()},
                  NewStampAnswer{state.next_generation(), facts.targets}};
}

absl::StatusOr<Decision> DecideUpdatePipeline(Lookup& lookup,
                                              const UpdatePipelineRequest& request) {
  const FsState& state = lookup.state();
  ASSIGN_OR_RETURN(const INode* inode, lookup.FindHeld(request.inode, request.holder));
  RETURN_IF_ERROR(CheckOpenBlock(state, *inode, request.block));
  if (request.generation <= request.block.generation ||
      request.generation >= state.next_generation()) {
    return absl::InvalidArgumentError(fmt::format("generation stamp {} was not given for block {}",
                                                  request.generation, request.block.id));
  }
  if (request.nodes.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("block {} would have no pipeline", request.block.id));
  }
  std::set<NodeNumber> seen;
  for (const NodeNumber node : request.nodes) {
    if (state.registry().FindNode(node) == nullptr) {
      return absl::InvalidArgumentError(fmt::format(
          "block {} cannot be on DataNode {}: it is not known", request.block.id, node));
    }
    if (!seen.insert(node).second) {
      return absl::InvalidArgumentError(
          fmt::format("DataNode {} is twice in the pipeline of block {}", node, request.block.id));
    }
  }
  return Decision{
      UpdatePipelineEdit{inode->id(), request.block.id, request.generation, request.nodes},
      NoAnswer{}};
}

}  // namespace

Planned PlanAppend(const FsState& state, const Caller& caller, const AppendRequest& request,
                   const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideAppend(lookup, request, facts); });
}

Planned PlanTruncate(const FsState& state, const Caller& caller, const TruncateRequest& request,
                     const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideTruncate(lookup, request, facts); });
}

Planned PlanNewStamp(const FsState& state, const Caller& caller, const NewStampRequest& request,
                     const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideNewStamp(lookup, request, facts); });
}

Planned PlanUpdatePipeline(const FsState& state, const Caller& caller,
                           const UpdatePipelineRequest& request, const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideUpdatePipeline(lookup, request); });
}

ReadResult<std::optional<OpenHolder>> ReadHolder(const FsState& state, const Caller& caller,
                                                 std::string_view path, const Facts& facts) {
  using Holder = std::optional<OpenHolder>;
  return MakeRead<Holder>(state, caller, facts.limits,
                          [&](Lookup& lookup) -> absl::StatusOr<Holder> {
                            ASSIGN_OR_RETURN(const INode* inode, FindToWrite(lookup, path));
                            if (!inode->is_open()) return Holder();
                            return Holder({inode->id(), state.FindOpenState(*inode)->holder});
                          });
}

ReadResult<std::optional<BlockInfo>> ReadLastBlock(const FsState& state, const Caller& caller,
                                                   std::string_view path, uint64_t length,
                                                   const Facts& facts) {
  using Info = std::optional<BlockInfo>;
  return MakeRead<Info>(state, caller, facts.limits, [&](Lookup& lookup) -> absl::StatusOr<Info> {
    ASSIGN_OR_RETURN(const INode* inode, FindToWrite(lookup, path));
    RETURN_IF_ERROR(CheckClosed(state, *inode));
    BlockId block = 0;
    if (length == kToAppend) {
      block = BlockToAppend(state, *inode);
    } else {
      ASSIGN_OR_RETURN(block, BlockToCut(*inode, length));
    }
    return block == 0 ? Info() : state.FindBlockInfo(block);
  });
}

}  // namespace cairn::namenode
