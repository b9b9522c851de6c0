// What a start makes of a small-replica log: the replicas whose files did not reach the disk are
// written again from their records.
//
// Why: a record alone made its replica durable. It comes before the volume is scanned, so that the
// scan finds whole replicas and knows nothing of the log. Something newer is never touched, nor
// what other syncs have vouched for (docs/formats/small-replica-log.md). Of one thread; used by the
// store when it loads a volume.
#pragma once

#include <cstdint>
#include <string>

#include "common/env.h"
#include "common/status.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {

struct SmallLogReplayed {
  bool log_found = false;
  uint64_t records = 0;
  uint64_t rewritten = 0;  // replicas whose files were not there or not whole
  uint64_t damaged = 0;    // records that were whole once and are not any more
};

// Takes in the log of a volume that is prepared and not scanned, and removes its segments, durably.
// After an error it can be done again.
absl::StatusOr<SmallLogReplayed> ReplaySmallLog(Env* env, const Volume& volume);

}  // namespace cairn::datanode
