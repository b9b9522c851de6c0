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
  if (inode->is_open()) return Misfit("file {} is open", id);
  return inode;
}

absl::StatusOr<INode*> Applier::FindRecovering(INodeId id) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(id));
  if (OpenStateOf(*inode).holder != kNameNodeHolder) {
    return Misfit("file {} is not being recovered", id);
  }
  return inode;
}

absl::StatusOr<BlockMeta*> Applier::FindOpenBlock(const INode& inode, BlockId id) {
  BlockMeta* meta = state_.blocks_.Find(id);
  if (meta == nullptr || meta->inode() != inode.id() || !meta->is_open()) {
    return Misfit("block {} is not an open block of file {}", id, inode.id());
  }
  return meta;
}

absl::Status Applier::CheckNextStamp(GenerationStamp generation) const {
  if (generation == state_.next_generation() && generation <= kMaxId) return absl::OkStatus();
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
  Change(id, meta);
  meta.set_open(true);
  state_.open_blocks_.insert_or_assign(id, std::move(open));
  ++OpenStateOf(inode).open_blocks;
  SetLength(inode, inode.length(), state_.PromisedBytes(id, meta, inode.block_size()));
  AddEffect(BlockEffect::Kind::kOpened, id);
}

// --- The pipeline
// -----------------------------------------------------------------------------------

absl::Status Applier::operator()(const NewStampEdit& edit) {
  ASSIGN_OR_RETURN(const INode* inode, FindOpenFile(edit.inode));
  ASSIGN_OR_RETURN(BlockMeta * meta, FindOpenBlock(*inode, edit.block));
  RETURN_IF_ERROR(CheckNextStamp(edit.generation));
  Change(edit.block, *meta);
  OpenBlockOf(edit.block).untouched = false;
  state_.counters_.next_generation = edit.generation + 1;
  return absl::OkStatus();
}

absl::Status Applier::operator()(const UpdatePipelineEdit& edit) {
  ASSIGN_OR_RETURN(const INode* inode, FindOpenFile(edit.inode));
  ASSIGN_OR_RETURN(BlockMeta * meta, FindOpenBlock(*inode, edit.block));
  if (edit.generation <= meta->generation() || edit.generation >= state_.next_generation()) {
    return Misfit("generation stamp {} is not one for block {}", edit.generation, edit.block);
  }
  RETURN_IF_ERROR(CheckPipeline(edit.block, edit.pipeline));
  Change(edit.block, *meta);
  meta->set_generation(edit.generation);
  OpenBlock& open = OpenBlockOf(edit.block);
  open.pipeline = edit.pipeline;
  open.untouched = false;
  AddEffect(BlockEffect::Kind::kOpened, edit.block);
  return absl::OkStatus();
}

// --- Append and truncation
// --------------------------------------------------------------------------

absl::Status Applier::operator()(const AppendEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindClosedFile(edit.inode));
  const BlockIds blocks = inode->blocks();
  if (edit.min_replicas == 0 || edit.holder == kNameNodeHolder) {
    return Misfit("file {} cannot be opened so", edit.inode);
  }
  if (edit.reopened != 0) {
    if (blocks.empty() || blocks.back() != edit.reopened ||
        state_.blocks_.Find(edit.reopened)->length() >= inode->block_size()) {
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
  const uint64_t block_size = inode->block_size();
  const uint64_t target = edit.length % block_size;  // of the last block; 0: it is whole
  const size_t kept = edit.length / block_size + (target != 0 ? 1 : 0);
  if (edit.length >= inode->length() || (target != 0) != (edit.cut != 0) ||
      (edit.cut != 0 && inode->blocks()[kept - 1] != edit.cut)) {
    return Misfit("file {} cannot be cut to {} bytes", edit.inode, edit.length);
  }
  if (edit.cut != 0) {
    RETURN_IF_ERROR(CheckNextStamp(edit.recovery));
    RETURN_IF_ERROR(CheckPipeline(edit.cut, edit.pipeline));
  }
  RemoveBlocks(*inode, kept);
  Change(*inode);
  inode->set_mtime_ms(time_ms_);
  if (edit.cut == 0) return absl::OkStatus();
  OpenFile(*inode, {.holder = kNameNodeHolder, .appended = true});
  BlockMeta& meta = *state_.blocks_.Find(edit.cut);
  Change(edit.cut, meta);
  meta.set_length(target);
  SetLength(*inode, edit.length);
  state_.counters_.next_generation = edit.recovery + 1;
  Reopen(*inode, edit.cut, {.pipeline = edit.pipeline, .recovery = edit.recovery, .cut = true});
  return absl::OkStatus();
}

// --- Block recovery
// ---------------------------------------------------------------------------------

absl::Status Applier::operator()(const TakeOverEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(edit.inode));
  if (OpenStateOf(*inode).holder == kNameNodeHolder) {
    return Misfit("file {} is being recovered already", edit.inode);
  }
  if (OpenStateOf(*inode).unpublished) {
    Detach(*inode);
    return absl::OkStatus();
  }
  // What an append reopened and nobody touched is as it was, and the file's end.
  if (const BlockId first = state_.FirstOpenBlock(*inode); first != 0) {
    BlockMeta& meta = *state_.blocks_.Find(first);
    if (OpenBlockOf(first).untouched) {
      RemoveBlocks(*inode, meta.index() + 1);
      FinishBlock(*inode, meta, {{first, meta.generation(), meta.length()}, {}});
    }
  }
  OpenState open = OpenStateOf(*inode);
  if (open.open_blocks == 0) {
    CloseFile(*inode);
    return absl::OkStatus();
  }
  Change(*inode);
  DropLease(open.holder, edit.inode);
  open.holder = kNameNodeHolder;
  OpenFile(*inode, open);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const BeginRecoveryEdit& edit) {
  ASSIGN_OR_RETURN(const INode* inode, FindRecovering(edit.inode));
  ASSIGN_OR_RETURN(BlockMeta * meta, FindOpenBlock(*inode, edit.block));
  RETURN_IF_ERROR(CheckNextStamp(edit.generation));
  Change(edit.block, *meta);
  OpenBlockOf(edit.block).recovery = edit.generation;
  state_.counters_.next_generation = edit.generation + 1;
  return absl::OkStatus();
}

absl::Status Applier::operator()(const CommitRecoveryEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindRecovering(edit.inode));
  ASSIGN_OR_RETURN(BlockMeta * meta, FindOpenBlock(*inode, edit.block));
  const OpenBlock& open = OpenBlockOf(edit.block);
  if (edit.generation == 0 || open.recovery != edit.generation ||
      edit.length > inode->block_size() || edit.length < meta->length() ||
      (open.cut && edit.length != meta->length())) {
    return Misfit("block {} cannot be settled with stamp {} and {} bytes", edit.block,
                  edit.generation, edit.length);
  }
  const size_t index = meta->index();
  if (edit.length < inode->block_size()) RemoveBlocks(*inode, edit.length == 0 ? index : index + 1);
  if (edit.length > 0) {
    FinishBlock(*inode, *meta, {{edit.block, edit.generation, edit.length}, edit.storages});
  }
  if (OpenStateOf(*inode).open_blocks == 0) CloseFile(*inode);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const RaiseCountersEdit& edit) {
  Counters& counters = state_.counters_;
  if (edit.next_block < counters.next_block || edit.next_generation < counters.next_generation ||
      edit.epoch < counters.epoch || std::max(edit.next_block, edit.next_generation) > kMaxId) {
    return Misfit("the counters would go back or out of their range");
  }
  counters.next_block = edit.next_block;
  counters.next_generation = edit.next_generation;
  counters.epoch = edit.epoch;
  return absl::OkStatus();
}

}  // namespace cairn::namenode
