// Keeps the client's lease while files are being written.
//
// Why: a NameNode takes files away from writers that fell silent. One lease covers all files that a
// client writes; it is renewed every third of the soft limit, by a thread that starts with the
// first file and sleeps while none is open. Thread-safe. Owned by ClientCore, held by writers.
#pragma once

#include <cstdint>
#include <memory>
#include <thread>

#include "common/mutex.h"

namespace cairn {

class NameNodeClient;

class LeaseRenewer {
 public:
  explicit LeaseRenewer(NameNodeClient* namenode) : namenode_(namenode) {}
  ~LeaseRenewer();
  LeaseRenewer(const LeaseRenewer&) = delete;
  LeaseRenewer& operator=(const LeaseRenewer&) = delete;

  // The lease is renewed while at least one of these exists. They must not outlive the renewer.
  class Hold {
   public:
    explicit Hold(LeaseRenewer* renewer) : renewer_(renewer) {}
    ~Hold() { renewer_->Release(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    LeaseRenewer* const renewer_;
  };
  std::unique_ptr<Hold> Acquire() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Release() ABSL_LOCKS_EXCLUDED(mu_);
  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);
  // Sleeps until a renewal is due; false when it is time to end.
  bool WaitUntilDue(int64_t wait_ms) ABSL_LOCKS_EXCLUDED(mu_);
  int64_t LearnIntervalMs();

  NameNodeClient* const namenode_;
  Mutex mu_;
  CondVar wake_;
  int holds_ ABSL_GUARDED_BY(mu_) = 0;
  bool idle_ ABSL_GUARDED_BY(mu_) = false;  // the thread waits for the first file
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
