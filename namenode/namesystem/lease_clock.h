// When each lease holder was last heard of.
//
// Why apart from the journaled state: who holds which file is journaled, but renewals are not.
// After a start every holder counts as heard of then, so that a restart takes no file from a live
// writer. Thread-safe.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

class LeaseClock {
 public:
  void Renew(const ClientId& holder, int64_t now_ms) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether `holder` was silent for longer than `limit_ms`. One never heard of counts as heard of
  // now.
  bool Expired(const ClientId& holder, int64_t now_ms, int64_t limit_ms) ABSL_LOCKS_EXCLUDED(mu_);

  // Drops every holder silent for longer than `limit_ms`.
  void DropOlderThan(int64_t now_ms, int64_t limit_ms) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;
  absl::flat_hash_map<ClientId, int64_t> renewed_ms_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::namenode
