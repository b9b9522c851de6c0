// What applying an edit means for blocks, and for the nodes that hold them: told to the block room,
// never kept in the journaled state.
#pragma once

#include <vector>

#include "common/admin_state.h"
#include "common/ids.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

struct BlockEffect {
  enum class Kind {
    // A writer may fill it, or its recovery will settle it; `info.pipeline` are its nodes,
    // `info.block` its stamp and the length known to be held. Also of a block that is open already
    // (a new stamp and pipeline), or was finished, of a closed file even (append, truncation).
    kOpened,
    // On `storages` (provisional until reported); the file may still be open. No storages: an
    // append changed nothing, what was known of the replicas holds.
    kFinished,
    // The block belongs to a closed file now: it counts and is kept at its target. Comes for all
    // blocks of a file that closes, for those too that it was said of before an append.
    kFileClosed,
    kRemoved,  // no file has it any more: delete every replica
    // info.replication is the new target, info.inode the file that the block belongs to now
    // (concat). Of a finished block.
    kReplication,
    kAdminState,  // of no block: DataNode `node` is `admin` from now on
  };
  Kind kind = Kind::kOpened;
  BlockInfo info;
  std::vector<StorageNumber> storages;
  NodeNumber node = 0;
  AdminState admin = AdminState::kInService;
};

using Effects = std::vector<BlockEffect>;

}  // namespace cairn::namenode
