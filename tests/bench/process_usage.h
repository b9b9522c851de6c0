// What a running process has used, as /proc tells it. Thread-safe: pure reads.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace cairn::bench {

// Seconds of CPU, user and system, of all its threads; in steps of 10 ms.
double CpuSecondsOf(pid_t pid);
// Bytes that are in memory.
uint64_t ResidentBytesOf(pid_t pid);

}  // namespace cairn::bench
