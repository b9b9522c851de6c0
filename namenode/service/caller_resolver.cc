#include "namenode/service/caller_resolver.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "proto/types.pb.h"

namespace cairn::namenode {
namespace {

constexpr int64_t kKeepMs = 5 * 60'000;
constexpr size_t kMaxCached = 10'000;
constexpr size_t kMaxUserBytes = 255;
constexpr int kMaxGroups = 1024;

std::vector<std::string> SystemGroups(const std::string& user) {
  std::vector<std::string> names;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 << 10);
  if (getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return names;  // a user that this machine does not know has no groups
  }
  std::vector<gid_t> ids(kMaxGroups);
  int count = kMaxGroups;
  if (getgrouplist(user.c_str(), entry.pw_gid, ids.data(), &count) < 0) count = kMaxGroups;
  for (int i = 0; i < count; ++i) {
    group group_entry{};
    group* group_found = nullptr;
    if (getgrgid_r(ids[i], &group_entry, buffer.data(), buffer.size(), &group_found) == 0 &&
        group_found != nullptr) {
      names.emplace_back(group_entry.gr_name);
    }
  }
  return names;
}

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
  std::vector<std::string> groups = SystemGroups(user);
  MutexLock lock(mu_);
  if (cache_.size() >= kMaxCached) cache_.clear();
  cache_[user] = {groups, now_ms + kKeepMs};
  return groups;
}

absl::StatusOr<CallContext> CallerResolver::Resolve(const v1::Caller& caller) {
  if (caller.user().empty() || caller.user().size() > kMaxUserBytes ||
      caller.user().find_first_of(std::string_view("/:\0", 3)) != std::string::npos ||
      !IsValidUtf8(caller.user())) {
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
  call.caller.superuser = caller.user() == superuser_ || caller.user() == "root" ||
                          std::find(call.caller.groups.begin(), call.caller.groups.end(),
                                    superuser_group_) != call.caller.groups.end();
  return call;
}

}  // namespace cairn::namenode
