// Remembers what a journal reports durable, and waits for it. Thread-safe.
#pragma once

#include <chrono>

#include "common/ids.h"
#include "common/mutex.h"

namespace cairn::namenode {

class DurableWatch {
 public:
  void Report(TxId txid) {
    MutexLock lock(mu_);
    if (txid <= last_) out_of_order_ = true;
    last_ = txid;
    ++reports_;
    changed_.SignalAll();
  }
  // The journal will report nothing more.
  void End() {
    MutexLock lock(mu_);
    ++ends_;
    changed_.SignalAll();
  }
  // False when `txid` was not durable at the end, or after 30 s.
  bool WaitFor(TxId txid) {
    MutexLock lock(mu_);
    while (last_ < txid && ends_ == 0) {
      if (!changed_.WaitFor(mu_, std::chrono::seconds(30))) return false;
    }
    return last_ >= txid;
  }
  TxId last() const {
    MutexLock lock(mu_);
    return last_;
  }
  int reports() const {
    MutexLock lock(mu_);
    return reports_;
  }
  int ends() const {
    MutexLock lock(mu_);
    return ends_;
  }
  bool out_of_order() const {
    MutexLock lock(mu_);
    return out_of_order_;
  }

 private:
  mutable Mutex mu_;
  CondVar changed_;
  TxId last_ ABSL_GUARDED_BY(mu_) = 0;
  int reports_ ABSL_GUARDED_BY(mu_) = 0;
  int ends_ ABSL_GUARDED_BY(mu_) = 0;
  bool out_of_order_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace cairn::namenode
