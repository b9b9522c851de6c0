// `cairn-namenode verify`: are the NameNode's files whole, and do they fit together?
//
// Why: a damaged image or segment is found by the start that needs it, which may be months later.
// This reads every byte of every data directory with the code that the start uses (checksums,
// decoding, replay through Apply with the journaled digests) and tells of each file. An older image
// and the edits behind it must give the digest of each newer image. Nothing is locked or changed;
// beside a running NameNode a segment that grows and files that come and go are fine. Not
// thread-safe; needs memory for one state, as a start does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/env.h"

namespace cairn::namenode {

struct VerifySummary {
  uint64_t files = 0;
  uint64_t damaged = 0;
  uint64_t behind = 0;
  uint64_t unknown = 0;
  bool starts = false;  // a NameNode would start on these directories as they are
  std::string reason;   // when it would not
};

// `line` gets a JSON object for each file, then one for the summary (docs/operations.md). An error
// is one of `line`'s, or of a directory that cannot be read.
absl::StatusOr<VerifySummary> VerifyDataDirs(
    Env* env, const std::vector<std::string>& data_dirs,
    const std::function<absl::Status(std::string_view json)>& line);

}  // namespace cairn::namenode
