// The Applier: carries out one edit. Private to Apply (apply.cc); the only class that may change an
// FsState. One operator() per kind of edit; each checks all that it needs before the first change.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "namenode/namespace/edit.h"
#include "namenode/namespace/effects.h"
#include "namenode/namespace/fs_state.h"

namespace cairn::namenode {

class Applier {
 public:
  Applier(FsState& state, TxId txid, int64_t time_ms)
      : state_(state), txid_(txid), time_ms_(std::clamp<int64_t>(time_ms, 0, kMaxTimeMs)) {}

  absl::Status operator()(const MkdirsEdit& edit);
  absl::Status operator()(const CreateEdit& edit);
  absl::Status operator()(const AddBlockEdit& edit);
  absl::Status operator()(const AbandonBlockEdit& edit);
  absl::Status operator()(const CompleteEdit& edit);
  absl::Status operator()(const RenameEdit& edit);
  absl::Status operator()(const DeleteEdit& edit);
  absl::Status operator()(const ReclaimEdit& edit);
  absl::Status operator()(const SetReplicationEdit& edit);
  absl::Status operator()(const SetTimesEdit& edit);
  absl::Status operator()(const SetOwnerEdit& edit);
  absl::Status operator()(const SetPermissionEdit& edit);
  absl::Status operator()(const RegisterNodeEdit& edit);
  absl::Status operator()(const StartEdit& edit);
  absl::Status operator()(const DigestEdit& edit);
  absl::Status operator()(const NewStampEdit& edit);
  absl::Status operator()(const UpdatePipelineEdit& edit);
  absl::Status operator()(const AppendEdit& edit);
  absl::Status operator()(const TruncateEdit& edit);
  absl::Status operator()(const TakeOverEdit& edit);
  absl::Status operator()(const BeginRecoveryEdit& edit);
  absl::Status operator()(const CommitRecoveryEdit& edit);
  absl::Status operator()(const RaiseCountersEdit& edit);
  absl::Status operator()(const SetQuotaEdit& edit);
  absl::Status operator()(const ConcatEdit& edit);
  absl::Status operator()(const SetAdminStateEdit& edit);

  // After the edit: brings the digest up to date, remembers the answer, lets old answers go, moves
  // the state to this txid.
  absl::Status Finish(const EditRecord& record);

  Effects TakeEffects() { return std::move(effects_); }

 private:
  // --- The digest and what answers wait for. An entity's old hash leaves the digest at its first
  // change in this edit, the new one comes in once, by Finish.
  void WillChange(INode& inode);  // e.g. a directory's mtime: not a change of the INode itself
  void Change(INode& inode);      // of the INode itself: who tells of it waits for this edit
  void AddToDigest(INode& inode) { changed_inodes_.push_back(&inode); }  // a new one
  void RemoveFromDigest(const INode& inode);                             // it goes
  // The same of blocks. A block's file counts as changed: what it tells of its blocks is new.
  void Change(BlockId id, BlockMeta& meta);
  void AddToDigest(BlockId id, BlockMeta& meta) { changed_blocks_.emplace_back(id, &meta); }
  void RemoveFromDigest(BlockId id, const BlockMeta& meta);
  void UpdateDigest();
  void Touch(Aspect aspect, INodeId id) { state_.touched_.Touch(aspect, id, txid_); }

  // --- Checks: DATA_LOSS when what the edit names is not there (apply.cc) ---
  absl::StatusOr<INode*> FindLinked(INodeId id);  // any INode with a parent
  absl::StatusOr<INode*> FindDirectory(INodeId id);
  absl::StatusOr<INode*> FindFile(INodeId id);
  absl::StatusOr<INode*> FindOpenFile(INodeId id);
  absl::StatusOr<INode*> FindClosedFile(INodeId id);
  absl::StatusOr<INode*> FindRecovering(INodeId id);  // held by the NameNode
  absl::StatusOr<BlockMeta*> FindOpenBlock(const INode& inode, BlockId id);
  OpenBlock& OpenBlockOf(BlockId id) { return state_.open_blocks_.find(id)->second; }
  OpenState& OpenStateOf(const INode& inode) { return state_.open_files_.find(inode.id())->second; }
  // `name` may be given to a new entry of `dir`: free, or held by the file `replaced`.
  absl::Status CheckFree(const INode& dir, std::string_view name, INodeId replaced);
  absl::Status CheckName(std::string_view name, INodeId dir) const;
  absl::Status CheckNextINodes(INodeId first, uint64_t count) const;
  absl::Status CheckPrincipals(std::string_view owner, std::string_view group) const;
  absl::Status CheckNew(const NewBlock& block, uint64_t block_size, size_t blocks_before) const;
  absl::Status CheckFinished(const INode& inode, const std::vector<FinishedBlock>& finished);
  absl::Status CheckConcat(const INode& target, const ConcatEdit& edit);
  absl::Status CheckNextStamp(GenerationStamp generation) const;
  absl::Status CheckPipeline(BlockId block, const std::vector<NodeNumber>& pipeline) const;

  // --- The tree (apply.cc) ---
  // A file without content, of the edit's time, linked below `parent` once it is filled in.
  INode& NewINode(INodeId id, INodeId parent, std::string_view name, std::string_view owner,
                  std::string_view group, uint32_t mode);
  // The set of children changes: so does mtime. Not a change of the INode itself: who walks through
  // it need not wait for this edit.
  void TouchChildren(INode& dir);
  void Link(INode& inode);    // into the directory inode.parent() under inode.name()
  void Unlink(INode& inode);  // out of it; the caller changes or frees the INode
  void Move(INode& inode, INode& new_parent, const std::string& new_name);
  void Detach(INode& inode);
  // Adds to `dir_id` and all above it. `sign` -1 subtracts.
  void AddTotals(INodeId dir_id, const Totals& totals, int sign);

  // --- Blocks and leases (apply_files.cc, apply_recovery.cc, apply_reclaim.cc, apply_concat.cc)
  // ---
  void OpenNewBlock(INode& inode, const NewBlock& block);
  void FinishBlocks(INode& inode, const std::vector<FinishedBlock>& finished);
  // An open block is one no more; its file's length follows.
  void FinishBlock(INode& inode, BlockMeta& meta, const FinishedBlock& done);
  void RemoveLastBlock(INode& inode) { RemoveBlocks(inode, inode.blocks().size() - 1); }
  void RemoveBlocks(INode& inode, size_t kept);  // all but the first `kept`
  void Reopen(INode& inode, BlockId id,
              OpenBlock open);  // the last, finished block of an open file
  // `promised`: what is added to the file's PromisedBytes; modulo 2^64, as all sums here.
  void SetLength(INode& inode, uint64_t length, uint64_t promised = 0);
  void TakeBlocks(INode& target, INode& source);  // and frees the source
  void OpenFile(INode& inode, OpenState open);    // begins a lease
  void CloseFile(INode& inode);                   // ends the lease; all its blocks are finished
  void DropLease(const ClientId& holder, INodeId inode);
  void AddEffect(BlockEffect::Kind kind, BlockId id, std::vector<StorageNumber> storages = {});
  void FreeINode(INode& inode);

  FsState& state_;
  const TxId txid_;
  const int64_t time_ms_;
  Effects effects_;
  absl::InlinedVector<INode*, 8> changed_inodes_;
  absl::InlinedVector<std::pair<BlockId, BlockMeta*>, 4> changed_blocks_;
};

}  // namespace cairn::namenode
