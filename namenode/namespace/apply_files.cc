// Applying the edits of files that are written: blocks, leases, closing, publishing.
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

absl::Status Applier::CheckNew(const NewBlock& block, uint64_t block_size,
                               size_t blocks_before) const {
  if (block.id != state_.next_block() || block.id > kMaxId ||
      block.generation != state_.next_generation() || block.generation > kMaxId ||
      block.offset != blocks_before * block_size) {
    return Misfit("block {} is not the next one", block.id);
  }
  if (blocks_before < kMaxBlocksPerFile) return absl::OkStatus();
  return Misfit("block {} is one too many for its file", block.id);
}

absl::Status Applier::CheckFinished(const INode& inode,
                                    const std::vector<FinishedBlock>& finished) {
  for (const FinishedBlock& done : finished) {
    const BlockMeta* meta = state_.blocks_.Find(done.block.id);
    if (meta == nullptr || meta->inode() != inode.id() || !meta->is_open() ||
        meta->generation() != done.block.generation || done.block.length < meta->length() ||
        done.block.length > inode.block_size() ||
        (done.block.length == 0 && meta->index() + 1 != inode.blocks().size())) {
      return Misfit("block {} cannot finish in file {}", done.block.id, inode.id());
    }
    for (const FinishedBlock& other : finished) {
      if (&other != &done && other.block.id == done.block.id) {
        return Misfit("block {} finishes twice", done.block.id);
      }
    }
  }
  return absl::OkStatus();
}

// --- Blocks and leases
// ------------------------------------------------------------------------------

void Applier::AddEffect(BlockEffect::Kind kind, BlockId id, std::vector<StorageNumber> storages) {
  effects_.push_back({kind, state_.InfoOf(id, *state_.blocks_.Find(id)), std::move(storages)});
}

void Applier::OpenNewBlock(INode& inode, const NewBlock& block) {
  const auto index = static_cast<uint32_t>(inode.blocks().size());
  BlockMeta& meta = *state_.blocks_.Emplace(block.id, inode.id(), block.generation, 0, index).first;
  meta.set_open(true);
  state_.open_blocks_.emplace(block.id, OpenBlock{block.targets});
  inode.PushBlock(block.id);
  ++OpenStateOf(inode).open_blocks;
  AddToDigest(block.id, meta);
  state_.counters_.next_block = block.id + 1;
  state_.counters_.next_generation = block.generation + 1;
  SetLength(inode, inode.length(), inode.block_size());
  AddEffect(BlockEffect::Kind::kOpened, block.id);
}

void Applier::FinishBlocks(INode& inode, const std::vector<FinishedBlock>& finished) {
  for (const FinishedBlock& done : finished) {
    if (done.block.length == 0) {  // nothing was written: the file keeps no empty block
      RemoveLastBlock(inode);
    } else {
      FinishBlock(inode, *state_.blocks_.Find(done.block.id), done);
    }
  }
}

void Applier::FinishBlock(INode& inode, BlockMeta& meta, const FinishedBlock& done) {
  const uint64_t length = inode.length() - meta.length() + done.block.length;
  const uint64_t promised = state_.PromisedBytes(done.block.id, meta, inode.block_size());
  Change(done.block.id, meta);
  meta.set_generation(done.block.generation);
  meta.set_length(done.block.length);
  meta.set_open(false);
  state_.open_blocks_.erase(done.block.id);
  --OpenStateOf(inode).open_blocks;
  SetLength(inode, length, -promised);
  AddEffect(BlockEffect::Kind::kFinished, done.block.id, done.storages);
}

void Applier::RemoveBlocks(INode& inode, size_t kept) {
  uint64_t length = inode.length();
  uint64_t promised = 0;
  for (size_t left = inode.blocks().size(); left > kept; --left) {
    const BlockId id = inode.blocks()[left - 1];
    AddEffect(BlockEffect::Kind::kRemoved, id);
    const BlockMeta& meta = *state_.blocks_.Find(id);
    RemoveFromDigest(id, meta);
    length -= meta.length();
    promised += state_.PromisedBytes(id, meta, inode.block_size());
    if (meta.is_open()) {
      --OpenStateOf(inode).open_blocks;
      state_.open_blocks_.erase(id);
    }
    inode.PopBlock();
    state_.blocks_.Erase(id);
  }
  SetLength(inode, length, -promised);
}

void Applier::SetLength(INode& inode, uint64_t length, uint64_t promised) {
  Touch(Aspect::kINode, inode.id());
  if (length == inode.length() && promised == 0) return;
  const uint64_t added = length - inode.length();  // modulo 2^64: may be a subtraction
  inode.set_length(length);
  AddTotals(inode.parent(),
            {.length = added,
             .space = added * inode.replication(),
             .promised = promised * inode.replication()},
            1);
}

void Applier::OpenFile(INode& inode, OpenState open) {
  Change(inode);
  const INodeId id = inode.id();
  state_.leases_[open.holder].insert(id);
  state_.open_files_.insert_or_assign(id, open);
  inode.set_open(true);
}

void Applier::DropLease(const ClientId& holder, INodeId inode) {
  const auto it = state_.leases_.find(holder);
  it->second.erase(inode);
  if (it->second.empty()) state_.leases_.erase(it);
}

void Applier::CloseFile(INode& inode) {
  Change(inode);
  const INodeId id = inode.id();
  DropLease(OpenStateOf(inode).holder, id);
  state_.open_files_.erase(id);
  inode.set_open(false);
  effects_.reserve(effects_.size() + inode.blocks().size());
  for (const BlockId block : inode.blocks()) AddEffect(BlockEffect::Kind::kFileClosed, block);
}

// --- Edits
// ------------------------------------------------------------------------------------------

absl::Status Applier::operator()(const CreateEdit& edit) {
  ASSIGN_OR_RETURN(INode * parent, FindDirectory(edit.parent));
  RETURN_IF_ERROR(CheckFree(*parent, edit.name, edit.replaced));
  RETURN_IF_ERROR(CheckNextINodes(edit.inode, 1));
  RETURN_IF_ERROR(CheckPrincipals(edit.owner, edit.group));
  if (!IsBlockSize(edit.block_size) || edit.replication == 0 ||
      edit.replication > kMaxReplication || edit.min_replicas == 0 || edit.mode > kMaxMode) {
    return Misfit("file {} cannot have block size {}, replication {} or mode {:o}", edit.inode,
                  edit.block_size, edit.replication, edit.mode);
  }
  if (edit.first_block) RETURN_IF_ERROR(CheckNew(*edit.first_block, edit.block_size, 0));

  if (edit.replaced != 0) Detach(*state_.inodes_.Find(edit.replaced));
  INode& made = NewINode(edit.inode, edit.parent, edit.name, edit.owner, edit.group, edit.mode);
  made.set_block_size(edit.block_size);
  made.set_replication(edit.replication);
  Link(made);
  OpenFile(
      made,
      {.holder = edit.holder, .unpublished = edit.unpublished, .min_replicas = edit.min_replicas});
  if (edit.first_block) OpenNewBlock(made, *edit.first_block);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const AddBlockEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(edit.inode));
  RETURN_IF_ERROR(CheckFinished(*inode, edit.finished));
  for (const FinishedBlock& done : edit.finished) {
    if (done.block.length == 0) return Misfit("block {} ends empty", done.block.id);
  }
  RETURN_IF_ERROR(CheckNew(edit.block, inode->block_size(), inode->blocks().size()));
  FinishBlocks(*inode, edit.finished);
  OpenNewBlock(*inode, edit.block);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const AbandonBlockEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(edit.inode));
  const BlockIds blocks = inode->blocks();
  if (blocks.empty() || blocks.back() != edit.block ||
      !state_.blocks_.Find(edit.block)->is_open()) {
    return Misfit("block {} is not the open end of file {}", edit.block, edit.inode);
  }
  RemoveLastBlock(*inode);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const CompleteEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(edit.inode));
  RETURN_IF_ERROR(CheckFinished(*inode, edit.finished));
  if (OpenStateOf(*inode).open_blocks != edit.finished.size()) {
    return Misfit("file {} has unfinished blocks", edit.inode);
  }
  if (std::min(edit.mtime_ms, edit.atime_ms) < 0 ||
      std::max(edit.mtime_ms, edit.atime_ms) > kMaxTimeMs || edit.mode.value_or(0) > kMaxMode) {
    return Misfit("file {} cannot have the times {} and {} ms or that mode", edit.inode,
                  edit.mtime_ms, edit.atime_ms);
  }
  INode* new_parent = nullptr;
  if (edit.new_parent != 0) {
    if (edit.replaced == edit.inode) return Misfit("file {} replaces itself", edit.inode);
    ASSIGN_OR_RETURN(new_parent, FindDirectory(edit.new_parent));
    RETURN_IF_ERROR(CheckFree(*new_parent, edit.new_name, edit.replaced));
  } else if (edit.replaced != 0) {
    return Misfit("file {} replaces another without a new name", edit.inode);
  }

  FinishBlocks(*inode, edit.finished);
  if (edit.replaced != 0) Detach(*state_.inodes_.Find(edit.replaced));
  if (new_parent != nullptr) Move(*inode, *new_parent, edit.new_name);
  Change(*inode);
  inode->set_mtime_ms(edit.mtime_ms);
  inode->set_atime_ms(edit.atime_ms);
  if (edit.mode) inode->set_mode(*edit.mode);
  CloseFile(*inode);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const SetReplicationEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindFile(edit.inode));
  if (edit.replication == 0 || edit.replication > kMaxReplication) {
    return Misfit("file {} would have {} replicas", edit.inode, edit.replication);
  }
  const uint64_t copies = uint64_t{edit.replication} - inode->replication();  // modulo 2^64
  Change(*inode);
  inode->set_replication(edit.replication);
  AddTotals(inode->parent(),
            {.space = inode->length() * copies, .promised = state_.PromisedBytes(*inode) * copies},
            1);
  effects_.reserve(inode->blocks().size());
  for (const BlockId id : inode->blocks()) AddEffect(BlockEffect::Kind::kReplication, id);
  return absl::OkStatus();
}

}  // namespace cairn::namenode
