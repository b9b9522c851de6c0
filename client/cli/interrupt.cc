#include "client/cli/interrupt.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace cairn::cli {

Interrupt::Interrupt(TerminationSignals& signals)
    : signals_(signals), watcher_([this] { Watch(); }) {}

Interrupt::~Interrupt() {
  ending_.store(true);
  signals_.Trigger();
  watcher_.join();
}

void Interrupt::Watch() {
  const int signal = signals_.Wait();
  if (signal == 0) return;
  {
    MutexLock lock(mu_);
    signal_.store(signal);
    raised_cv_.SignalAll();
  }
  if (ending_.load()) return;
  // Triggered by the destructor when the command has ended; another signal or none: end it here.
  if (const std::optional<int> next = signals_.WaitFor(grace_ms_.load()); next == 0) return;
  _exit(128 + signal);
}

absl::Status Interrupt::Check() const {
  return raised() ? absl::CancelledError("interrupted") : absl::OkStatus();
}

absl::Status Interrupt::Sleep(int64_t ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  MutexLock lock(mu_);
  while (!raised()) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return absl::OkStatus();
    raised_cv_.WaitFor(mu_, left);
  }
  return Check();
}

absl::Status Interrupt::AwaitReadable(int fd) const {
  constexpr int kPollMs = 100;
  pollfd entry{fd, POLLIN, 0};
  while (true) {
    if (absl::Status status = Check(); !status.ok()) return status;
    // Errors and ends of file count as readable: read(2) says what it is.
    if (poll(&entry, 1, kPollMs) > 0) return absl::OkStatus();
  }
}

}  // namespace cairn::cli
