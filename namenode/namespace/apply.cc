#include "namenode/namespace/apply.h"

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

absl::StatusOr<Effects> Apply(FsState& state, TxId txid, const EditRecord& record) {
  if (txid != state.applied_txid() + 1) {
    return Misfit("edit {} does not follow edit {}", txid, state.applied_txid());
  }
  Applier applier(state, txid, record.time_ms);
  absl::Status status = std::visit(applier, record.edit);
  if (status.ok()) status = applier.Finish(record);
  if (!status.ok()) return Annotate(status, fmt::format("edit {} does not fit the state", txid));
  return applier.TakeEffects();
}

absl::Status Applier::Finish(const EditRecord& record) {
  if (record.retry && !state_.retry_.Record(*record.retry, txid_, record.time_ms, record.answer)) {
    return Misfit("call {} was answered before", record.retry->call_id);
  }
  state_.retry_.Expire(txid_, time_ms_);
  state_.applied_txid_ = txid_;
  return absl::OkStatus();
}

// --- Checks
// -----------------------------------------------------------------------------------------

absl::StatusOr<INode*> Applier::FindLinked(INodeId id) {
  INode* inode = state_.inodes_.Find(id);
  if (inode == nullptr || inode->parent == 0) return Misfit("there is no inode {}", id);
  return inode;
}

absl::StatusOr<INode*> Applier::FindDirectory(INodeId id) {
  INode* inode = state_.inodes_.Find(id);
  if (inode == nullptr || !inode->is_directory() || (inode->parent == 0 && id != kRootINode)) {
    return Misfit("there is no directory {}", id);
  }
  return inode;
}

absl::StatusOr<INode*> Applier::FindFile(INodeId id) {
  ASSIGN_OR_RETURN(INode * inode, FindLinked(id));
  if (inode->is_directory()) return Misfit("inode {} is not a file", id);
  return inode;
}

absl::StatusOr<INode*> Applier::FindOpenFile(INodeId id) {
  ASSIGN_OR_RETURN(INode * inode, FindFile(id));
  if (inode->file().open == nullptr) return Misfit("file {} is not open", id);
  return inode;
}

absl::Status Applier::CheckFree(const INode& dir, std::string_view name, INodeId replaced) {
  if (name.empty()) return Misfit("an empty name in directory {}", dir.id);
  const INode* there = state_.FindChild(dir, name);
  if (there == nullptr && replaced == 0) return absl::OkStatus();
  if (there == nullptr || there->id != replaced || there->is_directory()) {
    return Misfit("the name for a new entry of directory {} is taken or its file is gone", dir.id);
  }
  return absl::OkStatus();
}

// --- The tree
// ---------------------------------------------------------------------------------------

INode& Applier::NewINode(INode inode) {
  const INodeId id = inode.id;
  inode.mtime_ms = time_ms_;
  inode.atime_ms = time_ms_;
  inode.txid = txid_;
  INode& made = *state_.inodes_.Insert(id, std::move(inode)).first;
  state_.counters_.next_inode = id + 1;
  state_.tree_digest_ += state_.HashOf(made);
  Link(made);
  return made;
}

void Applier::TouchChildren(INode& dir) {
  state_.tree_digest_ -= state_.HashOf(dir);
  dir.mtime_ms = time_ms_;
  state_.tree_digest_ += state_.HashOf(dir);
  dir.dir().children_txid = txid_;
}

void Applier::Link(INode& inode) {
  INode& parent = *state_.inodes_.Find(inode.parent);
  TouchChildren(parent);
  parent.dir().children.emplace(inode.name, inode.id);
  AddTotals(parent.id, TotalsOf(inode), 1);
}

void Applier::Unlink(INode& inode) {
  INode& parent = *state_.inodes_.Find(inode.parent);
  TouchChildren(parent);
  parent.dir().children.erase(inode.name);
  AddTotals(parent.id, TotalsOf(inode), -1);
}

void Applier::Move(INode& inode, INode& new_parent, const std::string& new_name) {
  Unlink(inode);
  {
    INodeChange change(*this, inode);
    inode.parent = new_parent.id;
    inode.name = new_name;
  }
  Link(inode);
}

void Applier::Detach(INode& inode) {
  Unlink(inode);
  {
    INodeChange change(*this, inode);
    inode.parent = 0;
  }
  const uint64_t place = state_.counters_.next_detached++;
  state_.detached_.emplace(place, inode.id);
  state_.tree_digest_ += FsState::HashOfDetached(place, inode.id);
}

Totals Applier::TotalsOf(const INode& inode) {
  if (inode.is_directory()) return inode.dir().totals;
  const FileBody& file = inode.file();
  return {.files = 1, .length = file.length, .space = file.length * file.replication};
}

void Applier::AddTotals(INodeId dir_id, const Totals& totals, int sign) {
  const auto factor = static_cast<uint64_t>(static_cast<int64_t>(sign));
  while (dir_id != 0) {
    INode& inode = *state_.inodes_.Find(dir_id);
    DirectoryBody& dir = inode.dir();
    dir.totals.files += factor * totals.files;
    dir.totals.directories += factor * totals.directories;
    dir.totals.length += factor * totals.length;
    dir.totals.space += factor * totals.space;
    dir.totals_txid = txid_;
    dir_id = inode.parent;
  }
}

absl::Status Applier::operator()(const MkdirsEdit& edit) {
  ASSIGN_OR_RETURN(INode * parent, FindDirectory(edit.parent));
  if (edit.names.empty() || edit.first_inode != state_.next_inode()) {
    return Misfit("inode {} is not the next one", edit.first_inode);
  }
  RETURN_IF_ERROR(CheckFree(*parent, edit.names.front(), 0));
  for (const std::string& name : edit.names) {
    if (name.empty()) return Misfit("an empty name in directory {}", edit.parent);
  }
  INodeId parent_id = edit.parent;
  for (size_t i = 0; i < edit.names.size(); ++i) {
    INode inode;
    inode.id = edit.first_inode + i;
    inode.parent = parent_id;
    inode.name = edit.names[i];
    inode.owner = state_.Intern(edit.owner);
    inode.group = state_.Intern(edit.group);
    inode.mode = i + 1 == edit.names.size() ? edit.mode : edit.mode | 0300;
    inode.body = std::make_unique<DirectoryBody>();
    inode.dir().totals.directories = 1;
    inode.dir().children_txid = txid_;
    inode.dir().totals_txid = txid_;
    parent_id = NewINode(std::move(inode)).id;
  }
  return absl::OkStatus();
}

absl::Status Applier::operator()(const RenameEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindLinked(edit.inode));
  ASSIGN_OR_RETURN(INode * new_parent, FindDirectory(edit.new_parent));
  for (const INode* above = new_parent; above->parent != 0;
       above = state_.inodes_.Find(above->parent)) {
    if (above->id == inode->id) return Misfit("inode {} would move into itself", edit.inode);
  }
  RETURN_IF_ERROR(CheckFree(*new_parent, edit.new_name, 0));
  Move(*inode, *new_parent, edit.new_name);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const DeleteEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindLinked(edit.inode));
  Detach(*inode);
  return absl::OkStatus();
}

// --- Attributes
// -------------------------------------------------------------------------------------

absl::Status Applier::operator()(const SetTimesEdit& edit) {
  INode* inode = state_.inodes_.Find(edit.inode);
  if (inode == nullptr) return Misfit("there is no inode {}", edit.inode);
  INodeChange change(*this, *inode);
  if (edit.mtime_ms >= 0) inode->mtime_ms = edit.mtime_ms;
  if (edit.atime_ms >= 0) inode->atime_ms = edit.atime_ms;
  return absl::OkStatus();
}

absl::Status Applier::operator()(const SetOwnerEdit& edit) {
  INode* inode = state_.inodes_.Find(edit.inode);
  if (inode == nullptr) return Misfit("there is no inode {}", edit.inode);
  INodeChange change(*this, *inode);
  if (!edit.owner.empty()) inode->owner = state_.Intern(edit.owner);
  if (!edit.group.empty()) inode->group = state_.Intern(edit.group);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const SetPermissionEdit& edit) {
  INode* inode = state_.inodes_.Find(edit.inode);
  if (inode == nullptr) return Misfit("there is no inode {}", edit.inode);
  INodeChange change(*this, *inode);
  inode->mode = edit.mode;
  return absl::OkStatus();
}

// --- Nodes, epochs, digests
// -------------------------------------------------------------------------

absl::Status Applier::operator()(const RegisterNodeEdit& edit) {
  return state_.registry_.Register(edit);
}

absl::Status Applier::operator()(const StartEdit& edit) {
  if (edit.epoch <= state_.epoch()) {
    return Misfit("epoch {} does not follow {}", edit.epoch, state_.epoch());
  }
  state_.counters_.epoch = edit.epoch;
  return absl::OkStatus();
}

absl::Status Applier::operator()(const DigestEdit& edit) {
  const Digest journaled{edit.high, edit.low};
  if (state_.digest() == journaled) return absl::OkStatus();
  return Misfit("the journal holds digest {}, the state has {}", ToHex(journaled),
                ToHex(state_.digest()));
}

}  // namespace cairn::namenode
