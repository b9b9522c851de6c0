// Deadlines for gRPC in steady time: one that is used more than once stays what it was when the
// wall clock is set. Header only; thread-safe.
#pragma once

#include <grpc/support/time.h>

#include <cstdint>

namespace cairn {

// So many ms from now.
inline gpr_timespec GrpcDeadline(int64_t ms) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

}  // namespace cairn
