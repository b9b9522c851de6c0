#include "namenode/namespace/state_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/status.h"

namespace cairn::namenode {
namespace {

template <typename... Args>
absl::Status Damaged(fmt::format_string<Args...> format, Args&&... args) {
  return absl::DataLossError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace

INodeRecord RecordOf(const FsState& state, const INode& inode) {
  INodeRecord record{.id = inode.id(),
                     .parent = inode.parent(),
                     .name = std::string(inode.name()),
                     .type = inode.is_directory() ? INodeType::kDirectory : INodeType::kFile,
                     .mtime_ms = inode.mtime_ms(),
                     .atime_ms = inode.atime_ms(),
                     .owner = state.PrincipalName(inode.owner()),
                     .group = state.PrincipalName(inode.group()),
                     .mode = inode.mode()};
  if (inode.is_directory()) {
    record.quota = state.quotas().Of(inode.id());
    return record;
  }
  record.block_size = inode.block_size();
  record.replication = inode.replication();
  if (inode.is_open()) record.open = *state.FindOpenState(inode);
  return record;
}

BlockRecord RecordOf(const FsState& state, BlockId id, const BlockMeta& meta) {
  BlockRecord record{.id = id,
                     .inode = meta.inode(),
                     .generation = meta.generation(),
                     .length = meta.length(),
                     .index = meta.index()};
  if (meta.is_open()) record.open = *state.FindOpenBlock(id);
  return record;
}

absl::Status StateBuilder::AddPrincipal(std::string_view name) {
  const size_t before = state_.principals();
  if (before >= kMaxPrincipals) return Damaged("more than {} users and groups", kMaxPrincipals);
  if (state_.Intern(name) != before) return Damaged("principal {} is there twice", name);
  return absl::OkStatus();
}

absl::Status StateBuilder::CheckINode(const INodeRecord& record) const {
  if (record.id == 0 || record.id > kMaxId || record.parent > kMaxId) {
    return Damaged("inode {} below {} is beyond the ids up to {}", record.id, record.parent,
                   kMaxId);
  }
  if (record.name.size() > kMaxNameBytes) {
    return Damaged("inode {} has a name of {} bytes", record.id, record.name.size());
  }
  if (std::min(record.mtime_ms, record.atime_ms) < 0 ||
      std::max(record.mtime_ms, record.atime_ms) > kMaxTimeMs) {
    return Damaged("inode {} has times beyond 0 to {} ms", record.id, kMaxTimeMs);
  }
  if (record.mode > kMaxMode) return Damaged("inode {} has mode {:o}", record.id, record.mode);
  if (state_.principals() + 2 > kMaxPrincipals &&
      state_.principals() + state_.NewPrincipals(record.owner, record.group) > kMaxPrincipals) {
    return Damaged("more than {} users and groups", kMaxPrincipals);
  }
  if (record.type == INodeType::kDirectory) return absl::OkStatus();
  if (!IsBlockSize(record.block_size) || record.replication == 0 ||
      record.replication > kMaxReplication) {
    return Damaged("file {} cannot have block size {} or replication {}", record.id,
                   record.block_size, record.replication);
  }
  if (!record.quota.empty()) return Damaged("file {} has a quota", record.id);
  if (record.open && record.open->min_replicas == 0) {
    return Damaged("file {} needs no replicas", record.id);
  }
  return absl::OkStatus();
}

PrincipalId StateBuilder::Intern(const std::string& name,
                                 std::pair<std::string, PrincipalId>& last) {
  if (name.empty() || name != last.first) last = {name, state_.Intern(name)};
  return last.second;
}

absl::Status StateBuilder::AddINode(INodeRecord record) {
  RETURN_IF_ERROR(CheckINode(record));
  if (state_.FindINode(record.id) != nullptr) {
    return Damaged("inode {} is there twice", record.id);
  }
  INode& inode = state_.MakeINode(record.id, record.parent, record.name);
  inode.set_mtime_ms(record.mtime_ms);
  inode.set_atime_ms(record.atime_ms);
  inode.set_owner(Intern(record.owner, owner_));
  inode.set_group(Intern(record.group, group_));
  inode.set_mode(record.mode);
  if (record.type == INodeType::kDirectory) {
    inode.MakeDirectory();
    state_.quotas_.Set(record.id, record.quota);
  } else {
    inode.set_block_size(record.block_size);
    inode.set_replication(record.replication);
    if (record.open) {
      inode.set_open(true);
      OpenState& open = state_.open_files_.emplace(record.id, *record.open).first->second;
      open.open_blocks = 0;
      state_.leases_[open.holder].insert(record.id);
    }
  }
  last_inode_ = std::max(last_inode_, record.id);
  state_.tree_digest_ += state_.HashOf(inode);
  return absl::OkStatus();
}

absl::Status StateBuilder::AddBlock(BlockRecord record) {
  INode* inode = state_.inodes_.Find(record.inode);
  if (inode == nullptr || inode->is_directory()) {
    return Damaged("block {} belongs to no file", record.id);
  }
  if (record.open && !inode->is_open()) return Damaged("block {} is open alone", record.id);
  if (record.open && record.open->cut && record.open->recovery == 0) {
    return Damaged("block {} is cut without a recovery", record.id);
  }
  const size_t there = inode->blocks().size();
  if (record.id <= last_block_ || record.index < there || record.length > inode->block_size()) {
    return Damaged("block {} does not fit file {}", record.id, record.inode);
  }
  if (std::max(record.id, record.generation) > kMaxId || record.index >= kMaxBlocksPerFile) {
    return Damaged("block {} of generation {} is beyond the ids up to {} or {} blocks in file {}",
                   record.id, record.generation, kMaxId, kMaxBlocksPerFile, record.inode);
  }
  last_block_ = record.id;
  BlockMeta& meta =
      *state_.blocks_
           .Emplace(record.id, record.inode, record.generation, record.length, record.index)
           .first;
  if (record.open) {
    meta.set_open(true);
    state_.open_blocks_.emplace(record.id, std::move(*record.open));
  }
  state_.tree_digest_ += state_.HashOf(record.id, meta);
  if (record.index > there) {
    if (early_.emplace(std::pair(record.inode, record.index), record.id).second) {
      return absl::OkStatus();
    }
    return Damaged("block {} does not fit file {}", record.id, record.inode);
  }
  RETURN_IF_ERROR(Append(*inode, record.id, meta));
  for (uint32_t index = record.index + 1; !early_.empty(); ++index) {
    const auto next = early_.find(std::pair(record.inode, index));
    if (next == early_.end()) break;
    RETURN_IF_ERROR(Append(*inode, next->second, *state_.blocks_.Find(next->second)));
    early_.erase(next);
  }
  return absl::OkStatus();
}

absl::Status StateBuilder::Append(INode& inode, BlockId id, const BlockMeta& meta) {
  if (const BlockIds before = inode.blocks(); !before.empty()) {
    const BlockMeta& last = *state_.blocks_.Find(before.back());
    if (!last.is_open() && last.length() != inode.block_size()) {
      return Damaged("block {} of file {} is short and not its last", before.back(), inode.id());
    }
  }
  inode.PushBlock(id);
  inode.set_length(inode.length() + meta.length());
  if (meta.is_open()) ++state_.open_files_.find(inode.id())->second.open_blocks;
  return absl::OkStatus();
}

absl::Status StateBuilder::AddDetached(uint64_t place, INodeId root) {
  const INode* inode = state_.inodes_.Find(root);
  if (inode == nullptr || inode->parent() != 0 || root == kRootINode ||
      !state_.detached_.emplace(place, root).second) {
    return Damaged("inode {} is no detached tree", root);
  }
  state_.tree_digest_ += FsState::HashOfDetached(place, root);
  return absl::OkStatus();
}

absl::Status StateBuilder::AddNode(const NodeEntry& node,
                                   const std::vector<RegisteredStorage>& storages) {
  return state_.registry_.Restore(node, storages);
}

absl::Status StateBuilder::AddRetryWindow(const ClientId& client, RetryCache::Window window) {
  if (state_.retry_.Restore(client, std::move(window))) return absl::OkStatus();
  return Damaged("a client is there twice in the retry cache");
}

absl::StatusOr<FsState> StateBuilder::Finish(TxId applied_txid, const Counters& counters,
                                             NodeNumber next_node, StorageNumber next_storage) {
  if (!early_.empty()) {
    return Damaged("blocks of file {} before block {} are not there", early_.begin()->first.first,
                   early_.begin()->second);
  }
  RETURN_IF_ERROR(LinkTree());
  for (const INodeId id : state_.OpenFilesOf(kNameNodeHolder)) {
    if (state_.FirstOpenBlock(*state_.FindINode(id)) == 0) {
      return Damaged("file {} is being recovered and has no open block", id);
    }
  }
  RETURN_IF_ERROR(CheckCounters(counters));
  RETURN_IF_ERROR(state_.registry_.RestoreCounters(next_node, next_storage));
  state_.counters_ = counters;
  state_.applied_txid_ = applied_txid;
  return std::exchange(state_, FsState());
}

absl::Status StateBuilder::LinkTree() {
  const INode* root = state_.inodes_.Find(kRootINode);
  if (root == nullptr || !root->is_directory() || root->parent() != 0) {
    return Damaged("there is no root directory");
  }
  absl::Status status;
  std::vector<INode*> directories;
  size_t tops = 0;  // without a parent
  state_.inodes_.ForEach([&](INodeId id, INode& inode) {
    if (!status.ok()) return;
    if (inode.is_directory()) directories.push_back(&inode);
    if (inode.parent() == 0) {
      ++tops;
      return;
    }
    INode* parent = state_.inodes_.Find(inode.parent());
    if (parent == nullptr || !parent->is_directory() || inode.name().empty() ||
        !parent->dir().children.Insert(inode.name_ref())) {
      status = Damaged("inode {} does not fit its parent {}", id, inode.parent());
      return;
    }
    if (!inode.is_directory()) parent->dir().totals += state_.TotalsOf(inode);
  });
  RETURN_IF_ERROR(status);
  if (tops != 1 + state_.detached_.size()) return Damaged("inodes without a way to the root");
  return AddUpTotals(directories);
}

absl::Status StateBuilder::AddUpTotals(const std::vector<INode*>& directories) {
  // How many directories in each one are still to be added.
  absl::flat_hash_map<const INode*, uint64_t> waiting;
  for (const INode* dir : directories) {
    if (dir->parent() != 0) ++waiting[state_.FindINode(dir->parent())];
  }
  std::vector<INode*> ready;
  for (INode* dir : directories) {
    if (!waiting.contains(dir)) ready.push_back(dir);
  }
  size_t added = 0;
  while (!ready.empty()) {
    const INode& dir = *ready.back();
    ready.pop_back();
    ++added;
    if (dir.parent() == 0) continue;
    INode* parent = state_.inodes_.Find(dir.parent());
    parent->dir().totals += dir.dir().totals;
    if (--waiting[parent] == 0) ready.push_back(parent);
  }
  // Whatever is left hangs in a circle.
  if (added != directories.size()) return Damaged("inodes without a way to the root");
  return absl::OkStatus();
}

absl::Status StateBuilder::CheckCounters(const Counters& counters) const {
  if (std::max({counters.next_inode, counters.next_block, counters.next_generation}) > kMaxId + 1) {
    return Damaged("the counters are beyond the ids up to {}", kMaxId);
  }
  if (counters.next_inode <= last_inode_ || counters.next_block <= last_block_) {
    return Damaged("the counters of inodes and blocks are too low");
  }
  if (!state_.detached_.empty() && counters.next_detached <= state_.detached_.rbegin()->first) {
    return Damaged("the counter of detached trees is too low");
  }
  return absl::OkStatus();
}

}  // namespace cairn::namenode
