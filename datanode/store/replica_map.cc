#include "datanode/store/replica_map.h"

#include <fmt/format.h>

#include <chrono>

namespace cairn::datanode {
namespace {

// A disk that takes longer than this for one operation is as good as hanging.
constexpr std::chrono::milliseconds kPatience(10'000);

}  // namespace

ReplicaClaim::~ReplicaClaim() {
  if (map_ != nullptr) End([](Replica&) {});
}

void ReplicaClaim::End(const std::function<void(Replica&)>& change) {
  ReplicaMap* const map = std::exchange(map_, nullptr);
  const BlockId id = replica_.block.id;
  map->WithShard(id, [&](ReplicaMap::Shard& shard) {
    Replica& entry = shard.at(id);
    const GenerationStamp before = entry.block.generation;
    entry.busy = false;
    change(entry);
    SettleDeletion(before, &entry);
  });
  map->Wake(id);
}

void ReplicaClaim::EndRemoved(const std::function<void(const Replica&)>& change) {
  ReplicaMap* const map = std::exchange(map_, nullptr);
  const BlockId id = replica_.block.id;
  map->WithShard(id, [&](ReplicaMap::Shard& shard) {
    change(shard.at(id));
    shard.erase(id);
  });
  map->Wake(id);
}

void SettleDeletion(GenerationStamp before, Replica* replica) {
  if (replica->block.generation != before) replica->delete_requested = false;
  if (!replica->delete_requested || replica->owned()) return;
  replica->delete_requested = false;
  if (replica->state == ReplicaState::kFinalized) replica->volume->AddFinalized(-1);
  replica->state_before = replica->state;
  replica->state = ReplicaState::kDeleting;
}

absl::Status NotHere(const Block& block) {
  return absl::NotFoundError(
      fmt::format("no replica of block {} with generation {} here", block.id, block.generation));
}

Replica* FindExact(ReplicaMap::Shard& shard, const Block& block) {
  const auto it = shard.find(block.id);
  if (it == shard.end() || it->second.block.generation != block.generation) return nullptr;
  return &it->second;
}

absl::StatusOr<ReplicaClaim> ReplicaMap::Claim(BlockId id,
                                               const std::function<absl::Status(Replica&)>& check) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  LockedShard& shard = shards_[id % kShards];
  MutexLock lock(shard.mu);
  while (true) {
    const auto it = shard.replicas.find(id);
    if (it == shard.replicas.end()) {
      return absl::NotFoundError(fmt::format("no replica of block {} here", id));
    }
    Replica& replica = it->second;
    if (!replica.busy) {
      RETURN_IF_ERROR(check(replica));
      replica.busy = true;
      return ReplicaClaim(this, replica);
    }
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) {
      return absl::UnavailableError(
          fmt::format("the replica of block {} here is busy; try again", id));
    }
    shard.changed.WaitFor(shard.mu, left);
  }
}

absl::StatusOr<ReplicaClaim> ReplicaMap::TryClaim(
    BlockId id, const std::function<absl::Status(Replica&)>& check) {
  return WithShard(id, [&](Shard& shard) -> absl::StatusOr<ReplicaClaim> {
    const auto it = shard.find(id);
    if (it == shard.end()) {
      return absl::NotFoundError(fmt::format("no replica of block {} here", id));
    }
    Replica& replica = it->second;
    if (replica.owned()) {
      return absl::UnavailableError(fmt::format("the replica of block {} here is busy", id));
    }
    RETURN_IF_ERROR(check(replica));
    replica.busy = true;
    return ReplicaClaim(this, replica);
  });
}

bool ReplicaMap::WaitUntil(BlockId id, int64_t timeout_ms,
                           const std::function<bool(const Replica*)>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  LockedShard& shard = shards_[id % kShards];
  MutexLock lock(shard.mu);
  while (true) {
    const auto it = shard.replicas.find(id);
    if (done(it == shard.replicas.end() ? nullptr : &it->second)) return true;
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) return false;
    shard.changed.WaitFor(shard.mu, left);
  }
}

bool ReplicaMap::WaitUntilSettled(BlockId id) {
  return WaitUntil(id, kPatience.count(),
                   [](const Replica* replica) { return replica == nullptr || !replica->busy; });
}

}  // namespace cairn::datanode
