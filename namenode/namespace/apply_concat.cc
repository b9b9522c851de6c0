// Applying a quota, and the joining of files.
#include <fmt/format.h>

#include <set>
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

absl::Status Applier::operator()(const SetQuotaEdit& edit) {
  ASSIGN_OR_RETURN(INode * inode, FindDirectory(edit.inode));
  state_.quotas_.Set(inode->id(), edit.quota);
  Touch(Aspect::kINode, inode->id());
  return absl::OkStatus();
}

absl::Status Applier::CheckConcat(const INode& target, const ConcatEdit& edit) {
  std::set<INodeId> seen{target.id()};
  uint64_t blocks = target.blocks().size();
  const INode* before = &target;  // what may not end within a block once more follows
  for (const INodeId id : edit.sources) {
    ASSIGN_OR_RETURN(const INode* source, FindClosedFile(id));
    blocks += source->blocks().size();
    if (!seen.insert(id).second || source->parent() != target.parent() ||
        source->blocks().empty() || source->block_size() != target.block_size() ||
        before->length() % target.block_size() != 0 || blocks > kMaxBlocksPerFile) {
      return Misfit("file {} cannot be added to file {}", id, target.id());
    }
    before = source;
  }
  if (edit.sources.empty()) return Misfit("nothing is added to file {}", target.id());
  return absl::OkStatus();
}

absl::Status Applier::operator()(const ConcatEdit& edit) {
  ASSIGN_OR_RETURN(INode * target, FindClosedFile(edit.target));
  RETURN_IF_ERROR(CheckConcat(*target, edit));
  Change(*target);
  target->set_mtime_ms(time_ms_);
  for (const INodeId id : edit.sources) TakeBlocks(*target, *state_.inodes_.Find(id));
  return absl::OkStatus();
}

void Applier::TakeBlocks(INode& target, INode& source) {
  Change(source);
  Unlink(source);
  source.set_parent(0);
  const uint64_t length = target.length() + source.length();
  for (const BlockId id : source.blocks()) {
    // There may be many, and each changes once: the digest follows at once.
    BlockMeta& meta = *state_.blocks_.Find(id);
    state_.tree_digest_ -= state_.HashOf(id, meta);
    meta.set_place(target.id(), static_cast<uint32_t>(target.blocks().size()));
    state_.tree_digest_ += state_.HashOf(id, meta);
    target.PushBlock(id);
    AddEffect(BlockEffect::Kind::kReplication, id);
  }
  SetLength(target, length);
  FreeINode(source);
}

}  // namespace cairn::namenode
