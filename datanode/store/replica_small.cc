// Small replicas: durable by a record in their volume's log, their files follow.
//
// As long as a record is live, its replica's files are never removed, only replaced by newer ones
// that are durable: then a start brings back nothing that was given up, and nothing older than what
// is there (small_log_replay.h).
#include <thread>
#include <utility>

#include "common/data_dir.h"
#include "common/logging.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/open_files.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/small_log_replay.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

absl::Status ReadExactly(Env* env, const std::string& path, uint64_t offset, std::span<char> out) {
  ASSIGN_OR_RETURN(const auto file, env->Open(path, OpenMode::kRead));
  ASSIGN_OR_RETURN(const size_t n, file->ReadAt(offset, out));
  return n == out.size() ? absl::OkStatus() : absl::DataLossError(path + ": shorter than written");
}

}  // namespace

void ReplicaStore::MakeSmallLog(Volume* volume) {
  if (options_.small_replica_max_bytes == 0) return;
  SmallLog::Options options;
  options.folder = volume->SmallLogFolder();
  options.segment_bytes = options_.small_log_segment_bytes;
  options.max_segments = options_.small_log_segments;
  options.take_space = [volume](uint64_t bytes) { return volume->TakeForLog(bytes); };
  options.give_back = [volume](uint64_t bytes) { volume->GiveBackOfLog(bytes); };
  options.mark = [volume](bool in_use) {
    DataDir* const dir = volume->dir();
    if (dir == nullptr) return absl::UnavailableError(volume->path() + " was removed");
    return dir->SetLayout(in_use ? kDataDirLayoutWithLog : kDataDirLayout);
  };
  options.on_full = [this] {
    if (wake_sync_) wake_sync_();
  };
  volume->SetSmallLog(std::make_unique<SmallLog>(env_, std::move(options)));
}

absl::Status ReplicaStore::ReplaySmall(Volume* volume) {
  ASSIGN_OR_RETURN(const SmallLogReplayed replayed, ReplaySmallLog(env_, *volume));
  volume->SetReplayed(replayed.rewritten);
  if (replayed.log_found) {
    LogInfo("{}: the small-replica log had {} records; {} replicas were written again",
            volume->path(), replayed.records, replayed.rewritten);
  }
  DataDir* const dir = volume->dir();
  if (dir->version().layout != kDataDirLayout) RETURN_IF_ERROR(dir->SetLayout(kDataDirLayout));
  MakeSmallLog(volume);
  return absl::OkStatus();
}

// Not durable: it is to be synced by itself.
absl::StatusOr<SmallLog::Ticket> ReplicaStore::LogSmall(ReplicaWriter* writer) {
  Volume& volume = *writer->volume_;
  SmallLog* const log = volume.small_log();
  const uint64_t length = writer->length();
  if (log == nullptr || length > options_.small_replica_max_bytes) return SmallLog::Ticket();
  // What was synced, or has names that last, is half of the way already; and what takes the place
  // of another must be durable by itself before that one goes.
  if (writer->named_ || writer->open_->durable().sequence != 0) return SmallLog::Ticket();
  const BlockId id = writer->block_.id;
  Replica replica =
      replicas_->WithShard(id, [&](const ReplicaMap::Shard& shard) { return shard.at(id); });
  if (replica.replaces != nullptr) return SmallLog::Ticket();
  replica.block = {id, writer->block_.generation, length};
  auto record = ReadSmall(replica);
  absl::Status status = record.status();
  if (status.ok()) status = writer->files_->WriteWholeSlot();
  RETURN_IF_ERROR(volume.NoteWriteFailure(std::move(status)));
  auto ticket = log->Append(*std::move(record));
  RETURN_IF_ERROR(volume.NoteWriteFailure(ticket.status()));
  if (ticket->sequence() != 0) {
    replicas_->WithShard(
        id, [&](ReplicaMap::Shard& shard) { shard.at(id).log_sequence = ticket->sequence(); });
  }
  if (ticket->durable()) {
    const OpenReplica::Extent end = writer->open_->written();
    writer->open_->SetDurable(
        {.synced_length = end.length, .tail_crc = end.tail_crc, .sequence = kWholeSequence});
  }
  return ticket;
}

// From the page cache, where its packets have just gone.
absl::StatusOr<SmallRecord> ReplicaStore::ReadSmall(const Replica& replica) {
  const Volume& volume = *replica.volume;
  SmallRecord record(replica.block);
  const Block named{replica.block.id, replica.block.generation, replica.block.length};
  RETURN_IF_ERROR(ReadExactly(env_, volume.DataFile(replica.place, named.id), 0, record.data()));
  RETURN_IF_ERROR(ReadExactly(env_, volume.ChecksumFile(replica.place, named), kChecksumHeaderBytes,
                              record.checksums()));
  record.Seal();
  return record;
}

absl::Status ReplicaStore::RetireLog(Volume* volume, bool all) {
  if (volume->failed()) return absl::UnavailableError(volume->path() + " failed");
  return volume->NoteWriteFailure(volume->small_log()->Retire(
      all, [this](uint64_t sequence, const Block& block) { NameSettled(sequence, block); }));
}

// Volumes are disks: they sync side by side.
void ReplicaStore::RetireLogs() {
  if (!ready_.load()) return;
  std::vector<std::thread> threads;
  for (Volume* const volume : CurrentVolumes()) {
    SmallLog* const log = volume->small_log();
    if (log == nullptr || volume->failed() || log->stats().pending == 0) continue;
    threads.emplace_back([this, volume] {
      RetireLog(volume, /*all=*/false).IgnoreError();  // the volume has noted it
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// The replica's files are durable: they get the names that say so. One that is busy keeps those of
// a replica to be synced, which a start takes in as well.
void ReplicaStore::NameSettled(uint64_t sequence, const Block& block) {
  auto claim = replicas_->TryClaim(block.id, [&](const Replica& replica) {
    const bool waits = replica.state == ReplicaState::kFinalized &&
                       replica.place == Place::kUnsynced && replica.log_sequence == sequence &&
                       replica.block.generation == block.generation;
    return waits ? absl::OkStatus() : NotHere(block);
  });
  if (!claim.ok()) return;
  Volume& volume = *claim->replica().volume;
  const absl::Status moved =
      volume.Move(Place::kUnsynced, block, Place::kFinalized, block, /*durable=*/false);
  if (!moved.ok()) {
    LogWarn("block {} (generation {}) keeps the name of a replica to be synced: {}", block.id,
            block.generation, MessageOf(moved));
    return;
  }
  claim->End([](Replica& entry) {
    entry.place = Place::kFinalized;
    entry.open.reset();
  });
}

// Before the files of a replica go: a start must not bring it back. After an error they stay. Of
// whoever has not claimed it.
absl::Status ReplicaStore::ForgetRecord(const Replica& replica) {
  if (replica.log_sequence == 0 || !replica.volume->small_log()->IsLive(replica.log_sequence)) {
    return absl::OkStatus();
  }
  return RetireLog(replica.volume, /*all=*/true);
}

void ReplicaStore::CloseLogs() {
  for (Volume* const volume : CurrentVolumes()) {
    if (volume->small_log() == nullptr || volume->failed()) continue;
    absl::Status closed = RetireLog(volume, /*all=*/true);
    if (closed.ok()) closed = volume->small_log()->Close();
    if (!closed.ok()) {
      LogWarn("{}: the small-replica log is left to the next start: {}", volume->path(),
              MessageOf(closed));
    }
  }
}

std::vector<ReplicaStore::SmallLogInfo> ReplicaStore::SmallLogs() {
  std::vector<SmallLogInfo> infos;
  if (!ready_.load()) return infos;
  for (const Volume* const volume : CurrentVolumes()) {
    if (SmallLog* const log = volume->small_log()) {
      infos.push_back({volume->path(), log->stats(), volume->replayed()});
    }
  }
  return infos;
}

}  // namespace cairn::datanode
