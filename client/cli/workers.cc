#include "client/cli/workers.h"

#include <algorithm>
#include <utility>

namespace cairn::cli {

Workers::Workers(int threads, uint64_t budget) : budget_(budget), max_threads_(threads) {}

Workers::~Workers() {
  Wait();
  {
    MutexLock lock(mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Workers::Submit(uint64_t cost, std::function<void()> task) {
  if (threads_.size() < static_cast<size_t>(max_threads_)) {
    threads_.emplace_back([this] { RunThread(); });
  }
  MutexLock lock(mu_);
  while (queue_.size() >= 2 * static_cast<size_t>(max_threads_)) changed_.Wait(mu_);
  queue_.push_back({std::min(cost, budget_), std::move(task)});
  changed_.SignalAll();
}

void Workers::Wait() {
  MutexLock lock(mu_);
  while (!queue_.empty() || running_ > 0) changed_.Wait(mu_);
}

void Workers::RunThread() {
  while (true) {
    Task task;
    {
      MutexLock lock(mu_);
      while (!stopping_ && (queue_.empty() || cost_running_ + queue_.front().cost > budget_)) {
        changed_.Wait(mu_);
      }
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
      cost_running_ += task.cost;
      ++running_;
      changed_.SignalAll();
    }
    task.run();
    MutexLock lock(mu_);
    cost_running_ -= task.cost;
    --running_;
    changed_.SignalAll();
  }
}

}  // namespace cairn::cli
