// Time, injected so that tests can move it.
//
// Wall time (ms since the epoch) is for what users see and what is journaled; steady time is for
// every interval and deadline. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

namespace cairn {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t WallMs() = 0;    // ms since the epoch; may jump
  virtual int64_t SteadyUs() = 0;  // microseconds, monotonic, arbitrary origin
  int64_t SteadyMs() { return SteadyUs() / 1000; }
};

std::unique_ptr<Clock> NewSystemClock();

// A clock that stands still until it is moved; wall and steady time move together.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t start_ms = 1'700'000'000'000) : now_ms_(start_ms) {}
  int64_t WallMs() override { return __atomic_load_n(&now_ms_, __ATOMIC_RELAXED); }
  int64_t SteadyUs() override { return WallMs() * 1000; }
  void AdvanceMs(int64_t ms) { __atomic_fetch_add(&now_ms_, ms, __ATOMIC_RELAXED); }

 private:
  int64_t now_ms_;
};

}  // namespace cairn
