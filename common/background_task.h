// A thread that does one piece of work over and over: how every loop of a daemon is built.
//
// Why: heartbeats, monitors, scrubbers and checkpoints all need the same things: an interval, a way
// to be woken, back-off when the work fails, logs that do not flood, metrics, and a prompt end.
// They write RunOnce and leave the rest to this. Thread-safe. `run_once` is called by one thread at
// a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "common/mutex.h"

namespace cairn {

class Counter;
class Gauge;
class Metrics;

// How long to wait before try number `failures` + 1, in ms: min * 2^(failures - 1), at most `max`,
// of which the upper half is scaled by `jitter` in [0, 1], so that many nodes do not come back at
// the same moment.
int64_t BackoffMs(int failures, int64_t min_backoff_ms, int64_t max_backoff_ms, double jitter);
// Lets `ms` pass before another try, where nothing but time makes it worth one. Nothing wakes it.
void PauseForMs(int64_t ms);

class BackgroundTask {
 public:
  struct Options {
    int64_t interval_ms = 1000;       // from the start of one run to the start of the next
    int64_t min_backoff_ms = 200;     // after a first failure (at most the interval)
    int64_t max_backoff_ms = 10'000;  // after many; at least the interval
    int64_t log_every_ms = 30'000;    // the same failure again and again is logged this often
    bool run_at_start = true;         // else the first run comes after an interval
  };

  // Metrics, labelled {task=name}: cairn_task_runs_total, cairn_task_failures_total,
  // cairn_task_last_duration_seconds.
  BackgroundTask(std::string name, Options options, std::function<absl::Status()> run_once,
                 Metrics* metrics);
  BackgroundTask(std::string name, int64_t interval_ms, std::function<absl::Status()> run_once,
                 Metrics* metrics);
  ~BackgroundTask();  // stops
  BackgroundTask(const BackgroundTask&) = delete;
  BackgroundTask& operator=(const BackgroundTask&) = delete;

  void Start() ABSL_LOCKS_EXCLUDED(mu_);
  // Runs as soon as possible, even during a back-off. A Wake during a run causes one more run after
  // it.
  void Wake() ABSL_LOCKS_EXCLUDED(mu_);
  // Lets a run that is under way end, starts no other, joins. May be called more than once, not
  // from `run_once`.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);
  // Runs once and returns how long to wait for the next, in ms.
  int64_t RunOnce();
  void LogFailure(const absl::Status& status, int64_t retry_ms);

  const std::string name_;
  const Options options_;
  const std::function<absl::Status()> run_once_;
  Counter* const runs_;
  Counter* const failed_runs_;
  Gauge* const last_duration_;

  // Of the task's thread alone.
  int failures_ = 0;          // in a row
  int64_t last_log_ms_ = 0;   // steady time
  int64_t unlogged_ = 0;      // failures since then
  std::string last_failure_;  // its message

  Mutex mu_;
  CondVar wake_cv_;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
