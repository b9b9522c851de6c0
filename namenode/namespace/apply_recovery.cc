// Applying the edits of pipeline recovery, append, truncation and block recovery.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/status.h"
#include "namenode/namespace/apply_internal.h"

namespace cairn::namenode {
namespace {

template <typename... Args>
absl::Status Misfit(fmt::format_string<Args...> format, Args&&... args) {
  return absl::DataLossError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace

// --- Checks
// -----------------------------------------------------------------------------------------

absl::StatusOr<INode*> Applier::FindClosedFile(INodeId id) {
  ASSIGN_OR_RETURN(INode * inode, FindFile(id));
  if (inode->file().open != nullptr) return Misfit("file {} is open", id);
  return inode;
}

absl::StatusOr<INode*> Applier::FindRecovering(INodeId id) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(id));
  if (inode->file().open->holder != kNameNodeHolder) {
    return Misfit("file {} is not being recovered", id);
  }
  return inode;
}

absl::StatusOr<BlockMeta*> Applier::FindOpenBlock(const INode& inode, BlockId id) {
  BlockMeta* meta = state_.blocks_.Find(id);
  if (meta == nullptr || meta->inode != inode.id || meta->open == nullptr) {
    return Misfit("block {} is not an open block of file {}", id, inode.id);
  }
  return meta;
}

absl::Status Applier::CheckNextStamp(GenerationStamp generation) const {
  if (generation == state_.next_generation()) return absl::OkStatus();
  return Misfit("generation stamp {} is not the next one", generation);
}

absl::Status Applier::CheckPipeline(BlockId block, const std::vector<NodeNumber>& pipeline) const {
  for (const NodeNumber node : pipeline) {
    if (state_.registry_.FindNode(node) == nullptr) {
      return Misfit("there is no node {} for block {}", node, block);
    }
  }
  if (pipeline.empty()) return Misfit("block {} has no pipeline", block);
  return absl::OkStatus();
}

// --- Blocks
// -----------------------------------------------------------------------------------------

void Applier::Reopen(INode& inode, BlockId id, OpenBlock open) {
  BlockMeta& meta = *state_.blocks_.Find(id);
  {
    BlockChange change(*this, id, meta);
    meta.open = std::make_unique<OpenBlock>(std::move(open));
  }
  ++inode.file().open->open_blocks;
  AddEffect(BlockEffect::Kind::kOpened, id);
}

// --- The pipeline
// -----------------------------------------------------------------------------------

absl::Status Applier::operator()(const NewStampEdit& edit) {
  ASSIGN_OR_RETURN(const INode* inode, FindOpenFile(edit.inode));
  ASSIGN_OR_RETURN(BlockMeta * meta, FindOpenBlock(*inode, edit.block));
  RETURN_IF_ERROR(CheckNextStamp(edit.generation));
  BlockChange change(*this, edit.block, *meta);
  meta->open->untouched = false;
  state_.counters_.next_generation = edit.generation + 1;
  return absl::OkStatus();
}

absl::Status Applier::operator()(const UpdatePipelineEdit& edit) {
  ASSIGN_OR_RETURN(const INode* inode, FindOpenFile(edit.inode));
  ASSIGN_OR_RETURN(BlockMeta * meta, FindOpenBlock(*inode, edit.block));
  if (edit.generation <= meta->generation || edit.generation >= state_.next_generation()) {
    return Misfit("generation stamp {} is not one for block {}", edit.generation, edit.block);
  }
  RETURN_IF_ERROR(CheckPipeline(edit.block, edit.pipeline));
  {
    BlockChange change(*this, edit.block, *meta);
    meta->generation = edit.generation;
    meta->open->pipeline = edit.pipeline;
    meta->open->untouched = false;
  }
  AddEffect(BlockEffect::Kind::kOpened, edit.block);
  return absl::OkStatus();
}

// --- Append and truncation
// --------------------------------------------------------------------------

absl::Status Applier::operator()(const AppendEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindClosedFile(edit.inode));
  const FileBody& file = inode->file();
  if (edit.min_replicas == 0 || edit.holder == kNameNodeHolder) {
    return Misfit("file {} cannot be opened so", edit.inode);
  }
  if (edit.reopened != 0) {
    if (file.blocks.empty() || file.blocks.back() != edit.reopened ||
        state_.blocks_.Find(edit.reopened)->length >= file.block_size) {
      return Misfit("block {} is not the short end of file {}", edit.reopened, edit.inode);
    }
    RETURN_IF_ERROR(CheckPipeline(edit.reopened, edit.pipeline));
  }
  OpenFile(*inode, {.holder = edit.holder, .min_replicas = edit.min_replicas, .appended = true});
  if (edit.reopened != 0) {
    Reopen(*inode, edit.reopened, {.pipeline = edit.pipeline, .untouched = true});
  }
  return absl::OkStatus();
}

absl::Status Applier::operator()(const TruncateEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindClosedFile(edit.inode));
  const FileBody& file = inode->file();
  const uint64_t target = edit.length % file.block_size;  // of the last block; 0: it is whole
  const size_t kept = edit.length / file.block_size + (target != 0 ? 1 : 0);
  if (edit.length >= file.length || (target != 0) != (edit.cut != 0) ||
      (edit.cut != 0 && file.blocks[kept - 1] != edit.cut)) {
    return Misfit("file {} cannot be cut to {} bytes", edit.inode, edit.length);
  }
  if (edit.cut != 0) {
    RETURN_IF_ERROR(CheckNextStamp(edit.recovery));
    RETURN_IF_ERROR(CheckPipeline(edit.cut, edit.pipeline));
  }
  RemoveBlocks(*inode, kept);
  {
    INodeChange change(*this, *inode);
    inode->mtime_ms = time_ms_;
  }
  if (edit.cut == 0) return absl::OkStatus();
  OpenFile(*inode, {.holder = kNameNodeHolder, .appended = true});
  BlockMeta& meta = *state_.blocks_.Find(edit.cut);
  {
    BlockChange change(*this, edit.cut, meta);
    meta.length = target;
  }
  SetLength(*inode, edit.length);
  state_.counters_.next_generation = edit.recovery + 1;
  Reopen(*inode, edit.cut, {.pipeline = edit.pipeline, .recovery = edit.recovery, .cut = true});
  return absl::OkStatus();
}

// --- Block recovery
// ---------------------------------------------------------------------------------

absl::Status Applier::operator()(const TakeOverEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(edit.inode));
  FileBody& file = inode->file();
  if (file.open->holder == kNameNodeHolder) {
    return Misfit("file {} is being recovered already", edit.inode);
  }
  if (file.open->unpublished) {
    Detach(*inode);
    return absl::OkStatus();
  }
  // What an append reopened and nobody touched is as it was, and the file's end.
  if (const BlockId first = state_.FirstOpenBlock(*inode); first != 0) {
    BlockMeta& meta = *state_.blocks_.Find(first);
    if (meta.open->untouched) {
      RemoveBlocks(*inode, meta.index + 1);
      FinishBlock(*inode, meta, {{first, meta.generation, meta.length}, {}});
    }
  }
  if (file.open->open_blocks == 0) {
    CloseFile(*inode);
    return absl::OkStatus();
  }
  OpenState open = *file.open;
  DropLease(open.holder, inode->id);
  open.holder = kNameNodeHolder;
  OpenFile(*inode, open);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const BeginRecoveryEdit& edit) {
  ASSIGN_OR_RETURN(const INode* inode, FindRecovering(edit.inode));
  ASSIGN_OR_RETURN(BlockMeta * meta, FindOpenBlock(*inode, edit.block));
  RETURN_IF_ERROR(CheckNextStamp(edit.generation));
  BlockChange change(*this, edit.block, *meta);
  meta->open->recovery = edit.generation;
  state_.counters_.next_generation = edit.generation + 1;
  return absl::OkStatus();
}

absl::Status Applier::operator()(const CommitRecoveryEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindRecovering(edit.inode));
  ASSIGN_OR_RETURN(BlockMeta * meta, FindOpenBlock(*inode, edit.block));
  const FileBody& file = inode->file();
  if (edit.generation == 0 || meta->open->recovery != edit.generation ||
      edit.length > file.block_size || edit.length < meta->length ||
      (meta->open->cut && edit.length != meta->length)) {
    return Misfit("block {} cannot be settled with stamp {} and {} bytes", edit.block,
                  edit.generation, edit.length);
  }
  const size_t index = meta->index;
  if (edit.length < file.block_size) RemoveBlocks(*inode, edit.length == 0 ? index : index + 1);
  if (edit.length > 0) {
    FinishBlock(*inode, *meta, {{edit.block, edit.generation, edit.length}, edit.storages});
  }
  if (file.open->open_blocks == 0) CloseFile(*inode);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const RaiseCountersEdit& edit) {
  Counters& counters = state_.counters_;
  if (edit.next_block < counters.next_block || edit.next_generation < counters.next_generation ||
      edit.epoch < counters.epoch) {
    return Misfit("the counters would go back");
  }
  counters.next_block = edit.next_block;
  counters.next_generation = edit.next_generation;
  counters.epoch = edit.epoch;
  return absl::OkStatus();
}

}  // namespace cairn::namenode
