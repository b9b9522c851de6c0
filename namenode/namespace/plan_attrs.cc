// Plans of attributes: replication, times, owner, permission.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "common/status.h"
#include "namenode/namespace/lookup.h"
#include "namenode/namespace/quota_check.h"

namespace cairn::namenode {
namespace {

absl::StatusOr<Decision> DecideSetReplication(Lookup& lookup, std::string_view path,
                                              uint32_t replication) {
  RETURN_IF_ERROR(CheckReplication(replication, lookup.limits()));
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
  if (inode->is_directory()) return IsADirectory();
  RETURN_IF_ERROR(lookup.Check(*inode, kWrite));
  if (inode->replication() == replication) return Decision{};
  const uint64_t copy = inode->length() + lookup.state().PromisedBytes(*inode);
  const auto added = static_cast<int64_t>(copy * (uint64_t{replication} - inode->replication()));
  RETURN_IF_ERROR(CheckQuota(lookup, lookup.ParentOf(*inode), {.space = added}));
  return Decision{SetReplicationEdit{inode->id(), replication}, NoAnswer{}};
}

absl::StatusOr<Decision> DecideSetTimes(Lookup& lookup, std::string_view path, int64_t mtime_ms,
                                        int64_t atime_ms) {
  if (mtime_ms != -1) RETURN_IF_ERROR(CheckTime(mtime_ms));
  if (atime_ms != -1) RETURN_IF_ERROR(CheckTime(atime_ms));
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
  RETURN_IF_ERROR(lookup.CheckOwner(*inode));
  if (mtime_ms == -1 && atime_ms == -1) return Decision{};
  return Decision{SetTimesEdit{inode->id(), mtime_ms, atime_ms}, NoAnswer{}};
}

absl::StatusOr<Decision> DecideSetOwner(Lookup& lookup, std::string_view path,
                                        std::string_view owner, std::string_view group) {
  if (owner.empty() && group.empty()) {
    return absl::InvalidArgumentError("neither a new owner nor a new group is given");
  }
  if (!owner.empty()) RETURN_IF_ERROR(CheckPrincipal("owner", owner));
  if (!group.empty()) RETURN_IF_ERROR(CheckPrincipal("group", group));
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
  RETURN_IF_ERROR(lookup.CheckOwner(*inode));
  const Caller& caller = lookup.caller();
  if (!owner.empty() && owner != caller.user) {
    RETURN_IF_ERROR(lookup.CheckSuperuser("change the owner"));
  }
  const bool member =
      std::find(caller.groups.begin(), caller.groups.end(), group) != caller.groups.end();
  if (!group.empty() && !member) {
    RETURN_IF_ERROR(lookup.CheckSuperuser("give a file to a group that it is not in"));
  }
  RETURN_IF_ERROR(
      lookup.CheckPrincipalRoom(owner.empty() ? group : owner, group.empty() ? owner : group));
  return Decision{SetOwnerEdit{inode->id(), std::string(owner), std::string(group)}, NoAnswer{}};
}

absl::StatusOr<Decision> DecideSetPermission(Lookup& lookup, std::string_view path, uint32_t mode) {
  RETURN_IF_ERROR(CheckMode(mode));
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
  RETURN_IF_ERROR(lookup.CheckOwner(*inode));
  if (inode->mode() == mode) return Decision{};
  return Decision{SetPermissionEdit{inode->id(), mode}, NoAnswer{}};
}

}  // namespace

Planned PlanSetReplication(const FsState& state, const Caller& caller, std::string_view path,
                           uint32_t replication, const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideSetReplication(lookup, path, replication); });
}

Planned PlanSetTimes(const FsState& state, const Caller& caller, std::string_view path,
                     int64_t mtime_ms, int64_t atime_ms, const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideSetTimes(lookup, path, mtime_ms, atime_ms); });
}

Planned PlanSetOwner(const FsState& state, const Caller& caller, std::string_view path,
                     std::string_view owner, std::string_view group, const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideSetOwner(lookup, path, owner, group); });
}

Planned PlanSetPermission(const FsState& state, const Caller& caller, std::string_view path,
                          uint32_t mode, const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideSetPermission(lookup, path, mode); });
}

}  // namespace cairn::namenode
