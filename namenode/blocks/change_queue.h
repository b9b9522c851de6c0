// The way from the namespace to the reported state: changes in the order of their edits, held until
// those edits are durable.
//
// Why: the namesystem's lock must never wait for the block room's, and no command or location may
// precede its edit (P2). Thread-safe; its mutex is a leaf, held for a push or for moving changes
// out. Pushed by the namesystem under its lock, taken by the block manager.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/mutex.h"
#include "namenode/blocks/types.h"

namespace cairn::namenode {

class ChangeQueue {
 public:
  // Txids must not go down from call to call.
  void Push(TxId txid, std::vector<BlockChange> changes) ABSL_LOCKS_EXCLUDED(mu_);
  // Puts what belongs to edits up to `durable` in `taken`, in order, at most `max` changes: an edit
  // may come in parts. False when there is more.
  bool TakeUpTo(TxId durable, size_t max, std::vector<BlockChange>* taken) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    TxId txid = 0;
    std::vector<BlockChange> changes;
  };

  Mutex mu_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mu_);
  size_t first_taken_ ABSL_GUARDED_BY(mu_) = 0;  // changes of the first entry that are out
};

}  // namespace cairn::namenode
