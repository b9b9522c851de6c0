// Steady time, for intervals and deadlines of those who are not given a Clock (clock.h): threads
// that wait for the real world anyway. The same origin as the system clock's. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>

namespace cairn {

inline int64_t SteadyNowUs() {
  const auto since_origin = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_origin).count();
}
inline int64_t SteadyNowMs() { return SteadyNowUs() / 1000; }

}  // namespace cairn
