// The names of a replica's files (docs/formats/replica.md), as a start finds them.
//
// Why: what is not exactly one of ours is left alone. Pure, thread-safe. Used by the volume's
// scans.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/ids.h"

namespace cairn::datanode {

struct ReplicaFileName {
  enum Kind { kData, kChecksums, kUnsynced, kBadMark };
  Kind kind = kData;
  Block block;  // generation: not of kData; length: of kUnsynced alone
};

// blk_<id>, blk_<id>_<generation>.meta, blk_<id>_<generation>_<length>.unsynced,
// blk_<id>_<generation>.bad
std::optional<ReplicaFileName> ParseReplicaFileName(std::string_view name);

// All files of a block in a folder. Generations: the highest first.
struct FilesOfBlock {
  bool data = false;
  std::vector<Block> checksums;
  std::vector<Block> unsynced;
  std::vector<Block> bad_marks;

  void Add(const ReplicaFileName& name);
};

}  // namespace cairn::datanode
