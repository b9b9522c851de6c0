// A fixed number of threads that run queued functions.
//
// Why: completions, slow calls and block copies must not run on gRPC's or the door's threads, and a
// queue without a bound only hides overload. Tasks start in the order of submission. Thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace cairn {

class ThreadPool {
 public:
  // `name` shows in `top -H` (cut to 15 bytes). `max_queue` bounds the tasks that wait, not those
  // that run.
  ThreadPool(std::string name, int threads, size_t max_queue);
  ~ThreadPool();  // stops
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Returns false, and drops the task, when the queue is full or the pool was stopped.
  [[nodiscard]] bool Submit(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mu_);

  // Takes no more tasks, runs those that are queued, and joins the threads. May be called more than
  // once, not from a task.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  size_t queued() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);

  const std::string name_;
  const size_t max_queue_;
  mutable Mutex mu_;
  CondVar wake_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
