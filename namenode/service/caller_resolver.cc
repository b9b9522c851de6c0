#include "namenode/service/caller_resolver.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/os_groups.h"
#include "proto/types.pb.h"

namespace cairn::namenode {
namespace {

constexpr int64_t kKeepMs = 5 * 60'000;
constexpr size_t kMaxCached = 10'000;

}  // namespace

CallerResolver::CallerResolver(Clock* clock, std::string superuser, std::string superuser_group)
    : clock_(clock),
      superuser_(std::move(superuser)),
      superuser_group_(std::move(superuser_group)) {}

std::vector<std::string> CallerResolver::GroupsOf(const std::string& user) {
  const int64_t now_ms = clock_->SteadyMs();
  {
    MutexLock lock(mu_);
    const auto it = cache_.find(user);
    if (it != cache_.end() && now_ms < it->second.until_ms) return it->second.groups;
  }
  std::vector<std::string> groups = OsGroupsOf(user);
  MutexLock lock(mu_);
  if (cache_.size() >= kMaxCached) cache_.clear();
  cache_[user] = {groups, now_ms + kKeepMs};
  return groups;
}

absl::StatusOr<CallContext> CallerResolver::Resolve(const v1::Caller& caller) {
  if (!IsUserName(caller.user())) {
    return absl::InvalidArgumentError("the call names no valid user; set --user or CAIRN_USER");
  }
  CallContext call;
  if (caller.client_id().size() != call.key.client.size()) {
    return absl::InvalidArgumentError("the call has no valid client id (16 bytes)");
  }
  std::copy(caller.client_id().begin(), caller.client_id().end(), call.key.client.begin());
  if (call.key.client == kNameNodeHolder) {
    return absl::InvalidArgumentError("the call has the NameNode's own client id");
  }
  call.key.call_id = caller.call_id();
  call.key.done_below = caller.done_below();
  call.host = caller.host();
  call.rack = caller.rack();
  call.caller.user = caller.user();
  call.caller.groups = GroupsOf(caller.user());
  call.caller.superuser =
      IsSuperuser(caller.user(), call.caller.groups, superuser_, superuser_group_);
  return call;
}

}  // namespace cairn::namenode
