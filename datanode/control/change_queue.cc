#include "datanode/control/change_queue.h"

#include <algorithm>

namespace cairn::datanode {

void ChangeQueue::Push(const Change& change) {
  {
    MutexLock lock(mu_);
    changes_.push_back(change);
  }
  wake_();
}

std::vector<ChangeQueue::Change> ChangeQueue::Front(size_t max) const {
  MutexLock lock(mu_);
  const auto count = static_cast<ptrdiff_t>(std::min(max, changes_.size()));
  return {changes_.begin(), changes_.begin() + count};
}

void ChangeQueue::Acknowledge(size_t count) {
  MutexLock lock(mu_);
  changes_.erase(changes_.begin(), changes_.begin() + static_cast<ptrdiff_t>(count));
}

}  // namespace cairn::datanode
