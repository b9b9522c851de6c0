// Runs a producer on a thread of its own, some items ahead of its one consumer.
//
// Why: loading an image and replaying a journal are two halves of equal weight, bytes to records
// and records to state; on two threads they take the time of one. Items come in order; an error
// comes behind the items before it, and ends the sequence. Next is for one thread. Used by the
// codec and the state store.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "common/mutex.h"

namespace cairn {

template <typename T>
class ReadAhead {
 public:
  // The next item; nullopt at the end. Not called again after that, or after an error.
  using Produce = std::function<absl::StatusOr<std::optional<T>>()>;

  // `max_items` may wait for the consumer. Everything that `produce` uses is its own until this
  // object is gone.
  ReadAhead(size_t max_items, Produce produce)
      : max_items_(max_items), produce_(std::move(produce)), thread_([this] { Run(); }) {}
  // Waits for the item that the producer is at.
  ~ReadAhead() {
    {
      MutexLock lock(mu_);
      stopped_ = true;
    }
    changed_.SignalAll();
    thread_.join();
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  absl::StatusOr<std::optional<T>> Next() ABSL_LOCKS_EXCLUDED(mu_) {
    std::optional<T> item;
    {
      MutexLock lock(mu_);
      while (items_.empty() && !ended_) changed_.Wait(mu_);
      if (items_.empty()) {
        if (!end_.ok()) return end_;
        return std::optional<T>();
      }
      item = std::move(items_.front());
      items_.pop_front();
    }
    changed_.SignalAll();
    return item;
  }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_) {
    while (true) {
      absl::StatusOr<std::optional<T>> item = produce_();
      const bool ended = !item.ok() || !item->has_value();
      MutexLock lock(mu_);
      if (ended) {
        ended_ = true;
        end_ = item.status();
      } else {
        items_.push_back(**std::move(item));
      }
      changed_.SignalAll();
      while (items_.size() >= max_items_ && !stopped_) changed_.Wait(mu_);
      if (ended || stopped_) return;
    }
  }

  const size_t max_items_;
  const Produce produce_;
  Mutex mu_;
  CondVar changed_;
  std::deque<T> items_ ABSL_GUARDED_BY(mu_);
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: it uses the members above
};

}  // namespace cairn
