// Changes of replicas that the NameNode has not acknowledged yet, in the order of their happening.
//
// Why: an incremental report that is lost leaves the NameNode wrong for hours; so a change stays
// here until an answer says that it was taken in. Thread-safe. The store pushes, the reporter
// sends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/mutex.h"
#include "datanode/store/replica.h"

namespace cairn::datanode {

class ChangeQueue final : public ReplicaObserver {
 public:
  struct Change {
    enum Kind { kReceived, kDeleted, kWaiting, kBad };
    Kind kind = kReceived;
    size_t volume = 0;
    Block block;
  };

  // `wake` is called after every push; it must be quick and must not call back.
  explicit ChangeQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  void OnReceived(size_t volume, const Block& block) override {
    Push({Change::kReceived, volume, block});
  }
  void OnDeleted(size_t volume, const Block& block) override {
    Push({Change::kDeleted, volume, block});
  }
  void OnWaiting(size_t volume, const Block& block) override {
    Push({Change::kWaiting, volume, block});
  }
  void OnBad(size_t volume, const Block& block) override {
    found_bad_.fetch_add(1, std::memory_order_relaxed);
    Push({Change::kBad, volume, block});
  }
  void Push(const Change& change) ABSL_LOCKS_EXCLUDED(mu_);

  // Replicas since the start, by whoever looked.
  uint64_t found_bad() const { return found_bad_.load(std::memory_order_relaxed); }

  // The first changes, at most `max` of them.
  std::vector<Change> Front(size_t max) const ABSL_LOCKS_EXCLUDED(mu_);
  // The first `count` changes were acknowledged. Only one thread may send.
  void Acknowledge(size_t count) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const std::function<void()> wake_;
  std::atomic<uint64_t> found_bad_ = 0;
  mutable Mutex mu_;
  std::deque<Change> changes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
