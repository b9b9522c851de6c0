// Threads for work that blocks, comes often, and cannot wait for other such work: each task has a
// thread at once, an idle one where there is one.
//
// Why: a thread that is made and ended for each task costs more than a short task does (stacks are
// mapped and unmapped, cores woken), and a pool of a fixed size would let one wait for others that
// may never end. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "common/mutex.h"

namespace cairn {

class ThreadCache {
 private:
  struct Work;

 public:
  // As a std::thread, which must be joined before it is destroyed.
  class Task {
   public:
    explicit Task(std::shared_ptr<Work> work) : work_(std::move(work)) {}
    void Join();

   private:
    std::shared_ptr<Work> work_;
  };

  // `name` shows in `top -H` (cut to 15 bytes). A thread without work ends after `idle_ms`.
  explicit ThreadCache(std::string name, int64_t idle_ms = 10'000);
  ~ThreadCache();  // waits for all tasks
  ThreadCache(const ThreadCache&) = delete;
  ThreadCache& operator=(const ThreadCache&) = delete;

  [[nodiscard]] Task Run(std::function<void()> function) ABSL_LOCKS_EXCLUDED(mu_);

  size_t threads() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Threads = std::list<std::thread>;

  void RunThread(Threads::iterator self) ABSL_LOCKS_EXCLUDED(mu_);
  // The next task; null when there was none for long.
  std::shared_ptr<Work> Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string name_;
  const int64_t idle_ms_;
  mutable Mutex mu_;
  CondVar wake_;
  std::deque<std::shared_ptr<Work>> queue_ ABSL_GUARDED_BY(mu_);
  size_t idle_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  Threads threads_ ABSL_GUARDED_BY(mu_);
  Threads ended_ ABSL_GUARDED_BY(mu_);  // to be joined, which takes no time
};

}  // namespace cairn
