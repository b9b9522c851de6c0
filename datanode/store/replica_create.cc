// New replicas, and what becomes of a replica when its writer is through with it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/logging.h"
#include "common/units.h"
#include "datanode/store/open_files.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

absl::Status Deleted(const Block& block) {
  return absl::AbortedError(fmt::format("block {} was deleted while being written", block.id));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReplicaWriter>> ReplicaStore::Create(const Block& block) {
  return CreateIn(block, Place::kRbw, [](const Replica&) { return false; });
}

absl::StatusOr<std::unique_ptr<ReplicaWriter>> ReplicaStore::CreateCopy(const Block& block) {
  return CreateIn(block, Place::kTmp, [&block](const Replica& old) {
    return old.block.generation < block.generation && old.recovery < block.generation;
  });
}

absl::StatusOr<std::unique_ptr<ReplicaWriter>> ReplicaStore::CreateJoin(const Block& block) {
  return CreateIn(block, Place::kTmp, [&block](const Replica& old) {
    const bool older =
        old.block.generation < block.generation ||
        (old.state == ReplicaState::kOpen && old.block.generation == block.generation);
    return older && old.recovery < block.generation;
  });
}

absl::StatusOr<std::unique_ptr<ReplicaWriter>> ReplicaStore::CreateIn(
    const Block& block, Place place, const std::function<bool(const Replica&)>& may_replace) {
  RETURN_IF_ERROR(CheckReady());
  Volume* volume = nullptr;
  ASSIGN_OR_RETURN(auto promise, ChooseVolume(block.length, &volume));
  // Busy until it has files: who looks for them waits.
  Replica fresh{.block = block, .place = place, .volume = volume, .writer = true, .busy = true};
  fresh.open = std::make_shared<OpenReplica>(OpenReplica::Extent{}, 0, ChecksumSlot{});
  RETURN_IF_ERROR(Enter(fresh, may_replace));
  auto files =
      OpenFiles::Create(env_, volume->DataFile(place, block.id), volume->ChecksumFile(place, block),
                        block.id, fresh.open, WritingTo(*volume));
  if (!files.ok()) {
    RemoveOwned(block.id);
    return volume->NoteWriteFailure(files.status());
  }
  SetBusy(block.id, false);
  return std::make_unique<ReplicaWriter>(this, volume, block, *std::move(files),
                                         std::move(promise));
}

DataWriting ReplicaStore::WritingTo(Volume& volume) {
  if (!volume.takes_direct_writes()) return {.meter = &volume.meter()};
  return {.how = options_.disk_writes, .buffers = direct_buffers_.get(), .meter = &volume.meter()};
}

// The volume with the most room; those within 10% of it take turns, so that equal disks share the
// load. Slow ones come last.
absl::StatusOr<std::unique_ptr<SpacePromise>> ReplicaStore::ChooseVolume(uint64_t bytes,
                                                                         Volume** chosen) {
  struct Candidate {
    bool slow = false;
    uint64_t room = 0;
    Volume* volume = nullptr;
  };
  std::vector<Candidate> by_room;
  uint64_t most = 0;
  for (Volume* const volume : CurrentVolumes()) {
    if (volume->failed()) continue;
    const VolumeInfo info = volume->Info();
    by_room.push_back({info.slow_us != 0, info.remaining_bytes, volume});
    most = std::max(most, info.remaining_bytes);
  }
  if (by_room.empty()) return absl::InternalError("all data directories of this node failed");
  std::stable_sort(by_room.begin(), by_room.end(), [](const Candidate& a, const Candidate& b) {
    return a.slow != b.slow ? b.slow : a.room > b.room;
  });
  const auto like_first = [&](const Candidate& candidate) {
    const Candidate& first = by_room.front();
    return candidate.slow == first.slow && candidate.room >= first.room - first.room / 10;
  };
  size_t equals = 0;
  while (equals < by_room.size() && like_first(by_room[equals])) ++equals;
  std::sort(by_room.begin(), by_room.begin() + static_cast<ptrdiff_t>(equals),
            [](const auto& a, const auto& b) { return a.volume->index() < b.volume->index(); });
  const auto turn = static_cast<ptrdiff_t>(next_volume_.fetch_add(1) % equals);
  std::rotate(by_room.begin(), by_room.begin() + turn,
              by_room.begin() + static_cast<ptrdiff_t>(equals));
  for (const Candidate& candidate : by_room) {
    if (auto promise = candidate.volume->Promise(bytes)) {
      *chosen = candidate.volume;
      return promise;
    }
  }
  return WithKind(absl::ResourceExhaustedError(fmt::format(
                      "No space left on device: {} needed, {} remain on the emptiest of {} disks",
                      FormatSize(bytes), FormatSize(most), by_room.size())),
                  ErrorKind::kNoSpace);
}

absl::Status ReplicaStore::Enter(Replica fresh,
                                 const std::function<bool(const Replica&)>& may_replace) {
  const Block block = fresh.block;
  return replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) -> absl::Status {
    const auto it = shard.find(block.id);
    if (it != shard.end()) {
      const Replica& old = it->second;
      const bool settled = old.state != ReplicaState::kDeleting && !old.owned();
      // What a failed disk holds is lost; who still writes or removes there will notice first.
      const bool lost = settled && old.volume->failed();
      // The two must have different names until the new one is whole.
      const bool apart = fresh.place == Place::kTmp || old.place != Place::kRbw;
      const bool replaced =
          settled && apart && (old.state == ReplicaState::kBad || may_replace(old));
      if (!lost && !replaced) {
        return absl::AlreadyExistsError(
            fmt::format("this node has a replica of block {} (generation {}) already", block.id,
                        old.block.generation));
      }
      if (!lost) fresh.replaces = std::make_shared<const Replica>(old);
      fresh.recovery = old.recovery;
    }
    shard[block.id] = std::move(fresh);
    return absl::OkStatus();
  });
}

absl::Status ReplicaStore::CheckWriter(const ReplicaWriter& writer) {
  const bool deleted = replicas_->WithShard(writer.block_.id, [&](const ReplicaMap::Shard& shard) {
    return shard.at(writer.block_.id).delete_requested;
  });
  if (deleted) return Deleted(writer.block_);
  RETURN_IF_ERROR(writer.open_->failure());
  if (writer.volume_->broken()) {
    return absl::InternalError(fmt::format("data directory {} failed", writer.volume_->path()));
  }
  if (writer.volume_->failed()) {
    return absl::UnavailableError(
        fmt::format("data directory {} was removed", writer.volume_->path()));
  }
  return absl::OkStatus();
}

absl::Status ReplicaStore::FinalizeWritten(ReplicaWriter* writer, Durability durability) {
  Volume& volume = *writer->volume_;
  const Block whole{writer->block_.id, writer->block_.generation, writer->length()};
  const bool now = durability == Durability::kNow || ManyPending();
  RETURN_IF_ERROR(volume.NoteWriteFailure(writer->files_->Trim()));
  SmallLog::Ticket logged;  // until its files have their names
  if (now) {
    ASSIGN_OR_RETURN(logged, LogSmall(writer));
    if (!logged.durable()) RETURN_IF_ERROR(writer->NoteSync(writer->files_->SyncWhole()));
  }
  const bool synced = now && !logged.durable();
  RETURN_IF_ERROR(RemoveReplaced(whole.id));
  RETURN_IF_ERROR(volume.NoteWriteFailure(volume.PrepareFinalizedDir(whole.id)));
  RETURN_IF_ERROR(MoveWritten(writer, synced ? Place::kFinalized : Place::kUnsynced));
  writer->promise_.reset();
  RETURN_IF_ERROR(replicas_->WithShard(whole.id, [&](ReplicaMap::Shard& shard) -> absl::Status {
    Replica& replica = shard.at(whole.id);
    if (replica.delete_requested) return Deleted(whole);
    replica.state = ReplicaState::kFinalized;
    replica.logged = logged.durable();
    replica.writer = replica.restarted = false;
    NoteSeen(whole);
    volume.AddUsed(whole.length);
    volume.AddFinalized(1);
    if (!now) return absl::OkStatus();
    if (synced) replica.open.reset();
    Notify(&ReplicaObserver::OnReceived, volume, whole);
    return absl::OkStatus();
  }));
  replicas_->Wake(whole.id);
  if (!now) AddPending(whole);
  return absl::OkStatus();
}

// What is copied has a length that is known.
absl::Status ReplicaStore::CheckWhole(const ReplicaWriter& writer) {
  if (!IsCopy(writer.block_.id) || writer.length() == writer.block_.length) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(fmt::format("block {}: the copy has {} bytes instead of {}",
                                                   writer.block_.id, writer.length(),
                                                   writer.block_.length));
}

bool ReplicaStore::IsCopy(BlockId id) {
  return replicas_->WithShard(
      id, [&](const ReplicaMap::Shard& shard) { return shard.at(id).place == Place::kTmp; });
}

// For what outlives a power cut, its names must, too.
absl::Status ReplicaStore::NameDurably(ReplicaWriter* writer) {
  const BlockId id = writer->block_.id;
  if (!writer->named_ && !IsCopy(id)) {
    Volume& volume = *writer->volume_;
    RETURN_IF_ERROR(volume.NoteWriteFailure(env_->SyncDir(volume.FolderOf(Place::kRbw, id))));
    NoteSeen(writer->block_);
  }
  writer->named_ = true;
  return absl::OkStatus();
}

absl::Status ReplicaStore::SealWritten(ReplicaWriter* writer) {
  RETURN_IF_ERROR(writer->volume_->NoteWriteFailure(writer->files_->Trim()));
  RETURN_IF_ERROR(writer->NoteSync(writer->files_->Sync()));
  RETURN_IF_ERROR(RemoveReplaced(writer->block_.id));
  RETURN_IF_ERROR(MoveWritten(writer, Place::kRbw));
  writer->open_->Acknowledge(writer->length());
  return absl::OkStatus();
}

absl::Status ReplicaStore::MoveWritten(ReplicaWriter* writer, Place to) {
  const Block& block = writer->block_;
  const Block exact{block.id, block.generation, writer->length()};
  const Place from = SetBusy(block.id, true).place;  // readers that do not find its files wait
  absl::Status moved =
      writer->volume_->Move(from, block, to, exact, /*durable=*/to != Place::kUnsynced);
  if (moved.ok()) {
    replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
      Replica& replica = shard.at(block.id);
      replica.place = to;
      replica.block = exact;
    });
  }
  SetBusy(block.id, false);
  return moved;
}

absl::Status ReplicaStore::RemoveReplaced(BlockId id) {
  const auto old = replicas_->WithShard(
      id, [&](const ReplicaMap::Shard& shard) { return shard.at(id).replaces; });
  if (old == nullptr) return absl::OkStatus();
  if (!old->volume->failed()) {
    RETURN_IF_ERROR(ForgetRecord(*old));
    RETURN_IF_ERROR(old->volume->NoteWriteFailure(old->volume->Remove(old->place, old->block)));
  }
  replicas_->WithShard(id, [&](ReplicaMap::Shard& shard) {
    shard.at(id).replaces.reset();
    old->volume->SubtractUsed(old->length());
    if (old->state == ReplicaState::kFinalized) old->volume->AddFinalized(-1);
    Notify(&ReplicaObserver::OnDeleted, *old->volume, old->block);
  });
  return absl::OkStatus();
}

void ReplicaStore::LeaveWritten(ReplicaWriter* writer) {
  const BlockId id = writer->block_.id;
  Volume& volume = *writer->volume_;
  const absl::Status failure = writer->open_->failure();
  const bool durable = writer->durable_length() > 0;
  // A sync that failed may have lost what nobody was told is durable.
  const bool lost = !failure.ok() && !absl::IsDataLoss(failure) && !durable;
  bool removed = IsCopy(id) || lost || writer->length() == 0;
  if (!removed) {
    absl::Status trimmed = volume.NoteWriteFailure(writer->files_->Trim());
    if (!trimmed.ok()) LogWarn("block {}: its end was not trimmed: {}", id, MessageOf(trimmed));
  }
  const uint64_t length = writer->length();
  writer->promise_.reset();
  if (!removed) {
    replicas_->WithShard(id, [&](ReplicaMap::Shard& shard) {
      Replica& replica = shard.at(id);
      removed = replica.delete_requested;
      if (removed) return;
      replica.writer = false;
      replica.block.length = length;
      volume.AddUsed(length);
      if (failure.ok()) Notify(&ReplicaObserver::OnWaiting, volume, replica.block);
    });
  }
  if (removed) {
    RemoveOwned(id);
    return;
  }
  replicas_->Wake(id);
  if (failure.ok()) return;
  const auto same = [&](Replica& replica) {
    return replica.open == writer->open_ && !replica.owned() ? absl::OkStatus()
                                                             : NotHere(writer->block_);
  };
  if (auto claim = replicas_->Claim(id, same); claim.ok()) MarkBad(&*claim, failure);
}

// Of a writer. Returns the entry.
Replica ReplicaStore::SetBusy(BlockId id, bool busy) {
  Replica replica = replicas_->WithShard(id, [&](ReplicaMap::Shard& shard) -> Replica {
    shard.at(id).busy = busy;
    return shard.at(id);
  });
  replicas_->Wake(id);
  return replica;
}

void ReplicaStore::RemoveOwned(BlockId id) {
  absl::Status gone = ForgetRecord(
      replicas_->WithShard(id, [&](const ReplicaMap::Shard& shard) { return shard.at(id); }));
  const Replica replica = SetBusy(id, true);
  if (gone.ok()) gone = replica.volume->Remove(replica.place, replica.block);
  if (!gone.ok()) {
    LogWarn("block {}: its unfinished replica was not removed: {}", id, MessageOf(gone));
  }
  replicas_->WithShard(id, [&](ReplicaMap::Shard& shard) {
    Replica& entry = shard.at(id);
    if (entry.delete_requested) {
      Notify(&ReplicaObserver::OnDeleted, *entry.volume, entry.block);
    }
    if (entry.replaces == nullptr || entry.replaces->volume->failed()) {
      shard.erase(id);
      return;
    }
    Replica old = *entry.replaces;
    old.recovery = std::max(old.recovery, entry.recovery);
    entry = std::move(old);
  });
  replicas_->Wake(id);
}

bool ReplicaStore::WaitForWriter(BlockId id, int64_t timeout_ms) {
  return replicas_->WaitUntil(id, timeout_ms, [](const Replica* replica) {
    return replica == nullptr || !replica->writer;
  });
}

}  // namespace cairn::datanode
