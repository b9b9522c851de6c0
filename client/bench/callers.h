// Who carries out a round: threads of this process, or processes of one caller each.
//
// Why both: a process whose threads share one connection is how most programs use the library;
// many processes are how a cluster is used. Processes are copies of this program that take jobs on
// their standard input and answer on their standard output, a line of JSON each; they end when
// their input does. Not thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/bench/measure.h"
#include "client/bench/metadata_load.h"
#include "common/status.h"

namespace cairn::bench {

struct RoundResult {
  double seconds = 0;               // from the first caller's begin to the last one's end
  double cpu_us = 0;                // of the callers' processes
  std::vector<float> latencies_us;  // of each operation
};

class Callers {
 public:
  virtual ~Callers() = default;
  virtual int count() const = 0;
  // "callers=8" or "processes=8".
  virtual std::string variant() const = 0;
  // Returns when all is done; with the first failure, or CANCELLED.
  virtual absl::StatusOr<RoundResult> Run(const Job& job) = 0;
};

// Threads of this process over one MetadataLoad, which must outlive them. Each operation done is
// counted in `done`.
std::unique_ptr<Callers> MakeThreads(int count, MetadataLoad* load, Stopped stopped,
                                     std::atomic<uint64_t>* done);

// `args`: this program's arguments for one of them, the program's name included; they say which
// cluster, and make it call RunWorker. They are interrupted (SIGINT) when stopped.
absl::StatusOr<std::unique_ptr<Callers>> StartProcesses(int count,
                                                        const std::vector<std::string>& args,
                                                        Stopped stopped,
                                                        std::atomic<uint64_t>* done);

// Calls `call` for 0 .. count - 1 from `threads` threads and measures; ends early, CANCELLED, when
// stopped.
absl::StatusOr<RoundResult> RunThreads(int threads, uint64_t count, const Stopped& stopped,
                                       std::atomic<uint64_t>* done,
                                       const std::function<absl::Status(uint64_t)>& call);

// What such a process does: jobs from `in` until its end.
absl::Status RunWorker(MetadataLoad* load, const Stopped& stopped, int in, int out);

// The arguments that this process was started with.
absl::StatusOr<std::vector<std::string>> OwnArguments();

}  // namespace cairn::bench
