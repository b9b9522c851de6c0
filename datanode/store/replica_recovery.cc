// Block recovery: what is here of a block whose writer is gone, and bringing it to what was agreed.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/units.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/open_files.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

absl::Status Stale(std::string message) {
  return WithKind(absl::FailedPreconditionError(std::move(message)), ErrorKind::kStaleReplica);
}

absl::Status CheckIdle(const Replica& replica) {
  if (replica.writer) {
    return absl::UnavailableError(
        fmt::format("block {} is still being written here", replica.block.id));
  }
  return absl::OkStatus();
}

// Whether its replica is as good as none to a recovery of `block`.
bool IsNone(const Replica& replica, const Block& block) {
  return replica.state == ReplicaState::kDeleting || replica.delete_requested ||
         replica.state == ReplicaState::kBad || replica.volume->failed() ||
         replica.block.generation < block.generation;
}

absl::Status CheckFinish(const Replica& replica, const Block& block, GenerationStamp recovery) {
  RETURN_IF_ERROR(CheckIdle(replica));
  const GenerationStamp generation = replica.block.generation;
  if (IsNone(replica, block)) return NotHere(block);
  const bool done_before = generation == recovery && replica.length() == block.length &&
                           replica.state == ReplicaState::kFinalized;
  if (done_before) return absl::OkStatus();
  if (replica.recovery > recovery || generation != block.generation || generation >= recovery) {
    return Stale(
        fmt::format("block {}: the replica here has generation {} and is not the one of "
                    "generation {} to be settled with {}",
                    block.id, generation, block.generation, recovery));
  }
  if (replica.length() < block.length) {
    return Stale(fmt::format("block {}: the replica here has {} bytes, not the agreed {}", block.id,
                             replica.length(), block.length));
  }
  return absl::OkStatus();
}

// Copies what `reader` reads, verified, into new files that are durable.
absl::Status CopyDurably(Env* env, ReplicaReader& reader, const std::string& data_path,
                         const std::string& checksums_path) {
  ASSIGN_OR_RETURN(const auto checksums, env->Open(checksums_path, OpenMode::kTruncate));
  ASSIGN_OR_RETURN(const auto data, env->Open(data_path, OpenMode::kTruncate));
  std::vector<char> piece(kPieceBytes);
  std::vector<uint32_t> crcs;
  std::vector<uint32_t> all;
  const uint64_t length = reader.block().length;
  for (uint64_t offset = 0; offset < length;) {
    ASSIGN_OR_RETURN(const size_t n, reader.Read(offset, piece, /*verify=*/true, &crcs));
    RETURN_IF_ERROR(data->WriteAt(offset, {piece.data(), n}));
    data->StartWriteback(offset, n);
    all.insert(all.end(), crcs.begin(), crcs.end());
    offset += n;
  }
  RETURN_IF_ERROR(checksums->WriteAt(0, EncodeChecksumFile(reader.block().id, length, all)));
  RETURN_IF_ERROR(data->Sync());
  return checksums->Sync();
}

}  // namespace

absl::StatusOr<RecoveryAnswer> ReplicaStore::StartRecovery(const Block& block,
                                                           GenerationStamp recovery) {
  RETURN_IF_ERROR(CheckReady());
  if (!replicas_->WaitUntilSettled(block.id)) {
    return absl::UnavailableError(
        fmt::format("the replica of block {} here is busy; try again", block.id));
  }
  return replicas_->WithShard(
      block.id, [&](ReplicaMap::Shard& shard) -> absl::StatusOr<RecoveryAnswer> {
        const auto it = shard.find(block.id);
        if (it == shard.end()) return RecoveryAnswer{};
        Replica& replica = it->second;
        RETURN_IF_ERROR(CheckIdle(replica));
        if (IsNone(replica, block)) return RecoveryAnswer{};
        if (recovery <= std::max(replica.recovery, replica.block.generation)) {
          return Stale(fmt::format("block {}: recovery {} comes after recovery {} of generation {}",
                                   block.id, recovery, replica.recovery, replica.block.generation));
        }
        replica.recovery = recovery;
        RecoveryAnswer answer;
        answer.state = replica.state == ReplicaState::kFinalized ? RecoveryAnswer::kFinalized
                       : replica.restarted                       ? RecoveryAnswer::kRestarted
                                                                 : RecoveryAnswer::kOpen;
        answer.block = {block.id, replica.block.generation, replica.length()};
        return answer;
      });
}

absl::StatusOr<size_t> ReplicaStore::FinishRecovery(const Block& block, GenerationStamp recovery) {
  RETURN_IF_ERROR(CheckReady());
  ASSIGN_OR_RETURN(ReplicaClaim claim, replicas_->Claim(block.id, [&](const Replica& replica) {
    return CheckFinish(replica, block, recovery);
  }));
  const size_t volume = claim.replica().volume->index();
  if (claim.replica().place == Place::kUnsynced) RETURN_IF_ERROR(MakeDurable(&claim));
  if (claim.replica().block.generation == recovery) return volume;  // done before
  RETURN_IF_ERROR(Settle(&claim, {block.id, recovery, block.length}));
  return volume;
}

absl::Status ReplicaStore::Settle(ReplicaClaim* claim, const Block& settled) {
  const Replica& replica = claim->replica();
  Volume& volume = *replica.volume;
  const bool was_open = replica.state == ReplicaState::kOpen;
  const uint64_t old_length = replica.length();
  if (was_open) {
    RETURN_IF_ERROR(SettleOpen(claim, settled));
  } else if (old_length == settled.length) {
    RETURN_IF_ERROR(NoteFailure(
        claim,
        volume.Move(Place::kFinalized, replica.block, Place::kFinalized, settled, /*durable=*/true),
        /*lost=*/false));
  } else {
    RETURN_IF_ERROR(ReplaceByShorter(claim, settled));
  }
  claim->End([&](Replica& entry) {
    entry.block = settled;
    entry.state = ReplicaState::kFinalized;
    entry.place = Place::kFinalized;
    entry.open.reset();
    entry.restarted = false;
    volume.SubtractUsed(old_length);
    volume.AddUsed(settled.length);
    if (was_open) volume.AddFinalized(1);
    NoteSeen(settled);
    Notify(&ReplicaObserver::OnReceived, volume, settled);
  });
  return absl::OkStatus();
}

absl::Status ReplicaStore::SettleOpen(ReplicaClaim* claim, const Block& settled) {
  const Replica& replica = claim->replica();
  Volume& volume = *replica.volume;
  const auto files = OpenFiles::Open(env_, volume.DataFile(Place::kRbw, settled.id),
                                     volume.ChecksumFile(Place::kRbw, replica.block), replica.open);
  absl::Status status = files.status();
  if (status.ok()) status = (*files)->Cut(settled.length);
  const bool lost = files.ok() && (*files)->lost();
  if (status.ok()) status = volume.PrepareFinalizedDir(settled.id);
  if (status.ok()) {
    status = volume.Move(Place::kRbw, replica.block, Place::kFinalized, settled, /*durable=*/true);
  }
  status = NoteFailure(claim, std::move(status), lost);
  if (status.ok() || !claim->active()) return status;
  // Readers that were stopped by a cut shall not be the last ones.
  claim->End([&](Replica& entry) {
    volume.SubtractUsed(entry.block.length);
    entry.block.length = replica.length();
    volume.AddUsed(entry.block.length);
    entry.open = std::make_shared<OpenReplica>(replica.open->written(), replica.open->visible(),
                                               replica.open->durable());
  });
  return status;
}

// The old one stays as it is until the shorter one is whole.
absl::Status ReplicaStore::ReplaceByShorter(ReplicaClaim* claim, const Block& settled) {
  const Replica& replica = claim->replica();
  Volume& volume = *replica.volume;
  const auto promise = volume.Promise(settled.length);
  if (promise == nullptr) {
    return WithKind(absl::ResourceExhaustedError(
                        fmt::format("No space left on device: {} needed to truncate block {}",
                                    FormatSize(settled.length), settled.id)),
                    ErrorKind::kNoSpace);
  }
  auto reader = OpenFilesOf(replica, settled.length);
  absl::Status status = reader.status();
  if (status.ok()) {
    status = CopyDurably(env_, **reader, volume.DataFile(Place::kTmp, settled.id),
                         volume.ChecksumFile(Place::kTmp, settled));
  }
  if (status.ok()) status = volume.Replace(replica.block, settled);
  if (!status.ok()) volume.Remove(Place::kTmp, settled).IgnoreError();
  // The copy's folder is gone, not the replica.
  if (reader.ok() && absl::IsNotFound(status)) volume.Fail(status);
  if (volume.failed()) return status;
  return NoteFailure(claim, std::move(status), /*lost=*/false);
}

}  // namespace cairn::datanode
