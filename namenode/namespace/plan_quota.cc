// The plan that sets quotas.
#include <fmt/format.h>

#include <string>

#include "common/status.h"
#include "namenode/namespace/lookup.h"

namespace cairn::namenode {
namespace {

constexpr uint64_t kMaxQuota = INT64_MAX;  // HDFS: Long.MAX_VALUE

absl::Status CheckLimit(std::string_view what, const QuotaLimit& limit, uint64_t least) {
  if (!limit || (*limit >= least && *limit <= kMaxQuota)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("a quota of {} {} is not within {} to {}", *limit, what, least, kMaxQuota));
}

absl::StatusOr<Decision> DecideSetQuota(Lookup& lookup, const SetQuotaRequest& request) {
  RETURN_IF_ERROR(lookup.CheckSuperuser("set a quota"));
  if (!request.names && !request.space) {
    return absl::InvalidArgumentError("neither a quota of names nor one of space is given");
  }
  // A directory counts against its own quota of names, so that 0 could never be kept.
  if (request.names) RETURN_IF_ERROR(CheckLimit("names", *request.names, 1));
  if (request.space) RETURN_IF_ERROR(CheckLimit("bytes", *request.space, 0));
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(request.path));
  if (!inode->is_directory()) return NotADirectory();
  const Quota before = lookup.state().quotas().Of(inode->id());
  Quota quota = before;
  if (request.names) quota.names = *request.names;
  if (request.space) quota.space = *request.space;
  if (quota == before) return Decision{};
  return Decision{SetQuotaEdit{inode->id(), quota}, NoAnswer{}};
}

}  // namespace

Planned PlanSetQuota(const FsState& state, const Caller& caller, const SetQuotaRequest& request,
                     const Facts& facts) {
  return MakePlan(state, caller, facts.limits,
                  [&](Lookup& lookup) { return DecideSetQuota(lookup, request); });
}

}  // namespace cairn::namenode
