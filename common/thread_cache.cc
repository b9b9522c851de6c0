#include "common/thread_cache.h"

#include <pthread.h>

#include <chrono>
#include <utility>

namespace cairn {

struct ThreadCache::Work {
  std::function<void()> function;
  Mutex mu;
  CondVar changed;
  bool done ABSL_GUARDED_BY(mu) = false;
};

void ThreadCache::Task::Join() {
  MutexLock lock(work_->mu);
  while (!work_->done) work_->changed.Wait(work_->mu);
}

ThreadCache::ThreadCache(std::string name, int64_t idle_ms)
    : name_(std::move(name)), idle_ms_(idle_ms) {}

ThreadCache::~ThreadCache() {
  Threads threads;
  {
    MutexLock lock(mu_);
    stopped_ = true;
    wake_.SignalAll();
    while (!threads_.empty()) wake_.Wait(mu_);
    threads.swap(ended_);
  }
  for (std::thread& thread : threads) thread.join();
}

ThreadCache::Task ThreadCache::Run(std::function<void()> function) {
  auto work = std::make_shared<Work>();
  work->function = std::move(function);
  Threads ended;
  {
    MutexLock lock(mu_);
    if (queue_.size() < idle_) {
      wake_.Signal();
    } else {
      // First, because it throws where the system has no thread left; nothing has changed then.
      Threads made(1);
      const auto self = made.begin();
      *self = std::thread([this, self] { RunThread(self); });
      threads_.splice(threads_.end(), made);
    }
    queue_.push_back(work);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
  return Task(std::move(work));
}

size_t ThreadCache::threads() const {
  MutexLock lock(mu_);
  return threads_.size();
}

std::shared_ptr<ThreadCache::Work> ThreadCache::Next() {
  ++idle_;
  while (queue_.empty() && !stopped_) {
    if (!wake_.WaitFor(mu_, std::chrono::milliseconds(idle_ms_))) break;
  }
  --idle_;
  if (queue_.empty()) return nullptr;
  std::shared_ptr<Work> work = std::move(queue_.front());
  queue_.pop_front();
  return work;
}

void ThreadCache::RunThread(Threads::iterator self) {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  while (true) {
    std::shared_ptr<Work> work;
    {
      MutexLock lock(mu_);
      work = Next();
      if (work == nullptr) {
        ended_.splice(ended_.end(), threads_, self);
        if (stopped_ && threads_.empty()) wake_.SignalAll();
        return;
      }
    }
    work->function();
    work->function = nullptr;
    MutexLock lock(work->mu);
    work->done = true;
    work->changed.SignalAll();
  }
}

}  // namespace cairn
