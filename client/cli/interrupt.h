// Ctrl-C and SIGTERM, for commands that must end clean.
//
// The first signal raises a flag: copy loops see it, abandon their temporary files and return
// CANCELLED. A command that has not ended after a grace of 5 s (a call that waits for a NameNode,
// say) is ended as it is, and so is everything at a second signal. Thread-safe; made once in main,
// before any other thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "absl/status/status.h"
#include "common/mutex.h"
#include "common/program.h"

namespace cairn::cli {

class Interrupt {
 public:
  explicit Interrupt(TerminationSignals& signals);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  void set_grace_ms(int64_t ms) { grace_ms_.store(ms); }

  bool raised() const { return signal_.load(std::memory_order_relaxed) != 0; }
  int signal() const { return signal_.load(std::memory_order_relaxed); }
  // OK, or CANCELLED once a signal came.
  absl::Status Check() const;
  // Waits; returns early, with CANCELLED, when a signal comes.
  absl::Status Sleep(int64_t ms) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until `fd` has something to read; CANCELLED when a signal comes first.
  absl::Status AwaitReadable(int fd) const;

 private:
  void Watch() ABSL_LOCKS_EXCLUDED(mu_);

  TerminationSignals& signals_;
  std::atomic<int> signal_{0};
  std::atomic<bool> ending_{false};
  std::atomic<int64_t> grace_ms_{5000};
  Mutex mu_;
  CondVar raised_cv_;
  std::thread watcher_;
};

}  // namespace cairn::cli
