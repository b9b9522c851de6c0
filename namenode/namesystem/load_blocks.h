// What the block room must know of a namespace that was loaded: the start's one hand-over from the
// journaled state to the reported one. All later changes come as effects of edits. Single-threaded:
// before FinishLoading.
#pragma once

#include "namenode/blocks/block_manager.h"
#include "namenode/namespace/fs_state.h"

namespace cairn::namenode {

// Every known DataNode with its storages, every block (open ones with their pipeline, stamp and
// known length), and the id counters.
void LoadBlocks(const FsState& state, BlockManager* blocks);

}  // namespace cairn::namenode
