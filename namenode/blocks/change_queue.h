// The way from the namespace to the reported state: changes in the order of their edits, held until
// those edits are durable.
//
// Why: the namesystem's lock must never wait for the block room's, and no command or location may
// precede its edit (P2). Thread-safe; its mutex is a leaf, held for a push or a splice only. Pushed
// by the namesystem under its lock, taken by the block manager.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/mutex.h"
#include "namenode/blocks/types.h"

namespace cairn::namenode {

class ChangeQueue {
 public:
  struct Entry {
    TxId txid = 0;
    std::vector<BlockChange> changes;
  };

  // Txids must not go down from call to call.
  void Push(TxId txid, std::vector<BlockChange> changes) ABSL_LOCKS_EXCLUDED(mu_);
  // Takes out what belongs to edits up to `durable`, in order.
  std::vector<Entry> TakeUpTo(TxId durable) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::namenode
