// Which replicas the blocks of an open file have, and which of them have failed.
//
// Nodes that failed are left out for the life of the file's streams, and replicas that failed their
// checksums too, until the block is forgotten: then its locations are asked for again, and all get
// another chance. Thread-safe; shared by a stream, its clones, and the threads that read from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/open_file.h"
#include "client/types.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "proto/namenode.pb.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

class BlockLocations {
 public:
  // The core must outlive it.
  BlockLocations(ClientCore* core, std::string path, const ReadableFile& file);
  BlockLocations(const BlockLocations&) = delete;
  BlockLocations& operator=(const BlockLocations&) = delete;

  const FileStatus& status() const { return status_; }
  uint64_t length() const { return length_; }  // what may be read

  // The block that holds the byte at `offset`, below length(). Asks the NameNode if need be.
  absl::StatusOr<v1::LocatedBlock> Locate(uint64_t offset) ABSL_LOCKS_EXCLUDED(mu_);
  // The live nodes whose replicas have not failed, nearest first, but slow ones last. With a
  // `turn`, those in the first one's rack are rotated by it: readers of several parts of the same
  // block then begin at different nodes.
  std::vector<v1::NodeAddress> Candidates(const v1::LocatedBlock& block, size_t turn)
      ABSL_LOCKS_EXCLUDED(mu_);
  // `node` could not be read from: its replica of `block` is left out, or the node is.
  void Failed(const v1::LocatedBlock& block, NodeNumber node, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Forgets where the block is, and the failures of its nodes.
  void Forget(const v1::LocatedBlock& block) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::StatusOr<v1::LocatedBlock> Fetch(uint64_t offset) ABSL_LOCKS_EXCLUDED(mu_);
  void Take(const v1::GetBlockLocationsReply& located) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<v1::LocatedBlock> Known(uint64_t offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  ClientCore* const core_;
  const std::string path_;
  const FileStatus status_;
  const uint64_t length_;

  Mutex mu_;
  std::map<uint64_t, v1::LocatedBlock> blocks_ ABSL_GUARDED_BY(mu_);  // by offset in the file
  std::set<NodeNumber> bad_nodes_ ABSL_GUARDED_BY(mu_);
  std::set<std::pair<BlockId, NodeNumber>> bad_replicas_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
