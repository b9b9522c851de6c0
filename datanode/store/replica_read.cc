// Finding out what may be read of a replica, and whether it is still good.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/logging.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

// How often a replica may change its names while one reader looks for them.
constexpr int kTries = 10;

absl::Status IsBad(const Block& block, std::string_view why = "it was marked bad") {
  return WithKind(
      absl::DataLossError(fmt::format("the replica of block {} here is bad: {}", block.id, why)),
      ErrorKind::kChecksum);
}

// Whether a replica may be read at all by who asks for `block`.
absl::Status CheckReadable(const Replica& replica, const Block& block) {
  if (replica.state == ReplicaState::kDeleting || replica.delete_requested ||
      replica.place == Place::kTmp) {
    return NotHere(block);
  }
  if (replica.block.generation < block.generation) {
    return WithKind(absl::FailedPreconditionError(
                        fmt::format("block {}: the replica here has generation {}, older than {}",
                                    block.id, replica.block.generation, block.generation)),
                    ErrorKind::kStaleReplica);
  }
  if (replica.state == ReplicaState::kBad) return IsBad(block);
  if (replica.volume->failed()) {
    return absl::UnavailableError(fmt::format("the disk of block {} failed", block.id));
  }
  return absl::OkStatus();
}

// How many bytes of it may be read.
absl::StatusOr<uint64_t> ReadableLength(const Replica& replica, const Block& block) {
  uint64_t readable = replica.length();
  if (replica.state == ReplicaState::kOpen) {
    RETURN_IF_ERROR(replica.open->failure());
    readable = std::max(replica.open->visible(), std::min(readable, block.length));
  }
  if (readable >= block.length) return readable;
  return absl::NotFoundError(fmt::format("block {}: only {} bytes may be read here, not {}",
                                         block.id, readable, block.length));
}

// Whether an error of reading it may be the replica's fault.
bool SaysBad(const absl::Status& status) {
  return !status.ok() && !absl::IsNotFound(status) && !absl::IsFailedPrecondition(status) &&
         !absl::IsUnavailable(status) && !absl::IsResourceExhausted(status);
}

// Whether what was seen of a replica still holds for its files.
bool IsSame(const Replica* now, const Replica& then) {
  return now != nullptr && !now->busy && !then.busy &&
         now->block.generation == then.block.generation && now->state == then.state &&
         now->place == then.place && now->volume == then.volume && now->open == then.open;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReplicaReader>> ReplicaStore::OpenReader(const Block& block,
                                                                        ReadAs as) {
  return OpenAs(block, [&](const Replica& replica) -> absl::StatusOr<uint64_t> {
    if (as == ReadAs::kFinalized && (replica.state != ReplicaState::kFinalized ||
                                     replica.block.generation != block.generation)) {
      return NotHere(block);
    }
    ASSIGN_OR_RETURN(const uint64_t readable, ReadableLength(replica, block));
    return as == ReadAs::kExact ? block.length : readable;
  });
}

// Opening takes no claim: it would stop writers and be stopped by them. A replica that is given
// other names meanwhile is looked up again.
absl::StatusOr<std::unique_ptr<ReplicaReader>> ReplicaStore::OpenAs(const Block& block,
                                                                    const LimitOf& limit_of) {
  RETURN_IF_ERROR(CheckReady());
  for (int i = 0; i < kTries; ++i) {
    uint64_t limit = 0;
    Replica replica;
    RETURN_IF_ERROR(replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) -> absl::Status {
      const auto it = shard.find(block.id);
      if (it == shard.end()) return NotHere(block);
      RETURN_IF_ERROR(CheckReadable(it->second, block));
      ASSIGN_OR_RETURN(limit, limit_of(it->second));
      replica = it->second;
      return absl::OkStatus();
    }));
    auto reader = OpenFilesOf(replica, limit);
    const absl::Status status = reader.status();
    if (!absl::IsNotFound(status) && !absl::IsDataLoss(status)) return reader;
    if (!replicas_->WaitUntilSettled(block.id)) break;
    const bool same = replicas_->WithShard(block.id, [&](const ReplicaMap::Shard& shard) {
      const auto it = shard.find(block.id);
      return IsSame(it == shard.end() ? nullptr : &it->second, replica);
    });
    if (same && absl::IsNotFound(status)) return IsBad(block, MessageOf(status));
    if (same) return status;
  }
  return absl::UnavailableError(
      fmt::format("the replica of block {} here is busy; try again", block.id));
}

absl::StatusOr<std::unique_ptr<ReplicaReader>> ReplicaStore::OpenFilesOf(const Replica& replica,
                                                                         uint64_t limit) {
  const Volume& volume = *replica.volume;
  return ReplicaReader::Open(
      env_,
      {.data = volume.DataFile(replica.place, replica.block.id),
       .checksums = volume.ChecksumFile(replica.place, replica.block),
       .replica = {replica.block.id, replica.block.generation, replica.length()},
       .open = replica.open,
       .finalized = replica.state == ReplicaState::kFinalized},
      limit);
}

absl::StatusOr<ReadableReplica> ReplicaStore::GetReplica(const Block& block) {
  RETURN_IF_ERROR(CheckReady());
  return replicas_->WithShard(
      block.id, [&](ReplicaMap::Shard& shard) -> absl::StatusOr<ReadableReplica> {
        const auto it = shard.find(block.id);
        if (it == shard.end()) return NotHere(block);
        const Replica& replica = it->second;
        RETURN_IF_ERROR(CheckReadable(replica, block));
        // Who names a length knows of what was acknowledged; the bytes here are proven.
        if (replica.restarted && block.length == 0) {
          return absl::UnavailableError(fmt::format(
              "block {}: this node was restarted; what its pipeline acknowledged is not known here",
              block.id));
        }
        ASSIGN_OR_RETURN(const uint64_t readable, ReadableLength(replica, block));
        return ReadableReplica{.block = {block.id, replica.block.generation, readable},
                               .open = replica.state == ReplicaState::kOpen};
      });
}

absl::StatusOr<uint32_t> ReplicaStore::Checksum(const Block& block) {
  ASSIGN_OR_RETURN(const auto reader, OpenReader(block, ReadAs::kExact));
  return reader->Checksum();
}

// --- verification --------------------------------------------------------------------------------

void ReplicaStore::VerifyIfDoubtful(const Block& block, const absl::Status& failure) {
  if (!absl::IsDataLoss(failure) && !absl::IsInternal(failure)) return;
  LogError("read of block {}: {}", block.id, MessageOf(failure));
  Verify(block).status().IgnoreError();
}

absl::StatusOr<bool> ReplicaStore::Verify(const Block& block) {
  const absl::Status status = CheckOptimistically(block);
  if (status.ok()) return true;
  if (!SaysBad(status)) return status;
  // Once more, alone with it.
  bool bad = false;
  std::shared_ptr<OpenReplica> written;
  auto claim = replicas_->Claim(block.id, [&](const Replica& replica) -> absl::Status {
    bad = replica.state == ReplicaState::kBad;
    if (replica.writer) written = replica.open;
    if (bad || replica.writer) return NotHere(block);
    return CheckReadable(replica, block);
  });
  if (bad) return false;
  if (written != nullptr) {
    const absl::Status again = CheckOptimistically(block);
    if (again.ok()) return true;
    if (!SaysBad(again)) return again;
    written->Fail(again);
    return false;
  }
  RETURN_IF_ERROR(claim.status());
  auto reader = OpenFilesOf(claim->replica(), claim->replica().length());
  const absl::Status again = reader.ok() ? CheckAllChunks(**reader) : reader.status();
  if (again.ok()) return true;
  if (absl::IsUnavailable(again) || absl::IsResourceExhausted(again)) return again;
  MarkBad(&*claim, again);
  return false;
}

absl::Status ReplicaStore::CheckOptimistically(const Block& block) {
  const Block any_length{block.id, block.generation, 0};
  ASSIGN_OR_RETURN(const auto reader, OpenAs(any_length, [](const Replica& replica) {
                     return absl::StatusOr<uint64_t>(replica.length());
                   }));
  return CheckAllChunks(*reader);
}

absl::Status ReplicaStore::CheckAllChunks(ReplicaReader& reader) {
  constexpr size_t kPieceBytes = 1 << 20;
  const uint64_t length = reader.block().length;
  std::vector<char> buffer(
      std::min<uint64_t>(kPieceBytes, (length / kChunkBytes + 1) * kChunkBytes));
  std::vector<uint32_t> crcs;
  for (uint64_t offset = 0; offset < length;) {
    ASSIGN_OR_RETURN(const size_t n, reader.Read(offset, buffer, /*verify=*/true, &crcs));
    offset += n;
  }
  return absl::OkStatus();
}

// On disk first: a mark that only memory has would be forgotten. Ends the claim.
void ReplicaStore::MarkBad(ReplicaClaim* claim, const absl::Status& why) {
  const Replica& replica = claim->replica();
  const Block block{replica.block.id, replica.block.generation, replica.length()};
  Volume& volume = *replica.volume;
  const std::string mark = volume.BadMark(replica.place, block);
  absl::Status marked = env_->Rename(volume.ChecksumFile(replica.place, replica.block), mark);
  if (marked.ok()) marked = env_->SyncDir(volume.FolderOf(replica.place, block.id));
  if (!absl::IsNotFound(marked)) marked = volume.NoteWriteFailure(marked);
  LogError("block {} (generation {}) in {} is bad and will not be served: {}", block.id,
           block.generation, volume.path(), MessageOf(why));
  claim->End([&](Replica& entry) {
    if (entry.state == ReplicaState::kFinalized) volume.AddFinalized(-1);
    volume.SubtractUsed(entry.block.length);
    volume.AddUsed(block.length);
    entry.state = ReplicaState::kBad;
    entry.block = block;
    entry.open.reset();
    Notify(&ReplicaObserver::OnBad, volume, block);
  });
}

}  // namespace cairn::datanode
