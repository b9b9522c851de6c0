// What applying an edit means for blocks: told to the block room, never kept in the journaled
// state.
#pragma once

#include <vector>

#include "common/ids.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

struct BlockEffect {
  enum class Kind {
    kOpened,       // a writer may fill it; `info.pipeline` are its nodes
    kFinished,     // durable on `storages` (provisional until reported); the file may still be open
    kFileClosed,   // the block belongs to a closed file now: it counts and is kept at its target
    kRemoved,      // no file has it any more: delete every replica
    kReplication,  // info.replication is the new target
  };
  Kind kind = Kind::kOpened;
  BlockInfo info;
  std::vector<StorageNumber> storages;
};

using Effects = std::vector<BlockEffect>;

}  // namespace cairn::namenode
