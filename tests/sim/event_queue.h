// Virtual time: what shall happen when. Events of the same time happen in the order in which they
// were asked for, so that a run is the same for the same seed. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "common/clock.h"

namespace cairn::sim {

class EventQueue {
 public:
  using Action = std::function<void()>;

  int64_t now_ms() { return clock_.WallMs(); }
  ManualClock* clock() { return &clock_; }
  uint64_t done() const { return done_; }

  void After(int64_t ms, Action action) {
    events_.push_back({now_ms() + std::max<int64_t>(ms, 0), next_++, std::move(action)});
    std::push_heap(events_.begin(), events_.end(), Later{});
  }

  // Runs all events up to `ms` from now, and moves the time there.
  void RunFor(int64_t ms) {
    const int64_t end = now_ms() + ms;
    while (!events_.empty() && events_.front().at_ms <= end) {
      std::pop_heap(events_.begin(), events_.end(), Later{});
      const Event event = std::move(events_.back());
      events_.pop_back();
      clock_.AdvanceMs(event.at_ms - now_ms());
      ++done_;
      event.action();
    }
    clock_.AdvanceMs(end - now_ms());
  }

 private:
  struct Event {
    int64_t at_ms = 0;
    uint64_t number = 0;
    Action action;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return std::pair(a.at_ms, a.number) > std::pair(b.at_ms, b.number);
    }
  };

  ManualClock clock_;
  uint64_t next_ = 0;
  uint64_t done_ = 0;
  std::vector<Event> events_;  // a heap
};

}  // namespace cairn::sim
