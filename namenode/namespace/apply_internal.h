// The Applier: carries out one edit. Private to Apply (apply.cc); the only class that may change an
// FsState. One operator() per kind of edit; each checks all that it needs before the first change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "namenode/namespace/edit.h"
#include "namenode/namespace/effects.h"
#include "namenode/namespace/fs_state.h"

namespace cairn::namenode {

class Applier {
 public:
  Applier(FsState& state, TxId txid, int64_t time_ms)
      : state_(state), txid_(txid), time_ms_(time_ms) {}

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

  // After the edit: remembers the answer, lets old answers go, moves the state to this txid.
  absl::Status Finish(const EditRecord& record);

  Effects TakeEffects() { return std::move(effects_); }

 private:
  // While one lives, the INode may change: takes its hash out of the digest and puts the new one
  // in.
  class INodeChange {
   public:
    INodeChange(Applier& applier, INode& inode) : applier_(applier), inode_(inode) {
      applier_.state_.tree_digest_ -= applier_.state_.HashOf(inode_);
    }
    ~INodeChange() {
      inode_.txid = applier_.txid_;
      applier_.state_.tree_digest_ += applier_.state_.HashOf(inode_);
    }
    INodeChange(const INodeChange&) = delete;
    INodeChange& operator=(const INodeChange&) = delete;

   private:
    Applier& applier_;
    INode& inode_;
  };
  // The same for a block. Its file counts as changed: what it tells of its blocks is new.
  class BlockChange {
   public:
    BlockChange(Applier& applier, BlockId id, BlockMeta& meta)
        : applier_(applier), id_(id), meta_(meta) {
      applier_.state_.tree_digest_ -= FsState::HashOf(id_, meta_);
    }
    ~BlockChange() {
      applier_.state_.inodes_.Find(meta_.inode)->txid = applier_.txid_;
      applier_.state_.tree_digest_ += FsState::HashOf(id_, meta_);
    }
    BlockChange(const BlockChange&) = delete;
    BlockChange& operator=(const BlockChange&) = delete;

   private:
    Applier& applier_;
    const BlockId id_;
    BlockMeta& meta_;
  };

  // --- Checks: DATA_LOSS when what the edit names is not there (apply.cc) ---
  absl::StatusOr<INode*> FindLinked(INodeId id);  // any INode with a parent
  absl::StatusOr<INode*> FindDirectory(INodeId id);
  absl::StatusOr<INode*> FindFile(INodeId id);
  absl::StatusOr<INode*> FindOpenFile(INodeId id);
  absl::StatusOr<INode*> FindClosedFile(INodeId id);
  absl::StatusOr<INode*> FindRecovering(INodeId id);  // held by the NameNode
  absl::StatusOr<BlockMeta*> FindOpenBlock(const INode& inode, BlockId id);
  // `name` may be given to a new entry of `dir`: free, or held by the file `replaced`.
  absl::Status CheckFree(const INode& dir, std::string_view name, INodeId replaced);
  absl::Status CheckNew(const NewBlock& block, const FileBody& file, size_t blocks_before);
  absl::Status CheckFinished(const INode& inode, const std::vector<FinishedBlock>& finished);
  absl::Status CheckNextStamp(GenerationStamp generation) const;
  absl::Status CheckPipeline(BlockId block, const std::vector<NodeNumber>& pipeline) const;

  // --- The tree (apply.cc) ---
  INode& NewINode(INode inode);  // linked below inode.parent
  // The set of children changes: so does mtime. Not a change of the INode itself: who walks through
  // it need not wait for this edit.
  void TouchChildren(INode& dir);
  void Link(INode& inode);    // into the directory inode.parent under inode.name
  void Unlink(INode& inode);  // out of it; the caller changes or frees the INode
  void Move(INode& inode, INode& new_parent, const std::string& new_name);
  void Detach(INode& inode);
  static Totals TotalsOf(const INode& inode);
  // Adds to `dir_id` and all above it. `sign` -1 subtracts.
  void AddTotals(INodeId dir_id, const Totals& totals, int sign);

  // --- Blocks and leases (apply_files.cc, apply_recovery.cc, apply_reclaim.cc) ---
  void OpenNewBlock(INode& inode, const NewBlock& block);
  void FinishBlocks(INode& inode, const std::vector<FinishedBlock>& finished);
  // An open block is one no more; its file's length follows.
  void FinishBlock(INode& inode, BlockMeta& meta, const FinishedBlock& done);
  void RemoveLastBlock(INode& inode) { RemoveBlocks(inode, inode.file().blocks.size() - 1); }
  void RemoveBlocks(INode& inode, size_t kept);  // all but the first `kept`
  void Reopen(INode& inode, BlockId id,
              OpenBlock open);  // the last, finished block of an open file
  void SetLength(INode& inode, uint64_t length);
  void OpenFile(INode& inode, OpenState open);  // begins a lease
  void CloseFile(INode& inode);                 // ends the lease; all its blocks are finished
  void DropLease(const ClientId& holder, INodeId inode);
  void AddEffect(BlockEffect::Kind kind, BlockId id, std::vector<StorageNumber> storages = {});
  void FreeINode(INode& inode);

  FsState& state_;
  const TxId txid_;
  const int64_t time_ms_;
  Effects effects_;
};

}  // namespace cairn::namenode
