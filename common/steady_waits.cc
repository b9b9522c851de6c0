#include "common/steady_waits.h"

#include "absl/base/config.h"

namespace cairn {

void KeepWaitsSteady() {}

}  // namespace cairn

#if defined(ABSL_LTS_RELEASE_VERSION) && ABSL_LTS_RELEASE_VERSION < 20230802

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "absl/base/internal/thread_identity.h"
#include "absl/synchronization/internal/kernel_timeout.h"
#include "absl/synchronization/internal/per_thread_sem.h"
#include "absl/synchronization/internal/waiter.h"

namespace {

using absl::synchronization_internal::Waiter;

// A thread's semaphore: its only member, which Waiter::Post() counts up before it wakes the thread.
using Count = std::atomic<int32_t>;
static_assert(ABSL_WAITER_MODE == ABSL_WAITER_MODE_FUTEX && sizeof(Waiter) == sizeof(Count));

constexpr int64_t kSecondNs = 1'000'000'000;

int64_t NowNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * kSecondNs + now.tv_nsec;
}

timespec ToSteady(const timespec& wall) {
  const int64_t left_ns = wall.tv_sec * kSecondNs + wall.tv_nsec - NowNs(CLOCK_REALTIME);
  const int64_t at_ns = NowNs(CLOCK_MONOTONIC) + (left_ns > 0 ? left_ns : 0);
  return {at_ns / kSecondNs, at_ns % kSecondNs};
}

bool Take(Count& count) {
  int32_t value = count.load(std::memory_order_relaxed);
  while (value > 0) {
    if (count.compare_exchange_weak(value, value - 1, std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

}  // namespace

// Abseil's own one is weak, for this. False: the time was over.
extern "C" bool ABSL_INTERNAL_C_SYMBOL(AbslInternalPerThreadSemWait)(
    absl::synchronization_internal::KernelTimeout timeout) {
  auto* const identity = absl::base_internal::CurrentThreadIdentityIfPresent();
  auto& count = *reinterpret_cast<Count*>(Waiter::GetWaiter(identity));
  timespec until = {};
  if (timeout.has_timeout()) until = ToSteady(timeout.MakeAbsTimespec());
  while (!Take(count)) {
    // No FUTEX_CLOCK_REALTIME: steady time.
    const long woken =
        syscall(SYS_futex, &count, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0,
                timeout.has_timeout() ? &until : nullptr, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (woken != 0 && errno == ETIMEDOUT) return Take(count);
  }
  return true;
}

#endif
