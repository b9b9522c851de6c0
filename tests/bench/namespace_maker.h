// Makes a NameNode's data directory with a namespace of any size.
//
// Why: a NameNode of ten million files is to be started and measured without having written them
// one by one. The image is built from its parts, as it is loaded; edits are planned, applied and
// journaled as the door does it. Not thread-safe; run in a process of its own where the memory is
// to be free again.
#pragma once

#include <cstdint>
#include <string>

#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::bench {

struct NamespaceShape {
  uint64_t files = 0;  // in the image: one finished block each, three replicas
  uint64_t edits = 0;  // after it: creates and completes of empty files, and a few mkdirs
  uint32_t nodes = 3;  // DataNodes that hold the blocks, at least three; one storage each
  std::string cluster_id;

  static constexpr uint64_t kFilesPerDirectory = 1000;
  static constexpr uint64_t kBlockBytes = 1 << 20;

  // Path of a file of the image, with a name of 20 characters.
  static std::string FilePath(uint64_t file);
  // Nodes and storages are 1 .. nodes, and have the same number.
  static std::string NodeId(uint32_t node);
  static std::string StorageId(uint32_t node);
};

// The blocks of one node, in an order without locality, as DataNodes report them. Block b
// (1 .. files) has generation b and is on nodes 1 + (b + 0, 1, 2) modulo nodes.
class NodeBlocks {
 public:
  NodeBlocks(const NamespaceShape& shape, uint32_t node);
  uint64_t size() const { return size_; }
  BlockId at(uint64_t n) const;

 private:
  struct Run {  // blocks first, first + nodes, ...
    BlockId first = 0;
    uint64_t count = 0;
  };
  const uint32_t nodes_;
  Run runs_[3];
  uint64_t size_ = 0;
  uint64_t step_ = 1;
};

// Formats `dir`, which must be empty, and writes VERSION, the image of txid 0, and the journal.
absl::Status MakeNamespace(const NamespaceShape& shape, Env* env, const std::string& dir);

}  // namespace cairn::bench
