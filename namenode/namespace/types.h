// The vocabulary of the journaled state: who asks, what files look like, what a plan may know from
// outside.
//
// This room is pure: no I/O, threads, clock, RPC or protocol buffers. Everything from outside comes
// in as arguments.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"

namespace cairn::namenode {

inline constexpr INodeId kRootINode = 1;
inline constexpr uint32_t kDefaultFileMode = 0644;
inline constexpr uint32_t kDefaultDirMode = 0755;

using ClientId = std::array<uint8_t, 16>;

// The NameNode itself as a lease holder: of files whose blocks are being recovered. No client may
// call itself this.
inline constexpr ClientId kNameNodeHolder = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                             0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

// What the records of the state can hold (inode.h). Plans refuse what is beyond, with a message
// (P7); Apply and the image's loader call it damage.
inline constexpr uint64_t kMaxId = (uint64_t{1} << 48) - 1;    // INodes, blocks, generation stamps
inline constexpr int64_t kMaxTimeMs = (int64_t{1} << 44) - 1;  // in the year 2527
inline constexpr uint32_t kMaxPrincipals = 1 << 20;            // names of users and groups
inline constexpr uint32_t kMaxMode = 01777;
inline constexpr uint32_t kMaxReplication = 1023;
inline constexpr uint32_t kMaxNameBytes = 255;  // NAME_MAX of every POSIX system
inline constexpr uint64_t kMaxBlockSize = uint64_t{1} << 40;
inline constexpr uint64_t kMaxBlocksPerFile = 1'000'000;

constexpr bool IsBlockSize(uint64_t bytes) {
  return bytes > 0 && bytes <= kMaxBlockSize && bytes % kChunkBytes == 0;
}

// Limits, each with a message of its own when passed (P7). Names and depth are bytes and
// components.
struct Limits {
  uint32_t max_name_bytes = kMaxNameBytes;
  uint32_t max_path_bytes = 8000;  // HDFS: MAX_PATH_LENGTH
  uint32_t max_path_depth = 1000;  // HDFS: MAX_PATH_DEPTH
  uint32_t max_replication = 512;  // HDFS: dfs.replication.max
  uint64_t min_block_size = 4096;  // one chunk; block sizes are its multiples
  uint64_t max_block_size = kMaxBlockSize;
  // HDFS: dfs.namenode.fs-limits.max-blocks-per-file, with the same default. What a change does to
  // every block of a file takes up to 0.9 us a block under the lock: this keeps it below 10 ms.
  uint64_t max_blocks_per_file = 10'000;
  uint32_t max_open_blocks = 4;  // of one file
  uint64_t max_dir_entries = 16'000'000;
  uint32_t max_principals = kMaxPrincipals;
};

struct Caller {
  std::string user;
  std::vector<std::string> groups;
  bool superuser = false;
};

// Names a mutating call for all time. `done_below`: the client has its answers to all calls below.
struct RetryKey {
  ClientId client{};
  uint64_t call_id = 0;
  uint64_t done_below = 0;
};

// What a plan may know that is not in the state.
struct Facts {
  int64_t now_ms = 0;  // wall time; becomes the edit's time
  Limits limits;
  uint32_t default_replication = 3;
  uint64_t default_block_size = 128ull << 20;
  uint32_t min_replicas = 2;
  std::string superuser_group = "supergroup";
  // Nodes chosen: for a new block; in addition to a pipeline's survivors (NewStamp); or those with
  // a good replica of `targets_block` (Append, Truncate).
  std::vector<NodeNumber> targets;
  // What ReadLastBlock answered when `targets` were looked up. Append and Truncate refuse when it
  // is not the block any more that they open: its nodes would be the wrong ones.
  Block targets_block;
};

enum class INodeType : uint8_t { kFile, kDirectory };

// What stat shows.
struct FileStatus {
  std::string name;  // last component; empty for the root
  INodeType type = INodeType::kFile;
  INodeId inode = 0;
  uint64_t length = 0;
  uint32_t replication = 0;
  uint64_t block_size = 0;
  std::string owner;
  std::string group;
  uint32_t mode = 0;
  int64_t mtime_ms = 0;
  int64_t atime_ms = 0;
  uint64_t blocks = 0;
  uint64_t children = 0;
  bool open = false;
};

struct FinishedBlock {
  Block block;
  std::vector<StorageNumber> storages;  // on which it is durable

  friend bool operator==(const FinishedBlock&, const FinishedBlock&) = default;
};

// A block that a writer may fill.
struct NewBlock {
  BlockId id = 0;
  GenerationStamp generation = 0;
  uint64_t offset = 0;  // in the file
  std::vector<NodeNumber> targets;

  friend bool operator==(const NewBlock&, const NewBlock&) = default;
};

// A block of a file, as readers and the block room need it.
struct BlockInfo {
  Block block;  // length: of an open block what is known to be held (0 of a new one)
  INodeId inode = 0;
  uint64_t offset = 0;
  uint32_t replication = 0;
  uint64_t block_size = 0;           // of its file: the most that an open block may grow to
  bool open = false;                 // not finished yet
  std::vector<NodeNumber> pipeline;  // of an open block, as what follows
  GenerationStamp recovery = 0;      // the stamp of its newest block recovery; 0: none began
  bool cut = false;                  // being truncated to block.length
};

}  // namespace cairn::namenode
