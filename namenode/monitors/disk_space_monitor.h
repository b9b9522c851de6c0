// Safe mode before the journal's disk is full.
//
// Why: a journal that cannot write ends the process. Below --reserved the NameNode stops taking
// edits while there is still room for its own. Not thread-safe: run by one background task.
#pragma once

#include <cstdint>

#include "namenode/namesystem/forced_safe_mode.h"
#include "namenode/namesystem/state_store.h"

namespace cairn::namenode {

class DiskSpaceMonitor {
 public:
  DiskSpaceMonitor(const StateStore* store, uint64_t reserved_bytes, ForcedSafeMode* forced)
      : store_(store), reserved_bytes_(reserved_bytes), forced_(forced) {}

  absl::Status RunOnce();

 private:
  const StateStore* const store_;
  const uint64_t reserved_bytes_;
  ForcedSafeMode* const forced_;
};

}  // namespace cairn::namenode
