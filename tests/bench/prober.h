// A client that looks up one file after another, all the while something else goes on.
//
// Why: what a NameNode does must not be felt by its clients; the longest wait tells. It pauses a
// millisecond between calls, so that it costs little itself. Not thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "common/status.h"

namespace cairn::bench {

struct Waits {
  uint64_t calls = 0;
  uint64_t failed = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double longest_ms = 0;
};

class Prober {
 public:
  // Begins at once, over a connection of its own. `files`: of the NamespaceShape that is served.
  Prober(const std::string& namenode, uint64_t files);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // Ends it; once.
  Waits Finish();

 private:
  void Run(const std::string& namenode, uint64_t files);

  std::atomic<bool> ended_{false};
  uint64_t failed_ = 0;          // of the thread, until it is joined
  std::vector<float> waits_us_;  // the same
  std::thread thread_;
};

}  // namespace cairn::bench
