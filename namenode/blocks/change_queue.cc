#include "namenode/blocks/change_queue.h"

namespace cairn::namenode {

void ChangeQueue::Push(TxId txid, std::vector<BlockChange> changes) {
  if (changes.empty()) return;
  MutexLock lock(mu_);
  entries_.push_back({txid, std::move(changes)});
}

bool ChangeQueue::TakeUpTo(TxId durable, size_t max, std::vector<BlockChange>* taken) {
  taken->clear();
  MutexLock lock(mu_);
  while (!entries_.empty() && entries_.front().txid <= durable) {
    std::vector<BlockChange>& changes = entries_.front().changes;
    while (first_taken_ < changes.size()) {
      if (taken->size() == max) return false;
      taken->push_back(std::move(changes[first_taken_++]));
    }
    entries_.pop_front();
    first_taken_ = 0;
  }
  return true;
}

}  // namespace cairn::namenode
