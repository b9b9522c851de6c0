// Wakes a thread that waits for the first of several streams to have news.
//
// Why not one condition variable a stream: a reader that asks two replicas must not wait for
// either. The thread takes the count, looks at all streams, and waits until the count has moved on,
// so that nothing that happens in between is missed. Thread-safe; shared by the reader and its
// streams.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/mutex.h"

namespace cairn {

class Wakeup {
 public:
  void Notify() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    ++count_;
    changed_.SignalAll();
  }
  uint64_t count() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    return count_;
  }
  // Until there was news since `count`, at most `us` microseconds.
  void WaitPast(uint64_t count, int64_t us) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    if (count_ == count && us > 0) changed_.WaitFor(mu_, std::chrono::microseconds(us));
  }

 private:
  mutable Mutex mu_;
  CondVar changed_;
  uint64_t count_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace cairn
