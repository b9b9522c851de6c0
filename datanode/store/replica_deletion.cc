// Deletions: ordered by the NameNode, marked at once, done when their turn comes.
#include <utility>

#include "datanode/store/replica_map.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {

absl::Status ReplicaStore::Delete(const Block& block) {
  RETURN_IF_ERROR(CheckReady());
  return MarkOne(block) ? RemoveMarked(block) : NotHere(block);
}

std::vector<Block> ReplicaStore::MarkDeleting(const std::vector<Block>& blocks) {
  std::vector<Block> marked;
  for (const Block& block : blocks) {
    if (MarkOne(block)) marked.push_back(block);
  }
  return marked;
}

// Returns whether there was something to mark.
bool ReplicaStore::MarkOne(const Block& block) {
  return replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    Replica* replica = FindExact(shard, block);
    if (replica == nullptr || replica->delete_requested) return false;
    if (replica->state == ReplicaState::kDeleting) return false;
    replica->delete_requested = true;  // its owner will notice
    SettleDeletion(block.generation, replica);
    return true;
  });
}

void ReplicaStore::UnmarkDeleting(const std::vector<Block>& blocks) {
  for (const Block& block : blocks) {
    const bool unsynced = replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
      Replica* replica = FindExact(shard, block);
      if (replica == nullptr) return false;
      replica->delete_requested = false;
      if (replica->state != ReplicaState::kDeleting || replica->busy) return false;
      return TakeBack(replica);
    });
    if (unsynced) AddPending(block);
  }
}

// The marked replica is what it was. Returns whether it is to be synced.
bool ReplicaStore::TakeBack(Replica* replica) {
  replica->state = replica->state_before;
  if (replica->state == ReplicaState::kOpen) {
    Notify(&ReplicaObserver::OnWaiting, *replica->volume, replica->block);
  }
  if (replica->state != ReplicaState::kFinalized) return false;
  replica->volume->AddFinalized(1);
  if (!replica->durable()) return true;
  Notify(&ReplicaObserver::OnReceived, *replica->volume, replica->block);
  return false;
}

absl::Status ReplicaStore::RemoveMarked(const Block& block) {
  Replica marked_one;
  const bool by_writer = replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    const Replica* replica = FindExact(shard, block);
    if (replica != nullptr) marked_one = *replica;
    return replica != nullptr && replica->writer && replica->delete_requested;
  });
  if (by_writer) return absl::OkStatus();
  const absl::Status forgotten = ForgetRecord(marked_one);
  ASSIGN_OR_RETURN(ReplicaClaim claim, replicas_->Claim(block.id, [&](const Replica& replica) {
    const bool marked =
        replica.state == ReplicaState::kDeleting && replica.block.generation == block.generation;
    return marked ? absl::OkStatus() : NotHere(block);
  }));
  const Replica& replica = claim.replica();
  Volume& volume = *replica.volume;
  const absl::Status removed =
      forgotten.ok() ? volume.NoteWriteFailure(volume.Remove(replica.place, replica.block))
                     : forgotten;
  if (!removed.ok() && !volume.failed()) {
    bool unsynced = false;
    claim.End([&](Replica& entry) { unsynced = TakeBack(&entry); });
    if (unsynced) AddPending(block);
    return removed;
  }
  claim.EndRemoved([&](const Replica& entry) {
    volume.SubtractUsed(entry.length());
    Notify(&ReplicaObserver::OnDeleted, volume, entry.block);
  });
  return removed;
}

bool ReplicaStore::IsDeleting(const Block& block) {
  return replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    const Replica* replica = FindExact(shard, block);
    return replica != nullptr &&
           (replica->state == ReplicaState::kDeleting || replica->delete_requested);
  });
}

}  // namespace cairn::datanode
