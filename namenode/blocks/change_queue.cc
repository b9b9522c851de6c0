#include "namenode/blocks/change_queue.h"

namespace cairn::namenode {

void ChangeQueue::Push(TxId txid, std::vector<BlockChange> changes) {
  MutexLock lock(mu_);
  entries_.push_back({txid, std::move(changes)});
}

std::vector<ChangeQueue::Entry> ChangeQueue::TakeUpTo(TxId durable) {
  std::vector<Entry> taken;
  MutexLock lock(mu_);
  while (!entries_.empty() && entries_.front().txid <= durable) {
    taken.push_back(std::move(entries_.front()));
    entries_.pop_front();
  }
  return taken;
}

}  // namespace cairn::namenode
