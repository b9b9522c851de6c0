#include "namenode/namespace/apply.h"

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
  UpdateDigest();
  if (record.retry && !state_.retry_.Record(*record.retry, txid_, record.time_ms, record.answer)) {
    return Misfit("call {} was answered before", record.retry->call_id);
  }
  state_.retry_.Expire(txid_, time_ms_);
  state_.applied_txid_ = txid_;
  return absl::OkStatus();
}

// --- The digest
// -------------------------------------------------------------------------------------

void Applier::WillChange(INode& inode) {
  // From the end: what was changed last changes again.
  const auto end = changed_inodes_.rend();
  if (std::find(changed_inodes_.rbegin(), end, &inode) != end) return;
  state_.tree_digest_ -= state_.HashOf(inode);
  changed_inodes_.push_back(&inode);
}

void Applier::Change(INode& inode) {
  WillChange(inode);
  Touch(Aspect::kINode, inode.id());
}

void Applier::RemoveFromDigest(const INode& inode) {
  const auto it = std::find(changed_inodes_.begin(), changed_inodes_.end(), &inode);
  if (it != changed_inodes_.end()) {
    changed_inodes_.erase(it);
  } else {
    state_.tree_digest_ -= state_.HashOf(inode);
  }
}

void Applier::Change(BlockId id, BlockMeta& meta) {
  Touch(Aspect::kINode, meta.inode());
  for (const auto& [changed, unused] : changed_blocks_) {
    if (changed == id) return;
  }
  state_.tree_digest_ -= state_.HashOf(id, meta);
  changed_blocks_.emplace_back(id, &meta);
}

void Applier::RemoveFromDigest(BlockId id, const BlockMeta& meta) {
  for (auto it = changed_blocks_.begin(); it != changed_blocks_.end(); ++it) {
    if (it->first != id) continue;
    changed_blocks_.erase(it);
    return;
  }
  state_.tree_digest_ -= state_.HashOf(id, meta);
}

void Applier::UpdateDigest() {
  for (const INode* inode : changed_inodes_) state_.tree_digest_ += state_.HashOf(*inode);
  for (const auto& [id, meta] : changed_blocks_) state_.tree_digest_ += state_.HashOf(id, *meta);
}

// --- Checks
// -----------------------------------------------------------------------------------------

absl::StatusOr<INode*> Applier::FindLinked(INodeId id) {
  INode* inode = state_.inodes_.Find(id);
  if (inode == nullptr || inode->parent() == 0) return Misfit("there is no inode {}", id);
  return inode;
}

absl::StatusOr<INode*> Applier::FindDirectory(INodeId id) {
  INode* inode = state_.inodes_.Find(id);
  if (inode == nullptr || !inode->is_directory() || (inode->parent() == 0 && id != kRootINode)) {
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
  if (!inode->is_open()) return Misfit("file {} is not open", id);
  return inode;
}

absl::Status Applier::CheckName(std::string_view name, INodeId dir) const {
  if (name.empty()) return Misfit("an empty name in directory {}", dir);
  if (name.size() <= kMaxNameBytes) return absl::OkStatus();
  return Misfit("a name of {} bytes in directory {}", name.size(), dir);
}

absl::Status Applier::CheckFree(const INode& dir, std::string_view name, INodeId replaced) {
  RETURN_IF_ERROR(CheckName(name, dir.id()));
  const INode* there = state_.FindChild(dir, name);
  if (there == nullptr && replaced == 0) return absl::OkStatus();
  if (there == nullptr || there->id() != replaced || there->is_directory()) {
    return Misfit("the name for a new entry of directory {} is taken or its file is gone",
                  dir.id());
  }
  return absl::OkStatus();
}

absl::Status Applier::CheckNextINodes(INodeId first, uint64_t count) const {
  if (count > 0 && first == state_.next_inode() && first <= kMaxId && count - 1 <= kMaxId - first) {
    return absl::OkStatus();
  }
  return Misfit("inode {} is not the next one", first);
}

absl::Status Applier::CheckPrincipals(std::string_view owner, std::string_view group) const {
  if (state_.principals() + state_.NewPrincipals(owner, group) <= kMaxPrincipals) {
    return absl::OkStatus();
  }
  return Misfit("more than {} users and groups", kMaxPrincipals);
}

// --- The tree
// ---------------------------------------------------------------------------------------

INode& Applier::NewINode(INodeId id, INodeId parent, std::string_view name, std::string_view owner,
                         std::string_view group, uint32_t mode) {
  INode& inode = state_.MakeINode(id, parent, name);
  inode.set_mtime_ms(time_ms_);
  inode.set_atime_ms(time_ms_);
  inode.set_owner(state_.Intern(owner));
  inode.set_group(state_.Intern(group));
  inode.set_mode(mode);
  state_.counters_.next_inode = id + 1;
  AddToDigest(inode);
  Touch(Aspect::kINode, id);
  return inode;
}

void Applier::TouchChildren(INode& dir) {
  WillChange(dir);
  dir.set_mtime_ms(time_ms_);
  Touch(Aspect::kChildren, dir.id());
}

void Applier::Link(INode& inode) {
  INode& parent = *state_.inodes_.Find(inode.parent());
  TouchChildren(parent);
  parent.dir().children.Insert(inode.name_ref());
  AddTotals(inode.parent(), state_.TotalsOf(inode), 1);
}

void Applier::Unlink(INode& inode) {
  INode& parent = *state_.inodes_.Find(inode.parent());
  TouchChildren(parent);
  parent.dir().children.Erase(inode.name_ref());
  AddTotals(inode.parent(), state_.TotalsOf(inode), -1);
}

void Applier::Move(INode& inode, INode& new_parent, const std::string& new_name) {
  Change(inode);
  INode& parent = *state_.inodes_.Find(inode.parent());
  if (&parent == &new_parent) {  // the same totals
    TouchChildren(parent);
    parent.dir().children.Erase(inode.name_ref());
    state_.Rename(inode, new_name);
    parent.dir().children.Insert(inode.name_ref());
    return;
  }
  Unlink(inode);
  state_.Rename(inode, new_name);
  inode.set_parent(new_parent.id());
  Link(inode);
}

void Applier::Detach(INode& inode) {
  Change(inode);
  Unlink(inode);
  inode.set_parent(0);
  const uint64_t place = state_.counters_.next_detached++;
  state_.detached_.emplace(place, inode.id());
  state_.tree_digest_ += FsState::HashOfDetached(place, inode.id());
}

void Applier::AddTotals(INodeId dir_id, const Totals& totals, int sign) {
  const auto factor = static_cast<uint64_t>(static_cast<int64_t>(sign));
  const Totals change{factor * totals.files, factor * totals.directories, factor * totals.length,
                      factor * totals.space, factor * totals.promised};
  while (dir_id != 0) {
    INode& inode = *state_.inodes_.Find(dir_id);
    inode.dir().totals += change;
    Touch(Aspect::kTotals, dir_id);
    dir_id = inode.parent();
  }
}

absl::Status Applier::operator()(const MkdirsEdit& edit) {
  ASSIGN_OR_RETURN(INode * parent, FindDirectory(edit.parent));
  RETURN_IF_ERROR(CheckNextINodes(edit.first_inode, edit.names.size()));
  RETURN_IF_ERROR(CheckFree(*parent, edit.names.front(), 0));
  for (const std::string& name : edit.names) RETURN_IF_ERROR(CheckName(name, edit.parent));
  RETURN_IF_ERROR(CheckPrincipals(edit.owner, edit.group));
  if (edit.mode > kMaxMode) return Misfit("directory {} has mode {:o}", edit.parent, edit.mode);
  INodeId above = edit.parent;
  for (size_t i = 0; i < edit.names.size(); ++i) {
    const INodeId id = edit.first_inode + i;
    const uint32_t mode = i + 1 == edit.names.size() ? edit.mode : edit.mode | 0300;
    INode& inode = NewINode(id, above, edit.names[i], edit.owner, edit.group, mode);
    inode.MakeDirectory();
    Touch(Aspect::kChildren, id);
    Touch(Aspect::kTotals, id);
    Link(inode);
    above = id;
  }
  return absl::OkStatus();
}

absl::Status Applier::operator()(const RenameEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindLinked(edit.inode));
  ASSIGN_OR_RETURN(INode * new_parent, FindDirectory(edit.new_parent));
  for (const INode* above = new_parent; above->parent() != 0;
       above = state_.inodes_.Find(above->parent())) {
    if (above == inode) return Misfit("inode {} would move into itself", edit.inode);
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
  if (std::max(edit.mtime_ms, edit.atime_ms) > kMaxTimeMs) {
    return Misfit("the times {} and {} ms of inode {}", edit.mtime_ms, edit.atime_ms, edit.inode);
  }
  Change(*inode);
  if (edit.mtime_ms >= 0) inode->set_mtime_ms(edit.mtime_ms);
  if (edit.atime_ms >= 0) inode->set_atime_ms(edit.atime_ms);
  return absl::OkStatus();
}

absl::Status Applier::operator()(const SetOwnerEdit& edit) {
  INode* inode = state_.inodes_.Find(edit.inode);
  if (inode == nullptr) return Misfit("there is no inode {}", edit.inode);
  const std::string& owner = edit.owner.empty() ? edit.group : edit.owner;
  RETURN_IF_ERROR(CheckPrincipals(owner, edit.group.empty() ? owner : edit.group));
  Change(*inode);
  if (!edit.owner.empty()) inode->set_owner(state_.Intern(edit.owner));
  if (!edit.group.empty()) inode->set_group(state_.Intern(edit.group));
  return absl::OkStatus();
}

absl::Status Applier::operator()(const SetPermissionEdit& edit) {
  INode* inode = state_.inodes_.Find(edit.inode);
  if (inode == nullptr) return Misfit("there is no inode {}", edit.inode);
  if (edit.mode > kMaxMode) return Misfit("inode {} would have mode {:o}", edit.inode, edit.mode);
  Change(*inode);
  inode->set_mode(edit.mode);
  return absl::OkStatus();
}

// --- Nodes, epochs, digests
// -------------------------------------------------------------------------

absl::Status Applier::operator()(const RegisterNodeEdit& edit) {
  return state_.registry_.Register(edit);
}

absl::Status Applier::operator()(const SetAdminStateEdit& edit) {
  RETURN_IF_ERROR(state_.registry_.SetAdminState(edit));
  BlockEffect effect;
  effect.kind = BlockEffect::Kind::kAdminState;
  effect.node = edit.node;
  effect.admin = edit.state;
  effects_.push_back(std::move(effect));
  return absl::OkStatus();
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
