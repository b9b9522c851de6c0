#include "namenode/namespace/fs_state.h"

#include <algorithm>
#include <utility>

namespace cairn::namenode {

FsState FsState::Format(std::string_view owner, std::string_view group, int64_t time_ms) {
  FsState state;
  INode& root = *state.inodes_.Emplace(kRootINode).first;
  root.id = kRootINode;
  root.mtime_ms = time_ms;
  root.atime_ms = time_ms;
  root.owner = state.Intern(owner);
  root.group = state.Intern(group);
  root.mode = 01777;
  root.body = std::make_unique<DirectoryBody>();
  root.dir().totals.directories = 1;
  state.tree_digest_ += state.HashOf(root);
  return state;
}

// --- The tree
// ---------------------------------------------------------------------------------------

const INode* FsState::FindChild(const INode& directory, std::string_view name) const {
  const auto& children = directory.dir().children;
  const auto it = children.find(name);
  return it == children.end() ? nullptr : inodes_.Find(it->second);
}

bool FsState::IsAttached(const INode& inode) const {
  const INode* node = &inode;
  while (node->parent != 0) node = inodes_.Find(node->parent);
  return node->id == kRootINode;
}

std::string FsState::PathOf(INodeId id) const {
  const INode* inode = inodes_.Find(id);
  return inode == nullptr ? std::string() : PathOf(*inode);
}

std::string FsState::PathOf(const INode& inode) const {
  std::vector<std::string_view> names;
  const INode* node = &inode;
  for (; node->parent != 0; node = inodes_.Find(node->parent)) names.push_back(node->name);
  if (node->id != kRootINode) return "";
  std::string path;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    path += '/';
    path += *name;
  }
  return path.empty() ? "/" : path;
}

FileStatus FsState::StatusOf(const INode& inode) const {
  FileStatus status;
  status.name = inode.name;
  status.inode = inode.id;
  status.owner = PrincipalName(inode.owner);
  status.group = PrincipalName(inode.group);
  status.mode = inode.mode;
  status.mtime_ms = inode.mtime_ms;
  status.atime_ms = inode.atime_ms;
  if (inode.is_directory()) {
    status.type = INodeType::kDirectory;
    status.children = inode.dir().children.size();
    return status;
  }
  const FileBody& file = inode.file();
  status.length = file.length;
  status.replication = file.replication;
  status.block_size = file.block_size;
  status.blocks = file.blocks.size();
  status.open = file.open != nullptr;
  return status;
}

void FsState::ForEachINode(const std::function<void(const INode&)>& fn) const {
  inodes_.ForEach([&](INodeId, const INode& inode) { fn(inode); });
}

// --- Blocks
// -----------------------------------------------------------------------------------------

std::optional<BlockInfo> FsState::FindBlockInfo(BlockId id) const {
  const BlockMeta* meta = blocks_.Find(id);
  if (meta == nullptr) return std::nullopt;
  return InfoOf(id, *meta);
}

BlockInfo FsState::InfoOf(BlockId id, const BlockMeta& meta) const {
  const FileBody& file = inodes_.Find(meta.inode)->file();
  BlockInfo info;
  info.block = {id, meta.generation, meta.length};
  info.inode = meta.inode;
  info.offset = meta.index * file.block_size;
  info.replication = file.replication;
  info.block_size = file.block_size;
  info.open = meta.open != nullptr;
  if (meta.open != nullptr) {
    info.pipeline = meta.open->pipeline;
    info.recovery = meta.open->recovery;
    info.cut = meta.open->cut;
  }
  return info;
}

BlockId FsState::FirstOpenBlock(const INode& inode) const {
  const FileBody& file = inode.file();
  // From the end, where the few open ones are.
  uint32_t left = file.open == nullptr ? 0 : file.open->open_blocks;
  BlockId first = 0;
  for (auto id = file.blocks.rbegin(); left > 0; ++id) {
    if (blocks_.Find(*id)->open == nullptr) continue;
    first = *id;
    --left;
  }
  return first;
}

void FsState::ForEachBlockMeta(const std::function<void(BlockId, const BlockMeta&)>& fn) const {
  blocks_.ForEach(fn);
}

void FsState::ForEachBlock(
    const std::function<void(const BlockInfo&, bool file_closed)>& fn) const {
  blocks_.ForEach([&](BlockId id, const BlockMeta& meta) {
    fn(InfoOf(id, meta), inodes_.Find(meta.inode)->file().open == nullptr);
  });
}

// --- Leases
// -----------------------------------------------------------------------------------------

void FsState::ForEachLease(const std::function<void(const Lease&)>& fn) const {
  for (const auto& [holder, inodes] : leases_) {
    fn(Lease{holder, std::vector<INodeId>(inodes.begin(), inodes.end())});
  }
}

std::vector<INodeId> FsState::OpenFilesOf(const ClientId& holder) const {
  const auto it = leases_.find(holder);
  if (it == leases_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

// --- The digest
// -------------------------------------------------------------------------------------

Digest FsState::digest() const {
  return tree_digest_ + registry_.digest() + retry_.digest() + HashOfCounters();
}

Digest FsState::RecomputeDigest() const {
  Digest sum = registry_.RecomputeDigest() + retry_.RecomputeDigest() + HashOfCounters();
  inodes_.ForEach([&](INodeId, const INode& inode) { sum += HashOf(inode); });
  blocks_.ForEach([&](BlockId id, const BlockMeta& meta) { sum += HashOf(id, meta); });
  for (const auto& [place, root] : detached_) sum += HashOfDetached(place, root);
  return sum;
}

Digest FsState::HashOf(const INode& inode) const {
  EntityBytes bytes('i');
  bytes.Add(inode.id).Add(inode.parent).Add(inode.name);
  bytes.Add(static_cast<uint64_t>(inode.mtime_ms)).Add(static_cast<uint64_t>(inode.atime_ms));
  bytes.Add(PrincipalName(inode.owner)).Add(PrincipalName(inode.group)).Add(inode.mode);
  bytes.Add(inode.is_directory());
  if (!inode.is_directory()) {
    const FileBody& file = inode.file();
    bytes.Add(file.block_size).Add(file.replication).Add(file.open != nullptr);
    if (file.open != nullptr) {
      bytes.Add({reinterpret_cast<const char*>(file.open->holder.data()), sizeof(ClientId)});
      bytes.Add(file.open->unpublished).Add(file.open->min_replicas).Add(file.open->appended);
    }
  }
  return bytes.Hash();
}

Digest FsState::HashOf(BlockId id, const BlockMeta& meta) {
  EntityBytes bytes('b');
  bytes.Add(id).Add(meta.inode).Add(meta.generation).Add(meta.length).Add(meta.index);
  bytes.Add(meta.open != nullptr);
  if (meta.open != nullptr) {
    bytes.Add(meta.open->pipeline.size());
    for (const NodeNumber node : meta.open->pipeline) bytes.Add(node);
    bytes.Add(meta.open->recovery).Add(meta.open->cut).Add(meta.open->untouched);
  }
  return bytes.Hash();
}

Digest FsState::HashOfDetached(uint64_t place, INodeId root) {
  return EntityBytes('d').Add(place).Add(root).Hash();
}

Digest FsState::HashOfCounters() const {
  return EntityBytes('c')
      .Add(counters_.epoch)
      .Add(counters_.next_inode)
      .Add(counters_.next_block)
      .Add(counters_.next_generation)
      .Add(counters_.next_detached)
      .Add(registry_.next_node())
      .Add(registry_.next_storage())
      .Hash();
}

PrincipalId FsState::Intern(std::string_view name) {
  if (const auto it = principal_ids_.find(name); it != principal_ids_.end()) return it->second;
  const auto id = static_cast<PrincipalId>(principals_.size());
  principals_.emplace_back(name);
  principal_ids_.emplace(name, id);
  return id;
}

}  // namespace cairn::namenode
