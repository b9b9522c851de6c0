#include "namenode/namespace/fs_state.h"

#include <algorithm>
#include <utility>

namespace cairn::namenode {

FsState FsState::Format(std::string_view owner, std::string_view group, int64_t time_ms) {
  FsState state;
  INode& root = state.MakeINode(kRootINode, 0, "");
  root.MakeDirectory();
  root.set_mtime_ms(time_ms);
  root.set_atime_ms(time_ms);
  root.set_owner(state.Intern(owner));
  root.set_group(state.Intern(group));
  root.set_mode(01777);
  state.tree_digest_ += state.HashOf(root);
  return state;
}

// --- The tree
// ---------------------------------------------------------------------------------------

INode& FsState::MakeINode(INodeId id, INodeId parent, std::string_view name) {
  INode& inode = *inodes_.Emplace(id, names_.Add(name, id)).first;
  inode.set_parent(parent);
  return inode;
}

void FsState::Rename(INode& inode, std::string_view name) {
  const NameRef before = inode.name_ref();
  inode.set_name(names_.Add(name, before.id()));
  names_.Remove(before);
}

void FsState::EraseINode(INode& inode) {
  const NameRef name = inode.name_ref();
  inodes_.Erase(name.id());
  names_.Remove(name);
}

const INode* FsState::FindChild(const INode& directory, std::string_view name) const {
  const NameRef found = directory.dir().children.Find(name);
  return found ? inodes_.Find(found.id()) : nullptr;
}

const OpenState* FsState::FindOpenState(const INode& inode) const {
  if (!inode.is_open()) return nullptr;
  return &open_files_.find(inode.id())->second;
}

bool FsState::IsAttached(const INode& inode) const {
  const INode* node = &inode;
  while (node->parent() != 0) node = inodes_.Find(node->parent());
  return node == &root();
}

std::string FsState::PathOf(INodeId id) const {
  const INode* inode = inodes_.Find(id);
  return inode == nullptr ? std::string() : PathOf(*inode);
}

std::string FsState::PathOf(const INode& inode) const {
  std::vector<std::string_view> names;
  const INode* node = &inode;
  for (; node->parent() != 0; node = inodes_.Find(node->parent())) names.push_back(node->name());
  if (node != &root()) return "";
  std::string path;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    path += '/';
    path += *name;
  }
  return path.empty() ? "/" : path;
}

FileStatus FsState::StatusOf(const INode& inode) const {
  FileStatus status;
  status.name = inode.name();
  status.inode = inode.id();
  status.owner = PrincipalName(inode.owner());
  status.group = PrincipalName(inode.group());
  status.mode = inode.mode();
  status.mtime_ms = inode.mtime_ms();
  status.atime_ms = inode.atime_ms();
  if (inode.is_directory()) {
    status.type = INodeType::kDirectory;
    status.children = inode.dir().children.size();
    return status;
  }
  status.length = inode.length();
  status.replication = inode.replication();
  status.block_size = inode.block_size();
  status.blocks = inode.blocks().size();
  status.open = inode.is_open();
  return status;
}

Totals FsState::TotalsOf(const INode& inode) const {
  if (inode.is_directory()) return inode.dir().totals;
  return {.files = 1,
          .length = inode.length(),
          .space = inode.space(),
          .promised = PromisedBytes(inode) * inode.replication()};
}

void FsState::ForEachINode(absl::FunctionRef<void(const INode&)> fn) const {
  inodes_.ForEach([&](INodeId, const INode& inode) { fn(inode); });
}

// --- Blocks
// -----------------------------------------------------------------------------------------

const OpenBlock* FsState::FindOpenBlock(BlockId id) const {
  const auto it = open_blocks_.find(id);
  return it == open_blocks_.end() ? nullptr : &it->second;
}

std::optional<BlockInfo> FsState::FindBlockInfo(BlockId id) const {
  const BlockMeta* meta = blocks_.Find(id);
  if (meta == nullptr) return std::nullopt;
  return InfoOf(id, *meta);
}

BlockInfo FsState::InfoOf(BlockId id, const BlockMeta& meta) const {
  const INode& file = *inodes_.Find(meta.inode());
  BlockInfo info;
  info.block = {id, meta.generation(), meta.length()};
  info.inode = meta.inode();
  info.offset = meta.index() * file.block_size();
  info.replication = file.replication();
  info.block_size = file.block_size();
  info.open = meta.is_open();
  if (meta.is_open()) {
    const OpenBlock& open = *FindOpenBlock(id);
    info.pipeline = open.pipeline;
    info.recovery = open.recovery;
    info.cut = open.cut;
  }
  return info;
}

uint64_t FsState::PromisedBytes(BlockId id, const BlockMeta& meta, uint64_t block_size) const {
  if (!meta.is_open() || FindOpenBlock(id)->cut) return 0;
  return block_size - meta.length();
}

uint64_t FsState::PromisedBytes(const INode& inode) const {
  if (!inode.is_open()) return 0;
  const BlockIds blocks = inode.blocks();
  uint32_t left = FindOpenState(inode)->open_blocks;
  uint64_t bytes = 0;
  for (size_t i = blocks.size(); left > 0; --i) {
    const BlockMeta& meta = *blocks_.Find(blocks[i - 1]);
    if (!meta.is_open()) continue;
    bytes += PromisedBytes(blocks[i - 1], meta, inode.block_size());
    --left;
  }
  return bytes;
}

BlockId FsState::FirstOpenBlock(const INode& inode) const {
  if (!inode.is_open()) return 0;
  // From the end, where the few open ones are.
  const BlockIds blocks = inode.blocks();
  uint32_t left = FindOpenState(inode)->open_blocks;
  BlockId first = 0;
  for (size_t i = blocks.size(); left > 0; --i) {
    const BlockId id = blocks[i - 1];
    if (!blocks_.Find(id)->is_open()) continue;
    first = id;
    --left;
  }
  return first;
}

void FsState::ForEachBlockMeta(absl::FunctionRef<void(BlockId, const BlockMeta&)> fn) const {
  blocks_.ForEach(fn);
}

void FsState::ForEachBlock(absl::FunctionRef<void(const BlockInfo&, bool file_closed)> fn) const {
  blocks_.ForEach([&](BlockId id, const BlockMeta& meta) {
    fn(InfoOf(id, meta), !inodes_.Find(meta.inode())->is_open());
  });
}

// --- Leases
// -----------------------------------------------------------------------------------------

void FsState::ForEachLease(absl::FunctionRef<void(const Lease&)> fn) const {
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
  return tree_digest_ + registry_.digest() + quotas_.digest() + retry_.digest() + HashOfCounters();
}

Digest FsState::RecomputeDigest() const {
  Digest sum = registry_.RecomputeDigest() + quotas_.RecomputeDigest() + retry_.RecomputeDigest() +
               HashOfCounters();
  inodes_.ForEach([&](INodeId, const INode& inode) { sum += HashOf(inode); });
  blocks_.ForEach([&](BlockId id, const BlockMeta& meta) { sum += HashOf(id, meta); });
  for (const auto& [place, root] : detached_) sum += HashOfDetached(place, root);
  return sum;
}

Digest FsState::HashOf(const INode& inode) const {
  EntityBytes bytes('i');
  bytes.Add(inode.id()).Add(inode.parent()).Add(inode.name());
  bytes.Add(static_cast<uint64_t>(inode.mtime_ms())).Add(static_cast<uint64_t>(inode.atime_ms()));
  bytes.Add(PrincipalName(inode.owner())).Add(PrincipalName(inode.group())).Add(inode.mode());
  bytes.Add(inode.is_directory());
  if (!inode.is_directory()) {
    bytes.Add(inode.block_size()).Add(inode.replication()).Add(inode.is_open());
    if (const OpenState* open = FindOpenState(inode); open != nullptr) {
      bytes.Add({reinterpret_cast<const char*>(open->holder.data()), sizeof(ClientId)});
      bytes.Add(open->unpublished).Add(open->min_replicas).Add(open->appended);
    }
  }
  return bytes.Hash();
}

Digest FsState::HashOf(BlockId id, const BlockMeta& meta) const {
  EntityBytes bytes('b');
  bytes.Add(id).Add(meta.inode()).Add(meta.generation()).Add(meta.length()).Add(meta.index());
  bytes.Add(meta.is_open());
  if (meta.is_open()) {
    const OpenBlock& open = *FindOpenBlock(id);
    bytes.Add(open.pipeline.size());
    for (const NodeNumber node : open.pipeline) bytes.Add(node);
    bytes.Add(open.recovery).Add(open.cut).Add(open.untouched);
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

size_t FsState::NewPrincipals(std::string_view a, std::string_view b) const {
  const auto is_new = [&](std::string_view name) { return !principal_ids_.contains(name); };
  return (is_new(a) ? 1 : 0) + (b != a && is_new(b) ? 1 : 0);
}

}  // namespace cairn::namenode
