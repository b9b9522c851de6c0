// The plan that joins files: the blocks of the sources become the target's, and no byte travels.
//
// The preconditions are HDFS's (FSDirConcatOp), and two of Cairn's own: block sizes must be equal,
// and only the last block of the result may be short, since a block's place in its file follows
// from its number.
#include <fmt/format.h>

#include <string>

#include "absl/container/flat_hash_set.h"
#include "common/status.h"
#include "namenode/namespace/lookup.h"
#include "namenode/namespace/quota_check.h"

namespace cairn::namenode {
namespace {

absl::Status CheckClosed(const FsState& state, std::string_view path, const INode& inode) {
  if (!inode.is_open()) return absl::OkStatus();
  if (state.FindOpenState(inode)->holder == kNameNodeHolder) {
    return WithKind(absl::UnavailableError(fmt::format("{} is being recovered; try again", path)),
                    ErrorKind::kRecoveryInProgress);
  }
  return WithKind(absl::FailedPreconditionError(fmt::format("{} is being written", path)),
                  ErrorKind::kBeingWritten);
}

absl::Status CheckWholeBlocks(std::string_view path, const INode& file) {
  if (file.length() % file.block_size() == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} ends within a block ({} bytes, blocks of {}), which only the last source may",
                  path, file.length(), file.block_size()));
}

// A file that the caller may take the blocks of.
absl::StatusOr<const INode*> FindSource(Lookup& lookup, const std::string& path,
                                        const INode& target) {
  absl::StatusOr<const INode*> found = lookup.Find(path);
  if (!found.ok()) return Annotate(found.status(), path);
  const INode& inode = **found;
  if (inode.is_directory()) return Annotate(IsADirectory(), path);
  RETURN_IF_ERROR(lookup.Check(inode, kRead));
  RETURN_IF_ERROR(lookup.CheckRemove(inode));
  if (inode.id() == target.id()) {
    return absl::InvalidArgumentError(fmt::format("{} is the target itself", path));
  }
  if (inode.parent() != target.parent()) {
    return absl::InvalidArgumentError(
        fmt::format("{} is not in the directory of the target; move it there first", path));
  }
  RETURN_IF_ERROR(CheckClosed(lookup.state(), path, inode));
  if (inode.blocks().empty()) {
    return absl::InvalidArgumentError(fmt::format("{} is empty", path));
  }
  if (inode.block_size() != target.block_size()) {
    return absl::InvalidArgumentError(fmt::format("{} has blocks of {} bytes, the target of {}",
                                                  path, inode.block_size(), target.block_size()));
  }
  return &inode;
}

absl::StatusOr<Decision> DecideConcat(Lookup& lookup, const ConcatRequest& request) {
  if (request.sources.empty()) return absl::InvalidArgumentError("no source is given");
  ASSIGN_OR_RETURN(const INode* target, lookup.Find(request.target));
  if (target->is_directory()) return IsADirectory();
  RETURN_IF_ERROR(lookup.Check(*target, kWrite));
  RETURN_IF_ERROR(CheckClosed(lookup.state(), "the target", *target));
  RETURN_IF_ERROR(CheckWholeBlocks("the target", *target));
  ConcatEdit edit;
  edit.target = target->id();
  Growth growth;
  uint64_t blocks = target->blocks().size();
  absl::flat_hash_set<INodeId> seen;
  for (const std::string& path : request.sources) {
    ASSIGN_OR_RETURN(const INode* source, FindSource(lookup, path, *target));
    const INode& file = *source;
    if (!seen.insert(source->id()).second) {
      return absl::InvalidArgumentError(fmt::format("{} is given twice", path));
    }
    if (&path != &request.sources.back()) RETURN_IF_ERROR(CheckWholeBlocks(path, file));
    blocks += file.blocks().size();
    growth.names -= 1;
    growth.space += static_cast<int64_t>(file.length() *
                                         (uint64_t{target->replication()} - file.replication()));
    edit.sources.push_back(source->id());
  }
  if (blocks > lookup.limits().max_blocks_per_file) {
    return absl::ResourceExhaustedError(fmt::format("the file would have {} blocks, more than {}",
                                                    blocks, lookup.limits().max_blocks_per_file));
  }
  RETURN_IF_ERROR(CheckQuota(lookup, lookup.ParentOf(*target), growth));
  return Decision{std::move(edit), NoAnswer{}};
}

}  // namespace

Planned PlanConcat(const FsState& state, const Caller& caller, const ConcatRequest& request,
                   const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideConcat(lookup, request); });
}

}  // namespace cairn::namenode
