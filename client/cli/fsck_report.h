// What fsck finds, and how it is told.
//
// Pure, not thread-safe. Used by fsck.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/types.h"

namespace cairn::cli {

// Ordered by how bad it is.
enum class BlockState { kGood, kOverReplicated, kUnderReplicated, kCorrupt, kMissing };
std::string_view NameOf(BlockState state);  // "under_replicated"

// A block of a closed file against the file's replication: missing without any replica, corrupt
// with bad ones alone.
BlockState StateOf(const LocatedBlock& block, uint32_t replication);

struct FsckProblem {
  std::string path;
  BlockId block_id = 0;
  BlockState state = BlockState::kGood;
  uint32_t current_replicas = 0;
  uint32_t target_replicas = 0;
};

struct FsckReport {
  std::string path;
  uint64_t directories = 0;
  uint64_t files = 0;
  uint64_t open_files = 0;  // being written: their last blocks are not judged
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  uint64_t under_replicated = 0;
  uint64_t over_replicated = 0;
  uint64_t corrupt = 0;
  uint64_t missing = 0;

  bool healthy() const { return corrupt == 0 && missing == 0; }
  // Counts the blocks of a file; returns those that are not good.
  std::vector<FsckProblem> Add(std::string_view file, const FileStatus& status,
                               const std::vector<LocatedBlock>& located);

  // "healthy: 3 files, ..." with a line for each count that is not 0.
  std::string Text() const;
  // {"path","healthy","directories","files","open_files","bytes","blocks",
  // "under_replicated_blocks","over_replicated_blocks","corrupt_blocks","missing_blocks",
  // "problems":[{"path","block_id","state","current_replicas","target_replicas"}]}
  std::string Json(const std::vector<FsckProblem>& problems) const;
};

// "/a/b: block 17: 1 of 3 copies".
std::string FsckLine(const FsckProblem& problem);

}  // namespace cairn::cli
