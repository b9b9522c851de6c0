// INodes and blocks as the journaled state keeps them.
//
// Both live in paged tables by id (common/paged_table.h) and never move, so a directory's children
// are keyed by views of the names inside the INodes. Plans read them through FsState; only Apply
// changes them. Fields named *_txid are not part of the state: they say which edit touched what, so
// that an answer can wait for it (P2), and are 0 after an image was loaded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

using PrincipalId = uint32_t;  // a user's or group's name, interned

// What a subtree holds, its root included.
struct Totals {
  uint64_t files = 0;
  uint64_t directories = 0;
  uint64_t length = 0;  // bytes of finished blocks, and of open ones what is known to be held
  uint64_t space = 0;   // bytes times replication

  friend bool operator==(const Totals&, const Totals&) = default;
};

// A file that is being written: its lease.
struct OpenState {
  ClientId holder{};          // kNameNodeHolder: its blocks are being recovered
  bool unpublished = false;   // goes when the lease ends
  uint32_t open_blocks = 0;   // follows from the blocks
  uint32_t min_replicas = 1;  // nodes that a block needs to be finished; 1 unless strong
  bool appended = false;      // had content before this writer came: never removed with it
};

struct FileBody {
  uint64_t block_size = 0;
  uint64_t length = 0;          // sum of its blocks' lengths
  std::vector<BlockId> blocks;  // in order; all but the last are block_size long when finished
  std::unique_ptr<OpenState> open;
  uint32_t replication = 0;
};

struct DirectoryBody {
  absl::btree_map<std::string_view, INodeId> children;  // by name, in byte order
  Totals totals;
  TxId children_txid = 0;  // the last change of the set of children, or of mtime by it
  TxId totals_txid = 0;    // the last change of the totals
};

struct INode {
  INodeId id = 0;
  INodeId parent = 0;  // 0: the root, or detached
  std::string name;    // empty for the root
  int64_t mtime_ms = 0;
  int64_t atime_ms = 0;
  PrincipalId owner = 0;
  PrincipalId group = 0;
  uint32_t mode = 0;
  TxId txid = 0;  // the last change of this INode itself
  std::variant<FileBody, std::unique_ptr<DirectoryBody>> body;

  bool is_directory() const { return body.index() == 1; }
  const FileBody& file() const { return std::get<0>(body); }
  FileBody& file() { return std::get<0>(body); }
  const DirectoryBody& dir() const { return *std::get<1>(body); }
  DirectoryBody& dir() { return *std::get<1>(body); }
};

struct OpenBlock {
  std::vector<NodeNumber> pipeline;
  GenerationStamp recovery = 0;  // of the newest block recovery; 0: none began
  bool cut = false;              // by a truncation: recovery must end at the length
  bool untouched = false;        // reopened by an append, and no DataNode may have changed it yet
};

struct BlockMeta {
  INodeId inode = 0;
  GenerationStamp generation = 0;
  uint64_t length = 0;              // while open: known to be held, or the target of a cut
  uint32_t index = 0;               // in the file
  std::unique_ptr<OpenBlock> open;  // null once finished
};

}  // namespace cairn::namenode
