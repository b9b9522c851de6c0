// Plans by which the NameNode settles files whose writers are gone (HDFS: lease and block
// recovery).
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "common/status.h"
#include "namenode/namespace/lookup.h"

namespace cairn::namenode {
namespace {

// No NameNode gives out as many ids or stamps as this; a DataNode that claims so has lost its mind,
// and counters near the end of their range would be worse than refusing it.
constexpr uint64_t kMaxCounter = kMaxId / 2;

template <typename Decide>
Planned MakeOwnPlan(const FsState& state, Decide&& decide) {
  const Caller nobody;
  const Limits limits;
  return MakePlan(state, nobody, limits, std::forward<Decide>(decide));
}

absl::StatusOr<Decision> DecideCommit(Lookup& lookup, const Block& block,
                                      const std::vector<StorageNumber>& storages) {
  const FsState& state = lookup.state();
  const BlockMeta* meta = state.FindBlock(block.id);
  const INode* inode = meta == nullptr ? nullptr : state.FindINode(meta->inode());
  if (inode == nullptr || !state.IsAttached(*inode)) {
    lookup.Saw(state.applied_txid());  // some edit took it away; which one is not kept
    return absl::NotFoundError(fmt::format("block {} is of no file any more", block.id));
  }
  lookup.Saw(*inode);
  const OpenBlock* open = state.FindOpenBlock(block.id);
  if (open == nullptr) {
    if (meta->generation() == block.generation && meta->length() == block.length) {
      return Decision{};
    }
    return absl::FailedPreconditionError(
        fmt::format("block {} is settled with generation stamp {} and {} bytes", block.id,
                    meta->generation(), meta->length()));
  }
  if (open->recovery == 0 || open->recovery != block.generation) {
    return absl::FailedPreconditionError(
        fmt::format("the recovery of block {} with generation stamp {} is not its newest", block.id,
                    block.generation));
  }
  if (block.length > inode->block_size()) {
    return absl::InvalidArgumentError(fmt::format("block {} has {} bytes, more than its size {}",
                                                  block.id, block.length, inode->block_size()));
  }
  if (open->cut && block.length != meta->length()) {
    return absl::InvalidArgumentError(fmt::format("block {} is to be cut to {} bytes, not {}",
                                                  block.id, meta->length(), block.length));
  }
  if (block.length < meta->length()) {
    return absl::FailedPreconditionError(
        fmt::format("block {} held {} bytes for sure, and {} are not all of them", block.id,
                    meta->length(), block.length));
  }
  CommitRecoveryEdit edit{inode->id(), block.id, block.generation, block.length, {}};
  if (block.length > 0) {
    RETURN_IF_ERROR(CheckStorages(state, {block, storages}, 1));
    edit.storages = storages;
  }
  return Decision{std::move(edit), NoAnswer{}};
}

absl::StatusOr<Decision> DecideRaise(const Counters& counters, BlockId block,
                                     GenerationStamp generation, uint64_t epoch) {
  if (std::max({block, generation, epoch}) >= kMaxCounter) {
    return absl::FailedPreconditionError(fmt::format(
        "a DataNode claims to have seen block {}, generation stamp {} and epoch {}; no NameNode "
        "gave these out",
        block, generation, epoch));
  }
  RaiseCountersEdit edit{counters.next_block, counters.next_generation, counters.epoch};
  edit.next_block = std::max(edit.next_block, block + 1);
  edit.next_generation = std::max(edit.next_generation, generation + 1);
  if (epoch > edit.epoch) edit.epoch = epoch + 1;
  if (edit.next_block == counters.next_block && edit.next_generation == counters.next_generation &&
      edit.epoch == counters.epoch) {
    return Decision{};
  }
  return Decision{edit, NoAnswer{}};
}

}  // namespace

Planned PlanTakeOver(const FsState& state, INodeId inode, const ClientId& holder) {
  return MakeOwnPlan(state, [&](Lookup& lookup) -> absl::StatusOr<Decision> {
    if (!lookup.FindHeld(inode, holder).ok()) return Decision{};
    return Decision{TakeOverEdit{inode}, NoAnswer{}};
  });
}

Planned PlanBeginRecovery(const FsState& state, INodeId id) {
  return MakeOwnPlan(state, [&](Lookup& lookup) -> absl::StatusOr<Decision> {
    const absl::StatusOr<const INode*> inode = lookup.FindOpen(id);
    if (!inode.ok() || state.FindOpenState(**inode)->holder != kNameNodeHolder) return Decision{};
    RETURN_IF_ERROR(CheckNextStamp(state));
    const BlockId block = state.FirstOpenBlock(**inode);
    return Decision{BeginRecoveryEdit{id, block, state.next_generation()},
                    NewStampAnswer{state.next_generation(), {}}};
  });
}

Planned PlanCommitRecovery(const FsState& state, const Block& block,
                           const std::vector<StorageNumber>& storages) {
  return MakeOwnPlan(state, [&](Lookup& lookup) { return DecideCommit(lookup, block, storages); });
}

Planned PlanRaiseCounters(const FsState& state, BlockId block, GenerationStamp generation,
                          uint64_t epoch) {
  return MakeOwnPlan(state, [&](Lookup& lookup) {
    lookup.Saw(state.applied_txid());  // rare: wait for all
    return DecideRaise(state.counters(), block, generation, epoch);
  });
}

std::vector<RecoveringFile> FilesInRecovery(const FsState& state) {
  std::vector<RecoveringFile> files;
  for (const INodeId id : state.OpenFilesOf(kNameNodeHolder)) {
    const INode& inode = *state.FindINode(id);
    if (!state.IsAttached(inode)) continue;
    files.push_back({id, *state.FindBlockInfo(state.FirstOpenBlock(inode)),
                     state.touched().Find(Aspect::kINode, id)});
  }
  return files;
}

}  // namespace cairn::namenode
