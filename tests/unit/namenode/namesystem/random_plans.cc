#include "tests/unit/namenode/namesystem/random_plans.h"

#include <fmt/core.h>

#include <algorithm>

namespace cairn::namenode {
namespace {

constexpr uint64_t kBlockSize = 4096;

std::vector<BlockId> OpenBlocksOf(const FsState& state, INodeId inode) {
  std::vector<BlockId> open;
  const INode* file = state.FindINode(inode);
  if (file == nullptr || file->is_directory()) return open;
  for (const BlockId id : file->blocks()) {
    if (state.FindBlock(id)->is_open()) open.push_back(id);
  }
  return open;
}

}  // namespace

std::string RandomPlans::Path() {
  std::string path = fmt::format("/n{}", Pick(4));
  if (Pick(2) == 0) path += fmt::format("/n{}", Pick(4));
  return path;
}

std::string RandomPlans::KnownFile(const FsState& state) {
  std::vector<std::string> paths;
  state.ForEachINode([&](const INode& inode) {
    if (!inode.is_directory() && state.IsAttached(inode)) paths.push_back(state.PathOf(inode));
  });
  return paths.empty() ? Path() : paths[Pick(static_cast<uint32_t>(paths.size()))];
}

INodeId RandomPlans::HeldFile(const FsState& state, const ClientId& holder) {
  const std::vector<INodeId> held = state.OpenFilesOf(holder);
  return held.empty() ? 0 : held[Pick(static_cast<uint32_t>(held.size()))];
}

std::vector<FinishedBlock> RandomPlans::Finished(const FsState& state, INodeId inode,
                                                 bool last_may_be_short) {
  std::vector<FinishedBlock> finished;
  const std::vector<BlockId> open = OpenBlocksOf(state, inode);
  for (const BlockId id : open) {
    const BlockMeta& meta = *state.FindBlock(id);
    const bool last = last_may_be_short && id == state.FindINode(inode)->blocks().back();
    FinishedBlock done{{id, meta.generation(), kBlockSize}, {1, 3}};
    if (state.FindOpenBlock(id)->untouched) {
      done = {{id, meta.generation(), meta.length()}, {}};
    } else if (last) {
      done.block.length =
          meta.length() + Pick(static_cast<uint32_t>(kBlockSize + 1 - meta.length()));
    }
    finished.push_back(std::move(done));
  }
  return finished;
}

Planned RandomPlans::Client(const FsState& state, const ClientId& holder, const Facts& facts) {
  const INodeId inode = HeldFile(state, holder);
  switch (Pick(10)) {
    case 0:
    case 1:
      return Tree(state, facts);
    case 2:
    case 3:
      return Reopen(state, holder, facts);
    case 4:
      return Create(state, holder, facts);
    case 5:
    case 6:
      return inode == 0 ? Create(state, holder, facts) : Pipeline(state, inode, holder, facts);
    default:
      return inode == 0 ? Create(state, holder, facts) : Write(state, inode, holder, facts);
  }
}

Planned RandomPlans::Tree(const FsState& state, const Facts& facts) {
  switch (Pick(9)) {
    case 0:
      return PlanMkdirs(state, root_, {Path(), 0755, true}, facts);
    case 1:
      return PlanRename(state, root_, {Path(), Path()}, facts);
    case 2:
      return PlanDelete(state, root_, {Path(), Pick(3) == 0}, facts);
    case 3:
      return PlanSetReplication(state, root_, KnownFile(state), 1 + Pick(3), facts);
    case 4:
      return PlanSetOwner(state, root_, Path(), fmt::format("u{}", Pick(3)), "g", facts);
    case 5: {
      QuotaLimit names;
      if (Pick(3) == 0) names = 1 + Pick(9);
      return PlanSetQuota(state, root_, {Path(), names, QuotaLimit()}, facts);
    }
    case 6:
      return PlanConcat(state, root_, {KnownFile(state), {KnownFile(state)}}, facts);
    case 7: {
      const NodeNumber node = 1 + Pick(2);
      if (Pick(3) == 0) return PlanEndDecommission(state, node);
      const AdminState wanted =
          Pick(2) == 0 ? AdminState::kInService : AdminState::kDecommissioning;
      return PlanSetAdminState(state, root_, {node, wanted});
    }
    default:
      return PlanSetPermission(state, root_, Path(), 0700 + Pick(0100), facts);
  }
}

Planned RandomPlans::Create(const FsState& state, const ClientId& holder, const Facts& facts) {
  CreateRequest request;
  request.path = Path();
  request.replication = 1 + Pick(3);
  request.block_size = kBlockSize;
  request.overwrite = Pick(2) == 0;
  request.unpublished = Pick(3) == 0;
  request.with_block = Pick(3) != 0;
  request.holder = holder;
  request.consistency = static_cast<Consistency>(Pick(3));
  return PlanCreate(state, root_, request, facts);
}

Planned RandomPlans::Reopen(const FsState& state, const ClientId& holder, Facts facts) {
  const std::string path = KnownFile(state);
  const auto status = ReadFileInfo(state, root_, path, facts).value;
  const uint64_t length = status.ok() ? status->length : 0;
  const bool append = Pick(2) == 0;
  const uint64_t to = append ? kToAppend : Pick(static_cast<uint32_t>(length) + 2);
  const auto block = ReadLastBlock(state, root_, path, to, facts).value;
  if (block.ok() && *block) facts.targets_block = (*block)->block;
  return append ? PlanAppend(state, root_, {path, holder}, facts)
                : PlanTruncate(state, root_, {path, to}, facts);
}

Planned RandomPlans::Write(const FsState& state, INodeId inode, const ClientId& holder,
                           const Facts& facts) {
  const std::vector<BlockId> open = OpenBlocksOf(state, inode);
  if (Pick(6) == 0) {
    if (Pick(2) == 0) return PlanAbandonFile(state, root_, {inode, holder}, facts);
    const BlockId block = open.empty() ? 0 : open.back();
    return PlanAbandonBlock(state, root_, {inode, holder, block}, facts);
  }
  if (Pick(2) == 0) {
    return PlanAddBlock(state, root_, {inode, holder, Finished(state, inode, false)}, facts);
  }
  CompleteRequest request{.inode = inode, .holder = holder, .overwrite = true};
  request.finished = Finished(state, inode, true);
  const INode* file = state.FindINode(inode);
  if (state.FindOpenState(*file)->unpublished) request.publish_as = Path();
  return PlanComplete(state, root_, request, facts);
}

Planned RandomPlans::Pipeline(const FsState& state, INodeId inode, const ClientId& holder,
                              const Facts& facts) {
  const std::vector<BlockId> open = OpenBlocksOf(state, inode);
  if (open.empty()) return PlanAddBlock(state, root_, {inode, holder, {}}, facts);
  const BlockId id = open[Pick(static_cast<uint32_t>(open.size()))];
  const Block block{id, state.FindBlock(id)->generation(), 0};
  if (Pick(2) == 0) return PlanNewStamp(state, root_, {inode, holder, block}, facts);
  UpdatePipelineRequest request{inode, holder, block, state.next_generation() - 1, {1, 2, 3}};
  request.nodes.erase(request.nodes.begin() + Pick(3));
  return PlanUpdatePipeline(state, root_, request, facts);
}

Planned RandomPlans::Recovery(const FsState& state) {
  const std::vector<RecoveringFile> files = FilesInRecovery(state);
  if (files.empty()) return {};
  const RecoveringFile& file = files[Pick(static_cast<uint32_t>(files.size()))];
  if (file.block.recovery == 0 || Pick(3) == 0) return PlanBeginRecovery(state, file.inode);
  Block block = file.block.block;
  block.generation = file.block.recovery;
  if (!file.block.cut) block.length = Pick(3) == 0 ? kBlockSize : block.length;
  return PlanCommitRecovery(state, block, {1, 5});
}

Planned RandomPlans::Own(const FsState& state) {
  switch (Pick(5)) {
    case 0: {
      std::vector<Lease> leases;
      state.ForEachLease([&](const Lease& lease) { leases.push_back(lease); });
      if (leases.empty()) return {};
      const Lease& lease = leases[Pick(static_cast<uint32_t>(leases.size()))];
      return PlanTakeOver(state, lease.inodes.front(), lease.holder);
    }
    case 1:
    case 2:
      return Recovery(state);
    case 3:
      return PlanReclaim(state, 1 + Pick(5));
    default:
      if (Pick(4) != 0) return PlanDigest(state);
      return PlanRaiseCounters(state, state.next_block() + Pick(9),
                               state.next_generation() + Pick(9), state.epoch());
  }
}

}  // namespace cairn::namenode
