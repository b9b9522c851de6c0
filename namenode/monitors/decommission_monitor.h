// The end of decommissions: nodes that nothing depends on any more become decommissioned.
//
// Why journaled: an administrator who was told so may switch the node off, and a NameNode that is
// started again must neither wait for it nor take it back. Not thread-safe: run by one background
// task.
#pragma once

#include "absl/status/status.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn::namenode {

class DecommissionMonitor {
 public:
  DecommissionMonitor(Namesystem* namesystem, BlockManager* blocks)
      : namesystem_(namesystem), blocks_(blocks) {}

  absl::Status RunOnce();

 private:
  Namesystem* const namesystem_;
  BlockManager* const blocks_;
};

}  // namespace cairn::namenode
