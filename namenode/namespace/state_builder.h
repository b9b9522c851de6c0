// Builds an FsState from its parts, as an image holds them: the one way besides Apply.
//
// Parts may refer to each other in any order within their kind; blocks come by rising id. Finish
// links the tree, counts its totals and checks that everything fits; comparing the digest is the
// caller's. Not thread-safe; used by codec/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "namenode/namespace/fs_state.h"

namespace cairn::namenode {

// An INode without what follows from others (children, blocks, totals).
struct INodeRecord {
  INodeId id = 0;
  INodeId parent = 0;
  std::string name;
  INodeType type = INodeType::kFile;
  int64_t mtime_ms = 0;
  int64_t atime_ms = 0;
  std::string owner;
  std::string group;
  uint32_t mode = 0;
  uint64_t block_size = 0;  // of a file, as what follows
  uint32_t replication = 0;
  std::optional<OpenState> open;
  Quota quota;  // of a directory
};

struct BlockRecord {
  BlockId id = 0;
  INodeId inode = 0;
  GenerationStamp generation = 0;
  uint64_t length = 0;
  uint32_t index = 0;
  std::optional<OpenBlock> open;
};

// The same parts of a state, to write them down.
INodeRecord RecordOf(const FsState& state, const INode& inode);
BlockRecord RecordOf(const FsState& state, BlockId id, const BlockMeta& meta);

class StateBuilder {
 public:
  // Each DATA_LOSS when the part cannot be. Principals, if given, keep their places.
  absl::Status AddPrincipal(std::string_view name);
  absl::Status AddINode(INodeRecord record);
  // By id. Where files were joined, a file's blocks do not come in the order of the file.
  absl::Status AddBlock(BlockRecord record);
  absl::Status AddDetached(uint64_t place, INodeId root);
  absl::Status AddNode(const NodeEntry& node, const std::vector<RegisteredStorage>& storages);
  absl::Status AddRetryWindow(const ClientId& client, RetryCache::Window window);

  // Ends the building; the builder is empty afterwards.
  absl::StatusOr<FsState> Finish(TxId applied_txid, const Counters& counters, NodeNumber next_node,
                                 StorageNumber next_storage);

 private:
  // The next block of its file.
  absl::Status Append(INode& inode, BlockId id, const BlockMeta& meta);
  absl::Status CheckINode(const INodeRecord& record) const;
  PrincipalId Intern(const std::string& name, std::pair<std::string, PrincipalId>& last);
  // Fills in children, and totals of what lies directly in each directory.
  absl::Status LinkTree();
  // Adds up the totals of directories, the deepest first.
  absl::Status AddUpTotals(const std::vector<INode*>& directories);
  absl::Status CheckCounters(const Counters& counters) const;

  FsState state_;
  // Blocks that wait for those before them in their files, by file and index.
  std::map<std::pair<INodeId, uint32_t>, BlockId> early_;
  BlockId last_block_ = 0;
  INodeId last_inode_ = 0;
  // Of the last INode: mostly those of the next one too.
  std::pair<std::string, PrincipalId> owner_;
  std::pair<std::string, PrincipalId> group_;
};

}  // namespace cairn::namenode
