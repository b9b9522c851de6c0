#include "common/background_task.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/logging.h"
#include "common/metrics.h"
#include "common/status.h"
#include "common/steady_time.h"
#include "common/strings.h"
#include "common/units.h"

namespace cairn {
namespace {

using SteadyClock = std::chrono::steady_clock;

double RandomFraction() { return static_cast<double>(RandomU64() >> 11) / (uint64_t{1} << 53); }

BackgroundTask::Options OptionsFor(int64_t interval_ms) {
  BackgroundTask::Options options;
  options.interval_ms = interval_ms;
  return options;
}

}  // namespace

int64_t BackoffMs(int failures, int64_t min_backoff_ms, int64_t max_backoff_ms, double jitter) {
  int64_t backoff = std::min(min_backoff_ms, max_backoff_ms);
  for (int i = 1; i < failures && backoff < max_backoff_ms; ++i) {
    backoff = backoff > max_backoff_ms / 2 ? max_backoff_ms : backoff * 2;
  }
  return backoff / 2 + static_cast<int64_t>(static_cast<double>(backoff - backoff / 2) * jitter);
}

void PauseForMs(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

BackgroundTask::BackgroundTask(std::string name, Options options,
                               std::function<absl::Status()> run_once, Metrics* metrics)
    : name_(std::move(name)),
      options_(options),
      run_once_(std::move(run_once)),
      runs_(metrics->AddCounter("cairn_task_runs_total", "Runs of a background task.",
                                {{"task", name_}})),
      failed_runs_(metrics->AddCounter("cairn_task_failures_total",
                                       "Runs of a background task that failed.",
                                       {{"task", name_}})),
      last_duration_(metrics->AddGauge("cairn_task_last_duration_seconds",
                                       "How long the last run of a background task took.",
                                       {{"task", name_}})) {}

BackgroundTask::BackgroundTask(std::string name, int64_t interval_ms,
                               std::function<absl::Status()> run_once, Metrics* metrics)
    : BackgroundTask(std::move(name), OptionsFor(interval_ms), std::move(run_once), metrics) {}

BackgroundTask::~BackgroundTask() { Stop(); }

void BackgroundTask::Start() {
  MutexLock lock(mu_);
  if (thread_.joinable() || stopping_) return;
  thread_ = std::thread([this] { RunThread(); });
}

void BackgroundTask::Wake() {
  {
    MutexLock lock(mu_);
    woken_ = true;
  }
  wake_cv_.Signal();
}

void BackgroundTask::Stop() {
  std::thread thread;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    thread.swap(thread_);
  }
  wake_cv_.SignalAll();
  if (thread.joinable()) thread.join();
}

void BackgroundTask::RunThread() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  int64_t wait_ms = options_.run_at_start ? 0 : options_.interval_ms;
  while (true) {
    {
      const auto due = SteadyClock::now() + std::chrono::milliseconds(wait_ms);
      MutexLock lock(mu_);
      while (!woken_ && !stopping_ && SteadyClock::now() < due) {
        wake_cv_.WaitFor(mu_, due - SteadyClock::now());
      }
      if (stopping_) return;
      woken_ = false;
    }
    wait_ms = RunOnce();
  }
}

int64_t BackgroundTask::RunOnce() {
  const auto start = SteadyClock::now();
  const absl::Status status = run_once_();
  const auto took = SteadyClock::now() - start;
  runs_->Increment();
  last_duration_->Set(std::chrono::duration<double>(took).count());

  if (status.ok()) {
    if (failures_ > 0) LogInfo("{}: works again after {} failed runs", name_, failures_);
    failures_ = 0;
    last_failure_.clear();
    // A run that takes longer than the interval must not turn into a busy loop.
    const int64_t took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    return std::max(options_.interval_ms - took_ms, options_.interval_ms / 10);
  }
  failed_runs_->Increment();
  ++failures_;
  const int64_t max_backoff = std::max(options_.max_backoff_ms, options_.interval_ms);
  const int64_t min_backoff = std::min(options_.min_backoff_ms, options_.interval_ms);
  const int64_t retry_ms = BackoffMs(failures_, min_backoff, max_backoff, RandomFraction());
  LogFailure(status, retry_ms);
  return retry_ms;
}

void BackgroundTask::LogFailure(const absl::Status& status, int64_t retry_ms) {
  const int64_t now_ms = SteadyNowMs();
  const bool repeated = MessageOf(status) == last_failure_;
  if (repeated && now_ms - last_log_ms_ < options_.log_every_ms) {
    ++unlogged_;
    return;
  }
  const std::string more =
      unlogged_ > 0 ? fmt::format(" ({} more failures since the last line)", unlogged_) : "";
  LogWarn("{}: {}; next try in {}{}", name_, MessageOf(status), FormatDurationMs(retry_ms), more);
  last_log_ms_ = now_ms;
  last_failure_ = std::string(MessageOf(status));
  unlogged_ = 0;
}

}  // namespace cairn
