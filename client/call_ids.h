// The call ids of one client (P5): each mutating call gets the next one, and `done_below` tells the
// NameNode which answers it need not keep any more. Thread-safe; used by NameNodeEndpoints alone.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "common/mutex.h"

namespace cairn {

class CallIds {
 public:
  // A new id, under way from now on. They count up from 1.
  uint64_t Begin() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    under_way_.insert(under_way_.end(), ++last_);
    return last_;
  }

  // The same, unless it would be `max_ahead` or more above the oldest call under way.
  std::optional<uint64_t> TryBegin(uint64_t max_ahead) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    if (!under_way_.empty() && last_ + 1 - *under_way_.begin() >= max_ahead) return std::nullopt;
    under_way_.insert(under_way_.end(), ++last_);
    return last_;
  }

  // Its answer is here, or nobody waits for it any more.
  void End(uint64_t id) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    under_way_.erase(id);
  }

  // No call below this one is under way.
  uint64_t DoneBelow() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    return under_way_.empty() ? last_ + 1 : *under_way_.begin();
  }

 private:
  mutable Mutex mu_;
  uint64_t last_ ABSL_GUARDED_BY(mu_) = 0;
  std::set<uint64_t> under_way_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
