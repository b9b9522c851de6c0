// The CPU that this process has used. On a machine that others use too it tells more than time
// does. Thread-safe.
#pragma once

namespace cairn::bench {

// Microseconds, user and system, of all threads.
double ProcessCpuMicros();

}  // namespace cairn::bench
