#include "namenode/namesystem/load_blocks.h"

#include <utility>

namespace cairn::namenode {

void LoadBlocks(const FsState& state, BlockManager* blocks) {
  state.registry().ForEachNode([&](const NodeEntry& entry) {
    NodeRegistration node;
    node.number = entry.number;
    node.id = entry.id;
    node.rack = entry.rack;
    for (const StorageNumber number : entry.storages) {
      StorageReport storage;
      storage.number = number;
      storage.id = state.registry().FindStorage(number)->id;
      node.storages.push_back(std::move(storage));
    }
    blocks->LoadNode(node, entry.admin);
  });
  state.ForEachBlock([&](const BlockInfo& info, bool file_closed) {
    BlockChange change;
    change.kind = info.open     ? BlockChange::Kind::kOpened
                  : file_closed ? BlockChange::Kind::kFileClosed
                                : BlockChange::Kind::kFinished;
    change.block = info.block;
    change.inode = info.inode;
    change.replication = info.replication;
    change.block_size = info.block_size;
    change.pipeline.assign(info.pipeline.begin(), info.pipeline.end());
    blocks->LoadBlock(change);
  });
  blocks->SetIdLimits(state.next_block() - 1, state.next_generation() - 1);
}

}  // namespace cairn::namenode
