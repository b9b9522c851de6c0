// Block id -> the replica that this node has of it.
//
// Why: every read, write, report and command starts here, from many threads. The map is cut into
// shards with a mutex each, held for a look-up and never across I/O; a shard that grows moves only
// its own entries. What changes a replica's files must own it instead: as its writer, or by a claim
// that others wait for. Thread-safe. Used by the store alone.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "datanode/store/open_replica.h"
#include "datanode/store/replica.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {

struct Replica {
  Block block;  // of an open replica with a writer the length is the most that it may get
  ReplicaState state = ReplicaState::kOpen;
  Place place = Place::kRbw;
  Volume* volume = nullptr;
  // Open, or finalized and to be synced: how far it is. Null else.
  std::shared_ptr<OpenReplica> open;
  // Who owns its files: a writer, from its creation to its end, or an operation that has claimed
  // the replica. A writer that makes, moves or removes files is busy as well. Entries that are
  // owned stay.
  bool writer = false;
  bool busy = false;
  bool restarted = false;  // open: found by a start, and not reopened since
  // The use of the small-replica log's segment that has a record of it, perhaps of an earlier
  // generation; 0: none.
  uint64_t log_sequence = 0;
  bool logged = false;  // finalized: by that record, as it is
  // To be removed as soon as its owner has noticed.
  bool delete_requested = false;
  ReplicaState state_before = ReplicaState::kFinalized;  // deleting: what it was
  GenerationStamp recovery = 0;  // of the last block recovery that was started
  // Open: what this one takes the place of once it is whole.
  std::shared_ptr<const Replica> replaces;

  uint64_t length() const { return open != nullptr ? open->written().length : block.length; }
  // Finalized: whether a power cut leaves it, by its files or by the log.
  bool durable() const { return place != Place::kUnsynced || logged; }
  bool owned() const { return writer || busy; }
};

class ReplicaMap;

// The right to change the files of one replica, until End or destruction. Of one thread.
class ReplicaClaim {
 public:
  ReplicaClaim(ReplicaMap* map, Replica replica) : map_(map), replica_(std::move(replica)) {}
  ReplicaClaim(ReplicaClaim&& other) noexcept
      : map_(std::exchange(other.map_, nullptr)), replica_(std::move(other.replica_)) {}
  ~ReplicaClaim();

  bool active() const { return map_ != nullptr; }
  // As it was when it was claimed; its owner may keep it up to date.
  Replica& replica() { return replica_; }
  // `change` is run on the entry under its lock. A deletion that was ordered meanwhile is marked,
  // unless the replica has another generation now: then it was not meant.
  void End(const std::function<void(Replica&)>& change);
  // The same for a replica that is no more.
  void EndRemoved(const std::function<void(const Replica&)>& change);

 private:
  ReplicaMap* map_;
  Replica replica_;
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

  // Removes what f(Replica&) returns true for, a shard's lock at a time.
  template <typename F>
  void EraseIf(F f) {
    for (LockedShard& shard : shards_) {
      {
        MutexLock lock(shard.mu);
        absl::erase_if(shard.replicas, [&](auto& entry) { return f(entry.second); });
      }
      shard.changed.SignalAll();
    }
  }

  // Claims the replica of a block, once nobody else does. `check` sees it under the lock; an error
  // is returned. NOT_FOUND without one, UNAVAILABLE when that takes too long.
  absl::StatusOr<ReplicaClaim> Claim(BlockId id,
                                     const std::function<absl::Status(Replica&)>& check);
  // The same without waiting: UNAVAILABLE when somebody else has it.
  absl::StatusOr<ReplicaClaim> TryClaim(BlockId id,
                                        const std::function<absl::Status(Replica&)>& check);
  // Until done(entry or null) holds; false when `timeout_ms` have passed.
  bool WaitUntil(BlockId id, int64_t timeout_ms, const std::function<bool(const Replica*)>& done);
  // Until nobody is changing the names of its files.
  bool WaitUntilSettled(BlockId id);
  // To be called after a change that somebody may wait for.
  void Wake(BlockId id) { shards_[id % kShards].changed.SignalAll(); }

 private:
  static constexpr size_t kShards = 64;
  struct LockedShard {
    Mutex mu;
    CondVar changed;
    Shard replicas ABSL_GUARDED_BY(mu);
  };
  std::array<LockedShard, kShards> shards_;
};

absl::Status NotHere(const Block& block);
// The replica of this very generation, or null.
Replica* FindExact(ReplicaMap::Shard& shard, const Block& block);

// What is owed to a deletion that was ordered while the replica was owned: marks it, or forgets the
// order when the generation has changed since `before`. Under the entry's lock.
void SettleDeletion(GenerationStamp before, Replica* replica);

}  // namespace cairn::datanode
