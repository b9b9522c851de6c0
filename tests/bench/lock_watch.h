// What the namesystem's lock did during a measurement: how long commits held it, and how long a
// reader had to wait for it.
//
// The first comes from the door's own histogram, so a percentile is a bucket's upper bound; the
// second is measured by a thread that looks into the door all the while. Not thread-safe.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/metrics.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn::bench {

struct LockTimes {
  // The histogram bucket that holds the 99th percentile, and the highest one in use: upper bounds.
  // Absent when nothing was observed, or beyond the last bucket.
  std::optional<double> held_p99_us_at_most;
  std::optional<double> held_max_us_at_most;
  double reader_p99_us = 0;
  double reader_max_us = 0;
};

class LockWatch {
 public:
  // Begins to watch; both must outlive it.
  LockWatch(const namenode::Namesystem* namesystem, const Metrics* metrics);
  ~LockWatch();
  LockWatch(const LockWatch&) = delete;
  LockWatch& operator=(const LockWatch&) = delete;

  // Ends it; once.
  LockTimes Finish();

 private:
  void Run();

  const namenode::Namesystem* const namesystem_;
  const Metrics* const metrics_;
  const std::map<double, double> before_;  // bucket's bound in seconds -> observations
  std::atomic<bool> ended_{false};
  std::vector<float> waits_us_;  // of the thread, until it is joined
  std::thread thread_;
};

}  // namespace cairn::bench
