// How far the scrubber has come on a volume: what it keeps on disk, as bytes and back.
//
// Why: a pass over a disk takes weeks, and a DataNode does not run that long without a restart. The
// format is docs/formats/scan.md. Pure functions, thread-safe. Used by the replica scan.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/ids.h"
#include "common/status.h"

namespace cairn::datanode {

struct ScanProgress {
  int64_t began_ms = 0;       // the pass: ms since the epoch
  BlockId done = 0;           // replicas of blocks up to this one were read in it
  bool finished = false;      // it is through
  int64_t last_pass_ms = -1;  // how long the last one that is through took; -1: there was none

  bool operator==(const ScanProgress&) const = default;
};

std::string EncodeScanProgress(const ScanProgress& progress);
// DATA_LOSS when it is damaged, cut, or of another version.
absl::StatusOr<ScanProgress> DecodeScanProgress(std::string_view bytes);

}  // namespace cairn::datanode
