// A few threads that copy many files at once.
//
// Why a cost: eight small files at a time hide the round trips, but eight large ones would fill the
// memory with packets; each task says how much it will hold, and all that run hold at most a
// budget. Submit blocks while there is enough to do, so that a tree of millions of files is never
// in memory. Thread-safe; a task must not call Submit or Wait.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace cairn::cli {

class Workers {
 public:
  static constexpr int kThreads = 8;
  static constexpr uint64_t kBudget = 512ull << 20;       // bytes
  static constexpr uint64_t kCostOfLarge = 256ull << 20;  // so that two large files run at once

  explicit Workers(int threads = kThreads, uint64_t budget = kBudget);
  ~Workers();  // waits
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // `cost` is in bytes; more than the budget counts as the budget.
  void Submit(uint64_t cost, std::function<void()> task) ABSL_LOCKS_EXCLUDED(mu_);
  // Until every task has ended.
  void Wait() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Task {
    uint64_t cost;
    std::function<void()> run;
  };
  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);

  const uint64_t budget_;
  Mutex mu_;
  CondVar changed_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mu_);
  uint64_t cost_running_ ABSL_GUARDED_BY(mu_) = 0;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  const int max_threads_;
  std::vector<std::thread> threads_;  // of the submitting thread; started as tasks come
};

}  // namespace cairn::cli
