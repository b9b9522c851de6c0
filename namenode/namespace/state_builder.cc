#include "namenode/namespace/state_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/status.h"

namespace cairn::namenode {
namespace {

template <typename... Args>
absl::Status Damaged(fmt::format_string<Args...> format, Args&&... args) {
  return absl::DataLossError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace

INodeRecord RecordOf(const FsState& state, const INode& inode) {
  INodeRecord record{.id = inode.id,
                     .parent = inode.parent,
                     .name = inode.name,
                     .type = inode.is_directory() ? INodeType::kDirectory : INodeType::kFile,
                     .mtime_ms = inode.mtime_ms,
                     .atime_ms = inode.atime_ms,
                     .owner = state.PrincipalName(inode.owner),
                     .group = state.PrincipalName(inode.group),
                     .mode = inode.mode};
  if (inode.is_directory()) return record;
  record.block_size = inode.file().block_size;
  record.replication = inode.file().replication;
  if (inode.file().open != nullptr) record.open = *inode.file().open;
  return record;
}

BlockRecord RecordOf(BlockId id, const BlockMeta& meta) {
  BlockRecord record{.id = id,
                     .inode = meta.inode,
                     .generation = meta.generation,
                     .length = meta.length,
                     .index = meta.index};
  if (meta.open != nullptr) record.open = *meta.open;
  return record;
}

absl::Status StateBuilder::AddPrincipal(std::string_view name) {
  const size_t before = state_.principals();
  if (state_.Intern(name) != before) return Damaged("principal {} is there twice", name);
  return absl::OkStatus();
}

absl::Status StateBuilder::AddINode(INodeRecord record) {
  INode inode;
  inode.id = record.id;
  inode.parent = record.parent;
  inode.name = std::move(record.name);
  inode.mtime_ms = record.mtime_ms;
  inode.atime_ms = record.atime_ms;
  inode.owner = state_.Intern(record.owner);
  inode.group = state_.Intern(record.group);
  inode.mode = record.mode;
  if (record.type == INodeType::kDirectory) {
    inode.body = std::make_unique<DirectoryBody>();
  } else {
    if (record.block_size == 0 || record.replication == 0) {
      return Damaged("file {} has no block size or replication", record.id);
    }
    inode.file().block_size = record.block_size;
    inode.file().replication = record.replication;
    if (record.open) {
      if (record.open->min_replicas == 0) return Damaged("file {} needs no replicas", record.id);
      inode.file().open = std::make_unique<OpenState>(*record.open);
      inode.file().open->open_blocks = 0;
      state_.leases_[record.open->holder].insert(record.id);
      ++state_.open_files_;
    }
  }
  const auto [added, is_new] = state_.inodes_.Insert(record.id, std::move(inode));
  if (!is_new || record.id == 0) return Damaged("inode {} is there twice", record.id);
  last_inode_ = std::max(last_inode_, record.id);
  state_.tree_digest_ += state_.HashOf(*added);
  return absl::OkStatus();
}

absl::Status StateBuilder::AddBlock(BlockRecord record) {
  INode* inode = state_.inodes_.Find(record.inode);
  if (inode == nullptr || inode->is_directory()) {
    return Damaged("block {} belongs to no file", record.id);
  }
  FileBody& file = inode->file();
  if (record.open && file.open == nullptr) return Damaged("block {} is open alone", record.id);
  if (record.open && record.open->cut && record.open->recovery == 0) {
    return Damaged("block {} is cut without a recovery", record.id);
  }
  if (record.id <= last_block_ || record.index != file.blocks.size() ||
      record.length > file.block_size) {
    return Damaged("block {} does not fit file {}", record.id, record.inode);
  }
  if (!file.blocks.empty()) {
    const BlockMeta& before = *state_.blocks_.Find(file.blocks.back());
    if (before.open == nullptr && before.length != file.block_size) {
      return Damaged("block {} of file {} is short and not its last", file.blocks.back(),
                     record.inode);
    }
  }
  last_block_ = record.id;
  file.blocks.push_back(record.id);
  file.length += record.length;
  BlockMeta meta;
  meta.inode = record.inode;
  meta.generation = record.generation;
  meta.length = record.length;
  meta.index = record.index;
  if (record.open) {
    ++file.open->open_blocks;
    meta.open = std::make_unique<OpenBlock>(std::move(*record.open));
  }
  const BlockMeta& added = *state_.blocks_.Insert(record.id, std::move(meta)).first;
  state_.tree_digest_ += FsState::HashOf(record.id, added);
  return absl::OkStatus();
}

absl::Status StateBuilder::AddDetached(uint64_t place, INodeId root) {
  const INode* inode = state_.inodes_.Find(root);
  if (inode == nullptr || inode->parent != 0 || root == kRootINode ||
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
  INode* root = state_.inodes_.Find(kRootINode);
  if (root == nullptr || !root->is_directory() || root->parent != 0) {
    return Damaged("there is no root directory");
  }
  absl::Status status;
  state_.inodes_.ForEach([&](INodeId id, INode& inode) {
    if (inode.parent == 0 || !status.ok()) return;
    INode* parent = state_.inodes_.Find(inode.parent);
    if (parent == nullptr || !parent->is_directory() || inode.name.empty() ||
        !parent->dir().children.emplace(inode.name, id).second) {
      status = Damaged("inode {} does not fit its parent {}", id, inode.parent);
    }
  });
  RETURN_IF_ERROR(status);
  // Whatever is not below the root or a detached tree hangs in a circle or from nothing.
  uint64_t counted = CountTotals(*root);
  for (const auto& [place, id] : state_.detached_) {
    counted += CountTotals(*state_.inodes_.Find(id));
  }
  if (counted != state_.inodes_.size()) return Damaged("inodes without a way to the root");
  return absl::OkStatus();
}

uint64_t StateBuilder::CountTotals(INode& root) {
  if (!root.is_directory()) return 1;
  using Children = absl::btree_map<std::string_view, INodeId>;
  struct Level {
    INode* dir;
    Children::const_iterator next;
  };
  const auto begin = [](INode& dir) {
    dir.dir().totals = {.directories = 1};
    return Level{&dir, dir.dir().children.begin()};
  };
  const auto add = [](Totals& sum, const Totals& totals) {
    sum.files += totals.files;
    sum.directories += totals.directories;
    sum.length += totals.length;
    sum.space += totals.space;
  };
  uint64_t count = 1;
  std::vector<Level> levels{begin(root)};
  while (!levels.empty()) {
    Level& level = levels.back();
    DirectoryBody& body = level.dir->dir();
    if (level.next == body.children.end()) {
      levels.pop_back();
      if (!levels.empty()) add(levels.back().dir->dir().totals, body.totals);
      continue;
    }
    INode& child = *state_.inodes_.Find((level.next++)->second);
    ++count;
    if (child.is_directory()) {
      levels.push_back(begin(child));
    } else {
      const FileBody& file = child.file();
      add(body.totals,
          {.files = 1, .length = file.length, .space = file.length * file.replication});
    }
  }
  return count;
}

absl::Status StateBuilder::CheckCounters(const Counters& counters) const {
  if (counters.next_inode <= last_inode_ || counters.next_block <= last_block_) {
    return Damaged("the counters of inodes and blocks are too low");
  }
  if (!state_.detached_.empty() && counters.next_detached <= state_.detached_.rbegin()->first) {
    return Damaged("the counter of detached trees is too low");
  }
  return absl::OkStatus();
}

}  // namespace cairn::namenode
