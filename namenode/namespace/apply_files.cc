// Applying the edits of files that are written: blocks, leases, closing, publishing.
#include <fmt/format.h>

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

absl::Status Applier::CheckNew(const NewBlock& block, const FileBody& file, size_t blocks_before) {
  if (block.id != state_.next_block() || block.generation != state_.next_generation() ||
      block.offset != blocks_before * file.block_size) {
    return Misfit("block {} is not the next one", block.id);
  }
  return absl::OkStatus();
}

absl::Status Applier::CheckFinished(const INode& inode,
                                    const std::vector<FinishedBlock>& finished) {
  for (const FinishedBlock& done : finished) {
    const BlockMeta* meta = state_.blocks_.Find(done.block.id);
    if (meta == nullptr || meta->inode != inode.id || meta->open == nullptr ||
        meta->generation != done.block.generation || done.block.length < meta->length ||
        done.block.length > inode.file().block_size ||
        (done.block.length == 0 && meta->index + 1 != inode.file().blocks.size())) {
      return Misfit("block {} cannot finish in file {}", done.block.id, inode.id);
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
  FileBody& file = inode.file();
  BlockMeta meta;
  meta.inode = inode.id;
  meta.generation = block.generation;
  meta.index = static_cast<uint32_t>(file.blocks.size());
  meta.open = std::make_unique<OpenBlock>(OpenBlock{block.targets});
  file.blocks.push_back(block.id);
  ++file.open->open_blocks;
  inode.txid = txid_;
  const BlockMeta& made = *state_.blocks_.Insert(block.id, std::move(meta)).first;
  state_.tree_digest_ += FsState::HashOf(block.id, made);
  state_.counters_.next_block = block.id + 1;
  state_.counters_.next_generation = block.generation + 1;
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
  const uint64_t length = inode.file().length - meta.length + done.block.length;
  {
    BlockChange change(*this, done.block.id, meta);
    meta.generation = done.block.generation;
    meta.length = done.block.length;
    meta.open.reset();
  }
  --inode.file().open->open_blocks;
  SetLength(inode, length);
  AddEffect(BlockEffect::Kind::kFinished, done.block.id, done.storages);
}

void Applier::RemoveBlocks(INode& inode, size_t kept) {
  FileBody& file = inode.file();
  uint64_t length = file.length;
  while (file.blocks.size() > kept) {
    const BlockId id = file.blocks.back();
    AddEffect(BlockEffect::Kind::kRemoved, id);
    const BlockMeta& meta = *state_.blocks_.Find(id);
    state_.tree_digest_ -= FsState::HashOf(id, meta);
    length -= meta.length;
    if (meta.open != nullptr) --file.open->open_blocks;
    file.blocks.pop_back();
    state_.blocks_.Erase(id);
  }
  SetLength(inode, length);
}

void Applier::SetLength(INode& inode, uint64_t length) {
  FileBody& file = inode.file();
  inode.txid = txid_;
  if (length == file.length) return;
  const uint64_t added = length - file.length;  // modulo 2^64: may be a subtraction
  file.length = length;
  AddTotals(inode.parent, {.length = added, .space = added * file.replication}, 1);
}

void Applier::OpenFile(INode& inode, OpenState open) {
  state_.leases_[open.holder].insert(inode.id);
  ++state_.open_files_;
  INodeChange change(*this, inode);
  inode.file().open = std::make_unique<OpenState>(open);
}

void Applier::DropLease(const ClientId& holder, INodeId inode) {
  const auto it = state_.leases_.find(holder);
  it->second.erase(inode);
  if (it->second.empty()) state_.leases_.erase(it);
  --state_.open_files_;
}

void Applier::CloseFile(INode& inode) {
  DropLease(inode.file().open->holder, inode.id);
  INodeChange change(*this, inode);
  inode.file().open.reset();
  for (const BlockId id : inode.file().blocks) AddEffect(BlockEffect::Kind::kFileClosed, id);
}

// --- Edits
// ------------------------------------------------------------------------------------------

absl::Status Applier::operator()(const CreateEdit& edit) {
  ASSIGN_OR_RETURN(INode * parent, FindDirectory(edit.parent));
  RETURN_IF_ERROR(CheckFree(*parent, edit.name, edit.replaced));
  if (edit.inode != state_.next_inode()) return Misfit("inode {} is not the next", edit.inode);
  if (edit.block_size == 0 || edit.replication == 0 || edit.min_replicas == 0) {
    return Misfit("file {} has no block size or replication", edit.inode);
  }
  INode inode;
  inode.id = edit.inode;
  inode.parent = edit.parent;
  inode.name = edit.name;
  inode.owner = state_.Intern(edit.owner);
  inode.group = state_.Intern(edit.group);
  inode.mode = edit.mode;
  FileBody& file = inode.file();
  file.block_size = edit.block_size;
  file.replication = edit.replication;
  if (edit.first_block) RETURN_IF_ERROR(CheckNew(*edit.first_block, file, 0));

  if (edit.replaced != 0) Detach(*state_.inodes_.Find(edit.replaced));
  INode& made = NewINode(std::move(inode));
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
  RETURN_IF_ERROR(CheckNew(edit.block, inode->file(), inode->file().blocks.size()));
  FinishBlocks(*inode, edit.finished);
  OpenNewBlock(*inode, edit.block);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const AbandonBlockEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(edit.inode));
  const std::vector<BlockId>& blocks = inode->file().blocks;
  if (blocks.empty() || blocks.back() != edit.block ||
      state_.blocks_.Find(edit.block)->open == nullptr) {
    return Misfit("block {} is not the open end of file {}", edit.block, edit.inode);
  }
  RemoveLastBlock(*inode);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const CompleteEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindOpenFile(edit.inode));
  RETURN_IF_ERROR(CheckFinished(*inode, edit.finished));
  if (inode->file().open->open_blocks != edit.finished.size()) {
    return Misfit("file {} has unfinished blocks", edit.inode);
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
  {
    INodeChange change(*this, *inode);
    inode->mtime_ms = edit.mtime_ms;
    inode->atime_ms = edit.atime_ms;
    if (edit.mode) inode->mode = *edit.mode;
  }
  CloseFile(*inode);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const SetReplicationEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindFile(edit.inode));
  FileBody& file = inode->file();
  if (edit.replication == 0) return Misfit("file {} would have no replicas", edit.inode);
  const uint64_t added = file.length * (uint64_t{edit.replication} - file.replication);
  {
    INodeChange change(*this, *inode);
    file.replication = edit.replication;
  }
  AddTotals(inode->parent, {.space = added}, 1);
  for (const BlockId id : file.blocks) AddEffect(BlockEffect::Kind::kReplication, id);
  return absl::OkStatus();
}

}  // namespace cairn::namenode
