// Is there room left for the journal? For the safe mode that --reserved brings on.
//
// Why: a journal that meets a full disk ends the process; the NameNode enters safe mode long before
// that. Thread-safe, stateless. Called by the namesystem's monitor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/env.h"
#include "common/status.h"

namespace cairn::namenode {

// OK when every directory has at least `reserved_bytes` free; else RESOURCE_EXHAUSTED (kNoSpace)
// with the first that has not: "/data/1: 40M free, less than --reserved 100M; free some space".
absl::Status CheckReserved(Env* env, const std::vector<std::string>& dirs, uint64_t reserved_bytes);

}  // namespace cairn::namenode
