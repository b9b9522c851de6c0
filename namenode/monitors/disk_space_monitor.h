// Safe mode before the journal's disk is full.
//
// Why: a journal that cannot write ends the process. Below --reserved the NameNode stops taking
// edits while there is still room for its own. Not thread-safe: run by one background task.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/env.h"
#include "namenode/namesystem/forced_safe_mode.h"

namespace cairn::namenode {

class DiskSpaceMonitor {
 public:
  DiskSpaceMonitor(Env* env, std::vector<std::string> dirs, uint64_t reserved_bytes,
                   ForcedSafeMode* forced)
      : env_(env), dirs_(std::move(dirs)), reserved_bytes_(reserved_bytes), forced_(forced) {}

  absl::Status RunOnce();

 private:
  Env* const env_;
  const std::vector<std::string> dirs_;
  const uint64_t reserved_bytes_;
  ForcedSafeMode* const forced_;
};

}  // namespace cairn::namenode
