// Who a call comes from: the asserted user, its groups, and whether it may do everything.
//
// Why: groups are resolved by the NameNode's own system, as HDFS does, so that all clients see the
// same ones. Answers are kept for 5 minutes (HDFS: hadoop.security.groups.cache.secs 300).
// Superusers are the user that the NameNode runs as (or --superuser), root, and members of
// supergroup. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/strings.h"
#include "namenode/namesystem/client_operations.h"

namespace cairn {
class Clock;
}  // namespace cairn
namespace cairn::v1 {
class Caller;
}  // namespace cairn::v1

namespace cairn::namenode {

class CallerResolver {
 public:
  CallerResolver(Clock* clock, std::string superuser, std::string superuser_group);

  // INVALID_ARGUMENT for a missing or malformed user or client id.
  absl::StatusOr<CallContext> Resolve(const v1::Caller& caller);

 private:
  std::vector<std::string> GroupsOf(const std::string& user) ABSL_LOCKS_EXCLUDED(mu_);

  struct Entry {
    std::vector<std::string> groups;
    int64_t until_ms = 0;
  };
  Clock* const clock_;
  const std::string superuser_;
  const std::string superuser_group_;
  Mutex mu_;
  StringMap<Entry> cache_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::namenode
