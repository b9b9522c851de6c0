#include "datanode/store/replica_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/data_dir.h"
#include "common/logging.h"
#include "common/units.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

absl::Status NotHere(const Block& block) {
  return absl::NotFoundError(
      fmt::format("no replica of block {} with generation {} here", block.id, block.generation));
}

// The replica of this very generation, or null.
Replica* FindExact(ReplicaMap::Shard& shard, const Block& block) {
  const auto it = shard.find(block.id);
  if (it == shard.end() || it->second.block.generation != block.generation) return nullptr;
  return &it->second;
}

}  // namespace

absl::Status ReplicaStore::CheckReady() const {
  if (ready_.load()) return absl::OkStatus();
  return absl::UnavailableError("this DataNode has not joined its cluster yet");
}

absl::StatusOr<std::unique_ptr<ReplicaWriter>> ReplicaStore::Create(const Block& block) {
  RETURN_IF_ERROR(CheckReady());
  Volume* volume = nullptr;
  ASSIGN_OR_RETURN(auto promise, ChooseVolume(block.length, &volume));
  RETURN_IF_ERROR(Enter(block, volume));
  auto writer = std::make_unique<ReplicaWriter>(this, env_, volume, block, std::move(promise));
  RETURN_IF_ERROR(writer->Open());
  return writer;
}

// The volume with the most room; those within 10% of it take turns, so that equal disks share the
// load.
absl::StatusOr<std::unique_ptr<SpacePromise>> ReplicaStore::ChooseVolume(uint64_t bytes,
                                                                         Volume** chosen) {
  std::vector<std::pair<uint64_t, Volume*>> by_room;
  for (const auto& volume : volumes_) {
    const VolumeInfo info = volume->Info();
    if (!info.failed) by_room.emplace_back(info.remaining_bytes, volume.get());
  }
  if (by_room.empty()) return absl::InternalError("all data directories of this node failed");
  std::stable_sort(by_room.begin(), by_room.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  const uint64_t most = by_room.front().first;
  size_t equals = 0;
  while (equals < by_room.size() && by_room[equals].first >= most - most / 10) ++equals;
  std::sort(by_room.begin(), by_room.begin() + static_cast<ptrdiff_t>(equals),
            [](const auto& a, const auto& b) { return a.second->index() < b.second->index(); });
  const auto turn = static_cast<ptrdiff_t>(next_volume_.fetch_add(1) % equals);
  std::rotate(by_room.begin(), by_room.begin() + turn,
              by_room.begin() + static_cast<ptrdiff_t>(equals));
  for (const auto& [room, volume] : by_room) {
    if (auto promise = volume->Promise(bytes)) {
      *chosen = volume;
      return promise;
    }
  }
  return WithKind(absl::ResourceExhaustedError(fmt::format(
                      "No space left on device: {} needed, {} remain on the emptiest of {} disks",
                      FormatSize(bytes), FormatSize(most), by_room.size())),
                  ErrorKind::kNoSpace);
}

absl::Status ReplicaStore::Enter(const Block& block, Volume* volume) {
  return replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) -> absl::Status {
    Replica& replica = shard[block.id];
    const bool settled =
        replica.state == ReplicaState::kFinalized || replica.state == ReplicaState::kBad;
    // What a failed disk holds is lost; who still writes or removes there will notice first.
    const bool lost = replica.volume != nullptr && settled && replica.volume->failed();
    if (replica.volume != nullptr && !lost && replica.state != ReplicaState::kBad) {
      return absl::AlreadyExistsError(
          fmt::format("this node has a replica of block {} (generation {}) already", block.id,
                      replica.block.generation));
    }
    Replica fresh{.block = block, .state = ReplicaState::kOpen, .volume = volume};
    if (replica.volume != nullptr && !lost) {
      fresh.replaces = replica.block;
      fresh.replaces_on = replica.volume;
    }
    replica = fresh;
    return absl::OkStatus();
  });
}

absl::StatusOr<std::unique_ptr<ReplicaReader>> ReplicaStore::OpenReader(const Block& block) {
  RETURN_IF_ERROR(CheckReady());
  Block found;
  Volume* volume = nullptr;
  RETURN_IF_ERROR(replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) -> absl::Status {
    const Replica* replica = FindExact(shard, block);
    if (replica != nullptr && replica->state == ReplicaState::kBad) {
      return WithKind(
          absl::DataLossError(fmt::format("the replica of block {} here is bad", block.id)),
          ErrorKind::kChecksum);
    }
    if (replica == nullptr || replica->state != ReplicaState::kFinalized ||
        replica->block.length < block.length) {
      return NotHere(block);
    }
    found = replica->block;
    volume = replica->volume;
    return absl::OkStatus();
  }));
  if (volume->failed()) {
    return absl::UnavailableError(fmt::format("the disk of block {} failed", block.id));
  }
  return ReplicaReader::Open(env_, volume->FinalizedData(found.id),
                             volume->FinalizedChecksums(found), found);
}

absl::StatusOr<bool> ReplicaStore::Verify(const Block& block) {
  const absl::Status status = CheckAllChunks(block);
  if (status.ok()) return true;
  const bool here = replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    const Replica* replica = FindExact(shard, block);
    return replica != nullptr &&
           (replica->state == ReplicaState::kBad || replica->state == ReplicaState::kFinalized);
  });
  if (!here) return NotHere(block);
  // Not the replica's fault.
  if (absl::IsUnavailable(status) || absl::IsResourceExhausted(status)) return status;
  MarkBad(block, status);
  return false;
}

absl::Status ReplicaStore::CheckAllChunks(const Block& block) {
  constexpr size_t kPieceBytes = 1 << 20;
  ASSIGN_OR_RETURN(const auto reader, OpenReader({block.id, block.generation, 0}));
  std::vector<char> buffer(
      std::min<uint64_t>(kPieceBytes, (reader->block().length / kChunkBytes + 1) * kChunkBytes));
  std::vector<uint32_t> crcs;
  for (uint64_t offset = 0; offset < reader->block().length;) {
    ASSIGN_OR_RETURN(const size_t n, reader->Read(offset, buffer, /*verify=*/true, &crcs));
    offset += n;
  }
  return absl::OkStatus();
}

// On disk first: a mark that only memory has would be forgotten.
void ReplicaStore::MarkBad(const Block& block, const absl::Status& why) {
  Volume* const volume = replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) -> Volume* {
    const Replica* replica = FindExact(shard, block);
    const bool good = replica != nullptr && replica->state == ReplicaState::kFinalized;
    return good ? replica->volume : nullptr;
  });
  if (volume == nullptr) return;
  absl::Status marked =
      env_->Rename(volume->FinalizedChecksums(block), volume->BadChecksums(block));
  if (marked.ok()) marked = env_->SyncDir(volume->FinalizedDir(block.id));
  if (!absl::IsNotFound(marked)) marked = volume->NoteWriteFailure(marked);
  LogError("block {} (generation {}) in {} is bad and will not be served: {}", block.id,
           block.generation, volume->path(), MessageOf(why));
  replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    Replica* replica = FindExact(shard, block);
    if (replica == nullptr || replica->state != ReplicaState::kFinalized) return;
    if (replica->volume != volume) return;  // the disk failed, and there is a new copy already
    replica->state = ReplicaState::kBad;
    volume->AddFinalized(-1);
    Notify(&ReplicaObserver::OnBad, *volume, replica->block);
  });
}

// --- deletion ----------------------------------------------------------------------------------

absl::Status ReplicaStore::Delete(const Block& block) {
  RETURN_IF_ERROR(CheckReady());
  return MarkOne(block) ? RemoveMarked(block) : NotHere(block);
}

std::vector<Block> ReplicaStore::MarkDeleting(const std::vector<Block>& blocks) {
  std::vector<Block> marked;
  if (!ready_.load()) return marked;
  for (const Block& block : blocks) {
    if (MarkOne(block)) marked.push_back(block);
  }
  return marked;
}

// Returns whether there was something to mark.
bool ReplicaStore::MarkOne(const Block& block) {
  return replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    Replica* replica = FindExact(shard, block);
    if (replica == nullptr || replica->state == ReplicaState::kDeleting) return false;
    if (replica->state == ReplicaState::kOpen) {
      replica->delete_requested = true;
      return true;
    }
    if (replica->state == ReplicaState::kFinalized) replica->volume->AddFinalized(-1);
    replica->state_before = replica->state;
    replica->state = ReplicaState::kDeleting;
    return true;
  });
}

void ReplicaStore::UnmarkDeleting(const std::vector<Block>& blocks) {
  for (const Block& block : blocks) {
    replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
      Replica* replica = FindExact(shard, block);
      if (replica == nullptr) return;
      replica->delete_requested = false;
      if (replica->state != ReplicaState::kDeleting) return;
      replica->state = replica->state_before;
      if (replica->state != ReplicaState::kFinalized) return;
      replica->volume->AddFinalized(1);
      Notify(&ReplicaObserver::OnReceived, *replica->volume, replica->block);
    });
  }
}

absl::Status ReplicaStore::RemoveMarked(const Block& block) {
  Volume* volume = nullptr;
  Block exact;
  RETURN_IF_ERROR(replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) -> absl::Status {
    const Replica* replica = FindExact(shard, block);
    if (replica != nullptr && replica->delete_requested) return absl::OkStatus();
    if (replica == nullptr || replica->state != ReplicaState::kDeleting) return NotHere(block);
    volume = replica->volume;
    exact = replica->block;
    return absl::OkStatus();
  }));
  if (volume == nullptr) return absl::OkStatus();  // its writer does it
  const absl::Status removed = volume->NoteWriteFailure(volume->RemoveFinalized(exact));
  replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    shard.erase(block.id);
    volume->SubtractUsed(exact.length);
    Notify(&ReplicaObserver::OnDeleted, *volume, exact);
  });
  return removed;
}

bool ReplicaStore::IsDeleting(const Block& block) {
  return replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    const Replica* replica = FindExact(shard, block);
    return replica != nullptr && replica->state == ReplicaState::kDeleting;
  });
}

bool ReplicaStore::IsDeleteRequested(const Block& block) {
  return replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    const Replica* replica = FindExact(shard, block);
    return replica != nullptr && replica->delete_requested;
  });
}

absl::Status ReplicaStore::RemoveReplaced(const Block& block) {
  Block old;
  Volume* volume = nullptr;
  replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    const Replica* replica = FindExact(shard, block);
    if (replica == nullptr || !replica->replaces) return;
    old = *replica->replaces;
    volume = replica->replaces_on;
  });
  if (volume == nullptr || volume->failed()) return absl::OkStatus();
  RETURN_IF_ERROR(volume->NoteWriteFailure(volume->RemoveFinalized(old)));
  replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    FindExact(shard, block)->replaces.reset();
    volume->SubtractUsed(old.length);
    Notify(&ReplicaObserver::OnDeleted, *volume, old);
  });
  return absl::OkStatus();
}

absl::Status ReplicaStore::FinishFinalize(const Block& block) {
  return replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) -> absl::Status {
    Replica* replica = FindExact(shard, block);
    if (replica->delete_requested) {
      return absl::AbortedError(fmt::format("block {} was deleted while being written", block.id));
    }
    replica->state = ReplicaState::kFinalized;
    replica->block = block;
    NoteSeen(block);
    replica->volume->AddUsed(block.length);
    replica->volume->AddFinalized(1);
    Notify(&ReplicaObserver::OnReceived, *replica->volume, block);
    return absl::OkStatus();
  });
}

void ReplicaStore::FinishAbort(const Block& block) {
  replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    Replica* replica = FindExact(shard, block);
    if (replica->delete_requested) Notify(&ReplicaObserver::OnDeleted, *replica->volume, block);
    if (!replica->replaces) {
      shard.erase(block.id);
      return;
    }
    *replica = Replica{
        .block = *replica->replaces, .state = ReplicaState::kBad, .volume = replica->replaces_on};
  });
}

std::vector<VolumeInfo> ReplicaStore::Volumes() {
  std::vector<VolumeInfo> infos;
  infos.reserve(volumes_.size());
  for (const auto& volume : volumes_) infos.push_back(volume->Info());
  return infos;
}

std::vector<ReplicaInfo> ReplicaStore::Replicas(size_t volume) {
  std::vector<ReplicaInfo> found;
  replicas_->ForEach([&](const Replica& replica) {
    const bool reported =
        replica.state == ReplicaState::kFinalized || replica.state == ReplicaState::kOpen;
    if (!reported || replica.delete_requested) return;
    if (replica.volume->index() != volume || replica.volume->failed()) return;
    found.push_back({.block = replica.block, .volume = volume, .state = replica.state});
  });
  return found;
}

std::vector<ReplicaInfo> ReplicaStore::BadReplicas() {
  std::vector<ReplicaInfo> found;
  replicas_->ForEach([&](const Replica& replica) {
    if (replica.state != ReplicaState::kBad || replica.volume->failed()) return;
    found.push_back(
        {.block = replica.block, .volume = replica.volume->index(), .state = ReplicaState::kBad});
  });
  return found;
}

void ReplicaStore::Notify(void (ReplicaObserver::*event)(size_t, const Block&),
                          const Volume& volume, const Block& block) {
  if (ReplicaObserver* observer = observer_.load()) (observer->*event)(volume.index(), block);
}

}  // namespace cairn::datanode
