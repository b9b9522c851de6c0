// Block id -> the replica that this node has of it.
//
// Why: every read, write, report and command starts here, from many threads. The map is cut into
// shards with a mutex each, held for a look-up and never across I/O; a shard that grows moves only
// its own entries. Thread-safe. Used by the store alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "datanode/store/replica.h"

namespace cairn::datanode {

class Volume;

struct Replica {
  Block block;  // of an open replica the length is the most that it may get
  ReplicaState state = ReplicaState::kOpen;
  Volume* volume = nullptr;
  // Deleting: what it was, good or bad.
  ReplicaState state_before = ReplicaState::kFinalized;
  // Open: to be removed as soon as its writer notices.
  bool delete_requested = false;
  // Open: the bad replica that this copy takes the place of once it is whole.
  std::optional<Block> replaces;
  Volume* replaces_on = nullptr;
};

class ReplicaMap {
 public:
  using Shard = absl::flat_hash_map<BlockId, Replica>;

  // Runs f(Shard&) under the lock of the shard that `id` belongs to and returns its result.
  template <typename F>
  auto WithShard(BlockId id, F f) {
    LockedShard& shard = shards_[id % kShards];
    MutexLock lock(shard.mu);
    return f(shard.replicas);
  }
  // Runs f(const Replica&) for all replicas, a shard's lock at a time.
  template <typename F>
  void ForEach(F f) {
    for (LockedShard& shard : shards_) {
      MutexLock lock(shard.mu);
      for (const auto& [id, replica] : shard.replicas) f(replica);
    }
  }

 private:
  static constexpr size_t kShards = 64;
  struct LockedShard {
    Mutex mu;
    Shard replicas ABSL_GUARDED_BY(mu);
  };
  std::array<LockedShard, kShards> shards_;
};

}  // namespace cairn::datanode
