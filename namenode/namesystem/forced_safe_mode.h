// The reasons that force safe mode, put together for the block room.
//
// Why: low disk space comes and goes, an older journal stays; neither may lift the other.
// Thread-safe.
#pragma once

#include <string>

#include "common/mutex.h"
#include "namenode/blocks/block_manager.h"

namespace cairn::namenode {

class ForcedSafeMode {
 public:
  explicit ForcedSafeMode(BlockManager* blocks) : blocks_(blocks) {}

  // An empty reason lifts it.
  void SetDiskSpace(std::string reason) { Set(&disk_space_, std::move(reason)); }
  void SetOlderJournal(std::string reason) { Set(&older_journal_, std::move(reason)); }

 private:
  void Set(std::string* slot, std::string reason) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    if (*slot == reason) return;
    *slot = std::move(reason);
    blocks_->ForceSafeMode(older_journal_.empty() ? disk_space_ : older_journal_);
  }

  BlockManager* const blocks_;
  Mutex mu_;
  std::string disk_space_;     // under mu_, as the next one: set through pointers, which
  std::string older_journal_;  // thread-safety analysis cannot follow
};

}  // namespace cairn::namenode
