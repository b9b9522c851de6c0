// What the client library answers with: plain structs, without protobuf or gRPC types.
//
// Sizes are in bytes, times in ms since the epoch. Thread-safe: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/ids.h"

namespace cairn {

enum class FileType { kFile, kDirectory };

struct FileStatus {
  std::string name;  // in listings the last component of the path; else empty
  FileType type = FileType::kFile;
  uint64_t length = 0;
  uint32_t replication = 0;  // 0 for directories
  uint64_t block_size = 0;   // 0 for directories
  std::string owner;
  std::string group;
  uint32_t mode = 0;  // permission bits, sticky included
  int64_t mtime_ms = 0;
  int64_t atime_ms = 0;
  INodeId inode = 0;
  uint64_t blocks = 0;    // of a file
  uint64_t children = 0;  // of a directory
  bool open = false;      // being written

  bool is_directory() const { return type == FileType::kDirectory; }
};

// A DataNode, and how to reach it. Addresses are tried in order.
struct NodeAddress {
  NodeNumber number = 0;
  std::string id;                      // its UUID
  std::vector<std::string> addresses;  // host:port of the data service
  std::string http_address;
  std::string rack;
};

struct LocatedBlock {
  Block block;
  uint64_t offset = 0;             // of its first byte in the file
  std::vector<NodeAddress> nodes;  // good live replicas, nearest first
  bool open = false;               // still being written
  bool corrupt = false;            // no good replica is known, but at least one bad one
};

struct ContentSummary {
  uint64_t files = 0;
  uint64_t directories = 0;  // the path itself included
  uint64_t length = 0;       // of file content
  uint64_t space = 0;        // bytes times replication
  uint64_t promised = 0;     // by how much `space` may still grow through blocks being written
  // Of a directory; nullopt: none.
  std::optional<uint64_t> name_quota;
  std::optional<uint64_t> space_quota;

  // What counts against the quotas.
  uint64_t names_used() const { return files + directories; }
  uint64_t space_used() const { return space + promised; }
};

// Limits to set on a directory. Unset: left as it is; set to nullopt: none.
struct QuotaChange {
  std::optional<std::optional<uint64_t>> names;  // files and directories below, itself included
  std::optional<std::optional<uint64_t>> space;  // bytes times replication
};

// The CRC32C of a file's bytes, however they are cut into blocks (HDFS's COMPOSITE-CRC32C).
struct FileChecksum {
  uint32_t crc32c = 0;
  uint64_t length = 0;  // bytes under it
};

// Of all reads of a client so far. A read is a range of a block that a DataNode is asked for: a
// positional read is one or two, a sequential one a few for each block.
struct ReadStatistics {
  uint64_t reads = 0;
  uint64_t hedged = 0;           // another replica was asked, because the first one was late
  uint64_t hedge_won = 0;        // and answered first
  uint64_t failures = 0;         // replicas that could not be read, and were left for another
  uint64_t local_bytes = 0;      // that came out of replicas' files on this host
  uint64_t remote_bytes = 0;     // over TCP
  uint64_t local_opens = 0;      // replicas whose files it was given
  uint64_t local_fallbacks = 0;  // of these, went on over TCP, because something was wrong
};

struct ServerDefaults {
  std::string cluster;     // its name
  std::string cluster_id;  // its UUID
  uint32_t replication = 0;
  uint64_t block_size = 0;
  uint32_t min_replicas = 0;
  uint32_t umask = 0;
  std::string version;
  int64_t lease_soft_limit_ms = 0;
  int64_t trash_interval_ms = 0;  // what is in the trash is kept so long; 0: there is no trash
};

}  // namespace cairn
