// How long a client waits for DataNodes that have as many streams as they may (kBusy).
//
// Why: such a node is not broken, and a place there comes soon; but whoever waits must not ask
// without a pause, nor for ever. Not thread-safe: of one reader or writer.
#pragma once

#include <cstdint>

#include "common/background_task.h"
#include "common/clock.h"
#include "common/strings.h"

namespace cairn {

class BusyWait {
 public:
  explicit BusyWait(Clock* clock) : clock_(clock) {}

  // A node was busy. False: it has been waited for, since something got on, for `limit_ms`.
  bool Begin(int64_t limit_ms) {
    if (since_ms_ < 0) since_ms_ = clock_->SteadyMs();
    return lasts(limit_ms);
  }
  bool lasts(int64_t limit_ms) const {
    return since_ms_ >= 0 && clock_->SteadyMs() - since_ms_ < limit_ms;
  }
  void Pause() {
    const double jitter = static_cast<double>(RandomU64() >> 11) * 0x1.0p-53;
    PauseForMs(BackoffMs(++pauses_, kMinPauseMs, kMaxPauseMs, jitter));
  }
  // Something got on, or it is another failure's turn.
  void End() {
    pauses_ = 0;
    since_ms_ = -1;
  }

 private:
  static constexpr int64_t kMinPauseMs = 20;
  static constexpr int64_t kMaxPauseMs = 500;

  Clock* const clock_;
  int pauses_ = 0;
  int64_t since_ms_ = -1;  // steady time; -1: nobody is waited for
};

}  // namespace cairn
