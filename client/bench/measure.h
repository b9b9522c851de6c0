// Time and CPU of one thing that is done, and what a benchmark is run with.
//
// Why: every operation of Cairn and every baseline is measured alike; only whose CPU counts
// differs. A Stopwatch is not thread-safe; Progress is.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "client/file_system.h"

namespace cairn::bench {

// True when nothing more is to be begun. Called from several threads.
using Stopped = std::function<bool()>;
// Microseconds of CPU that the processes in question have used.
using CpuMeter = std::function<double()>;

// For a progress line; in bytes or operations, baselines and verification included.
struct Progress {
  std::atomic<uint64_t> done{0};
  std::atomic<uint64_t> planned{0};
};

struct Measured {
  double seconds = 0;
  double cpu_us = 0;
};

class Stopwatch {
 public:
  explicit Stopwatch(CpuMeter cpu)
      : cpu_(std::move(cpu)), cpu_before_(cpu_()), began_(std::chrono::steady_clock::now()) {}

  Measured Read() const {
    const auto elapsed = std::chrono::steady_clock::now() - began_;
    return {.seconds = std::chrono::duration<double>(elapsed).count(),
            .cpu_us = cpu_() - cpu_before_};
  }

 private:
  const CpuMeter cpu_;
  const double cpu_before_;
  const std::chrono::steady_clock::time_point began_;
};

// The cluster that is measured. All must outlive the benchmark.
struct Target {
  FileSystem* fs = nullptr;
  FileSystem* tcp_fs = nullptr;  // the same, without short-circuit reads
  CpuMeter cpu;                  // of all processes whose CPU can be known
  std::string cpu_of;            // which: "client" or "all"
  Stopped stopped;
  Progress* progress = nullptr;
  // Puts what is on the DataNodes' disks out of the page caches; null where it cannot be done.
  std::function<absl::Status()> drop_caches;
  // What the cluster's files take on the disks, and a wait, not for ever, until it is no more than
  // that; null where it is not known.
  std::function<absl::StatusOr<uint64_t>()> stored_bytes;
  std::function<absl::Status(uint64_t most)> await_stored;
};

}  // namespace cairn::bench
