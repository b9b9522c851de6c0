// The journaled state: the INode tree, leases, the retry cache, the registry of nodes, the
// counters.
//
// Why: one value that replay, checkpoint and live service share. It changes in one way only: Apply
// (apply.h); images are loaded through StateBuilder (state_builder.h). Readers use the const
// interface. Not thread-safe: the namesystem guards it with its read-write lock. No container of it
// grows by moving. It keeps an incremental 128-bit digest of its content, equal for equal content.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "common/paged_table.h"
#include "namenode/namespace/digest.h"
#include "namenode/namespace/edit.h"
#include "namenode/namespace/inode.h"
#include "namenode/namespace/name_pool.h"
#include "namenode/namespace/node_registry.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/retry_cache.h"
#include "namenode/namespace/touch_table.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

struct Lease {
  ClientId holder{};
  std::vector<INodeId> inodes;  // open files, by id
};

// What comes next. Ids and stamps never return.
struct Counters {
  uint64_t epoch = 0;
  INodeId next_inode = kRootINode + 1;
  BlockId next_block = 1;
  GenerationStamp next_generation = 1;
  uint64_t next_detached = 1;  // place in the queue of detached trees

  friend bool operator==(const Counters&, const Counters&) = default;
};

class FsState {
 public:
  // A fresh state: an empty root with mode 1777. It is written as the image of txid 0.
  static FsState Format(std::string_view owner, std::string_view group, int64_t time_ms);

  FsState(FsState&&) noexcept = default;
  FsState& operator=(FsState&&) noexcept = default;

  TxId applied_txid() const { return applied_txid_; }
  const Counters& counters() const { return counters_; }
  uint64_t epoch() const { return counters_.epoch; }
  INodeId next_inode() const { return counters_.next_inode; }
  BlockId next_block() const { return counters_.next_block; }
  GenerationStamp next_generation() const { return counters_.next_generation; }

  Digest digest() const;
  Digest RecomputeDigest() const;  // from nothing, O(state): to check digest()

  // Of the tree under the root, open files included.
  uint64_t files() const { return root().dir().totals.files; }
  uint64_t directories() const { return root().dir().totals.directories; }  // the root included
  // Of the whole state, detached trees included.
  uint64_t blocks() const { return blocks_.size(); }
  uint64_t open_files() const { return open_files_.size(); }
  uint64_t inodes() const { return inodes_.size(); }

  // --- The tree ---
  const INode& root() const { return *inodes_.Find(kRootINode); }
  const INode* FindINode(INodeId id) const { return inodes_.Find(id); }
  const INode* FindChild(const INode& directory, std::string_view name) const;
  bool IsAttached(const INode& inode) const;  // its chain of parents ends at the root
  // The full path; empty when the inode is unknown or detached.
  std::string PathOf(INodeId id) const;
  std::string PathOf(const INode& inode) const;
  const std::string& PrincipalName(PrincipalId id) const { return principals_[id]; }
  size_t principals() const { return principals_.size(); }
  // How many of two names have been no owner or group before.
  size_t NewPrincipals(std::string_view a, std::string_view b) const;
  FileStatus StatusOf(const INode& inode) const;
  // Of a directory's tree, or of a file.
  Totals TotalsOf(const INode& inode) const;
  // What a file that is being written has beyond its INode; nullptr: it is closed.
  const OpenState* FindOpenState(const INode& inode) const;
  void ForEachINode(absl::FunctionRef<void(const INode&)> fn) const;  // by id
  // The newest edits that touched what an answer may reveal; upper bounds.
  const TouchTable& touched() const { return touched_; }

  // --- Blocks ---
  const BlockMeta* FindBlock(BlockId id) const { return blocks_.Find(id); }
  // What a block that is being written has beyond its BlockMeta; nullptr: it is finished.
  const OpenBlock* FindOpenBlock(BlockId id) const;
  std::optional<BlockInfo> FindBlockInfo(BlockId id) const;
  BlockInfo InfoOf(BlockId id, const BlockMeta& meta) const;
  // By how much one copy of the block, or of all of the file's, may still grow.
  uint64_t PromisedBytes(BlockId id, const BlockMeta& meta, uint64_t block_size) const;
  uint64_t PromisedBytes(const INode& file) const;
  // The first unfinished block of a file; 0: none.
  BlockId FirstOpenBlock(const INode& inode) const;
  void ForEachBlockMeta(absl::FunctionRef<void(BlockId, const BlockMeta&)> fn) const;
  // By id; `file_closed`: no lease is held on its file.
  void ForEachBlock(absl::FunctionRef<void(const BlockInfo&, bool file_closed)> fn) const;

  // --- Leases ---
  void ForEachLease(absl::FunctionRef<void(const Lease&)> fn) const;  // by holder
  std::vector<INodeId> OpenFilesOf(const ClientId& holder) const;     // by id
  bool HasLease(const ClientId& holder) const { return leases_.contains(holder); }

  // --- The rest ---
  const NodeRegistry& registry() const { return registry_; }
  const QuotaTable& quotas() const { return quotas_; }
  const RetryCache& retry_cache() const { return retry_; }
  // nullopt: the call is new. An error (kOutcomeUnknown) in the hit: below the client's window.
  std::optional<RetryHit> FindRetry(const RetryKey& key) const { return retry_.Find(key); }

  // Detached trees wait to be freed by ReclaimEdits.
  bool HasReclaimWork() const { return !detached_.empty(); }
  // Their roots, first to be freed first.
  const absl::btree_map<uint64_t, INodeId>& detached() const { return detached_; }

 private:
  friend class Applier;       // apply_internal.h
  friend class StateBuilder;  // state_builder.h

  FsState() = default;

  // Hashes of entities, as the digest adds them up.
  Digest HashOf(const INode& inode) const;
  Digest HashOf(BlockId id, const BlockMeta& meta) const;
  static Digest HashOfDetached(uint64_t place, INodeId root);
  Digest HashOfCounters() const;

  PrincipalId Intern(std::string_view name);
  // A file without content below `parent`; not linked, not in the digest.
  INode& MakeINode(INodeId id, INodeId parent, std::string_view name);
  void Rename(INode& inode, std::string_view name);  // not linked while this goes on
  void EraseINode(INode& inode);

  TxId applied_txid_ = 0;
  Counters counters_;
  NamePool names_;
  PagedTable<INode> inodes_;
  PagedTable<BlockMeta> blocks_;
  absl::btree_map<INodeId, OpenState> open_files_;
  absl::btree_map<BlockId, OpenBlock> open_blocks_;
  absl::btree_map<ClientId, absl::btree_set<INodeId>> leases_;  // follows from the open files
  absl::btree_map<uint64_t, INodeId> detached_;
  TouchTable touched_;
  std::deque<std::string> principals_;
  std::map<std::string, PrincipalId, std::less<>> principal_ids_;
  NodeRegistry registry_;
  QuotaTable quotas_;
  RetryCache retry_;
  Digest tree_digest_;  // of INodes, blocks and the detached queue
};

}  // namespace cairn::namenode
