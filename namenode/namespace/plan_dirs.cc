// Plans of the tree: mkdirs, rename, delete, reclaim.
#include <fmt/format.h>

#include <string>

#include "common/status.h"
#include "namenode/namespace/lookup.h"
#include "namenode/namespace/quota_check.h"

namespace cairn::namenode {
namespace {

absl::StatusOr<Decision> DecideMkdirs(Lookup& lookup, const MkdirsRequest& request) {
  ASSIGN_OR_RETURN(const Walked walked, lookup.Walk(request.path));
  if (walked.exists()) {
    if (!walked.last->is_directory() || !request.create_parents) return FileExists();
    return Decision{};
  }
  if (walked.missing > 1 && !request.create_parents) return NoSuchFile();
  RETURN_IF_ERROR(lookup.CheckAdd(*walked.last));
  RETURN_IF_ERROR(CheckMode(request.mode));
  RETURN_IF_ERROR(lookup.CheckCallerName());
  RETURN_IF_ERROR(lookup.CheckPrincipalRoom(lookup.caller().user, lookup.caller().user));
  RETURN_IF_ERROR(CheckNextINodes(lookup.state(), walked.missing));
  RETURN_IF_ERROR(
      CheckQuota(lookup, *walked.last, {.names = static_cast<int64_t>(walked.missing)}));
  MkdirsEdit edit;
  edit.parent = walked.last->id();
  edit.names.assign(walked.names.end() - walked.missing, walked.names.end());
  edit.first_inode = lookup.state().next_inode();
  edit.owner = lookup.caller().user;
  edit.group = lookup.state().PrincipalName(walked.last->group());  // BSD rule, as HDFS
  edit.mode = request.mode;
  return Decision{std::move(edit), NoAnswer{}};
}

absl::StatusOr<Decision> DecideRename(Lookup& lookup, const RenameRequest& request) {
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(request.from));
  ASSIGN_OR_RETURN(const Walked to, lookup.Walk(request.to));
  if (inode->id() == kRootINode) {
    return absl::InvalidArgumentError("the root directory cannot be renamed");
  }
  if (to.exists() && to.last == inode) return Decision{};
  for (const INode* above = to.last; above->parent() != 0; above = &lookup.ParentOf(*above)) {
    if (above == inode && !to.exists()) {
      return absl::InvalidArgumentError("a directory cannot be moved into itself");
    }
  }
  if (to.exists()) return FileExists();
  if (to.missing > 1) {
    return absl::NotFoundError("No such file or directory: the destination's parent is missing");
  }
  RETURN_IF_ERROR(lookup.CheckRemove(*inode));
  if (to.last->id() == inode->parent()) {
    RETURN_IF_ERROR(lookup.Check(*to.last, kWrite | kExecute));
  } else {
    RETURN_IF_ERROR(lookup.CheckAdd(*to.last));
  }
  RETURN_IF_ERROR(CheckQuotaOfMove(lookup, lookup.ParentOf(*inode), *to.last,
                                   GrowthOf(lookup.state().TotalsOf(*inode))));
  return Decision{RenameEdit{inode->id(), to.last->id(), std::string(to.names.back())}, NoAnswer{}};
}

// HDFS: to delete a tree its caller needs rwx on every directory in it that is not empty, and the
// right to each entry of the sticky ones. So entries need a look in sticky directories alone, and
// in others until all directories among them are found: a million files go at once.
absl::Status CheckRemoveTree(Lookup& lookup, const INode& root) {
  std::vector<const INode*> waiting{&root};
  while (!waiting.empty()) {
    const INode& dir = *waiting.back();
    waiting.pop_back();
    lookup.Saw(dir);
    lookup.SawChildren(dir);
    lookup.SawTotals(dir);
    if (dir.dir().children.empty()) continue;
    RETURN_IF_ERROR(lookup.Check(dir, kRead | kWrite | kExecute));
    const bool each = lookup.MindsOwners(dir);
    uint64_t directories = dir.dir().totals.directories - 1;  // to be found
    for (const NameRef name : dir.dir().children) {
      if (!each && directories == 0) break;
      const INode& child = *lookup.state().FindINode(name.id());
      if (each) {
        lookup.Saw(child);
        RETURN_IF_ERROR(lookup.CheckSticky(dir, child));
      }
      if (!child.is_directory()) continue;
      directories -= child.dir().totals.directories;
      waiting.push_back(&child);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Decision> DecideDelete(Lookup& lookup, const DeleteRequest& request) {
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(request.path));
  if (inode->id() == kRootINode) {
    return absl::InvalidArgumentError("the root directory cannot be deleted");
  }
  RETURN_IF_ERROR(lookup.CheckRemove(*inode));
  if (inode->is_directory()) {
    lookup.SawChildren(*inode);
    if (!inode->dir().children.empty()) {
      if (!request.recursive) return absl::FailedPreconditionError("Directory not empty");
      if (!lookup.caller().superuser) RETURN_IF_ERROR(CheckRemoveTree(lookup, *inode));
    }
  }
  return Decision{DeleteEdit{inode->id()}, NoAnswer{}};
}

}  // namespace

Planned PlanMkdirs(const FsState& state, const Caller& caller, const MkdirsRequest& request,
                   const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideMkdirs(lookup, request); });
}

Planned PlanRename(const FsState& state, const Caller& caller, const RenameRequest& request,
                   const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideRename(lookup, request); });
}

Planned PlanDelete(const FsState& state, const Caller& caller, const DeleteRequest& request,
                   const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideDelete(lookup, request); });
}

Planned PlanReclaim(const FsState& state, uint32_t max_inodes) {
  Planned planned;
  if (state.HasReclaimWork() && max_inodes > 0) planned.edit = ReclaimEdit{max_inodes};
  return planned;
}

}  // namespace cairn::namenode
