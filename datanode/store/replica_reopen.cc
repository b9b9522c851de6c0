// Going on with a replica that is here, and making durable what was finalized for later.
#include <fmt/format.h>

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

// Beyond this, to finalize waits for the disk like everybody else: what waits to be synced shall
// be durable within seconds.
constexpr size_t kManyPending = 256;

absl::Status Stale(std::string message) {
  return WithKind(absl::FailedPreconditionError(std::move(message)), ErrorKind::kStaleReplica);
}

absl::Status CheckReopen(const Replica& replica, const Block& block,
                         GenerationStamp from_generation, uint64_t min_length) {
  const GenerationStamp generation = replica.block.generation;
  if (replica.state == ReplicaState::kDeleting || replica.delete_requested) return NotHere(block);
  if (replica.state == ReplicaState::kBad) {
    return WithKind(
        absl::DataLossError(fmt::format("the replica of block {} here is bad", block.id)),
        ErrorKind::kChecksum);
  }
  if (replica.writer) {
    return absl::UnavailableError(fmt::format("block {} is still being written here", block.id));
  }
  if (replica.volume->failed()) {
    return absl::UnavailableError(fmt::format("the disk of block {} failed", block.id));
  }
  if (generation < from_generation || generation >= block.generation) {
    return Stale(fmt::format("block {}: the replica here has generation {}, not one from {} to {}",
                             block.id, generation, from_generation, block.generation - 1));
  }
  if (replica.recovery >= block.generation) {
    return Stale(
        fmt::format("block {} is being recovered with generation {}", block.id, replica.recovery));
  }
  if (replica.length() < min_length) {
    return Stale(fmt::format("block {}: the replica here has {} bytes, less than {}", block.id,
                             replica.length(), min_length));
  }
  if (replica.length() > block.length) {
    return absl::InvalidArgumentError(fmt::format("block {}: there are {} bytes, more than {}",
                                                  block.id, replica.length(), block.length));
  }
  return absl::OkStatus();
}

// What memory is to know of a finalized replica that is open again.
absl::StatusOr<std::shared_ptr<OpenReplica>> ReadExtent(Env* env, const Replica& replica) {
  const std::string path = replica.volume->ChecksumFile(replica.place, replica.block);
  ASSIGN_OR_RETURN(const auto file, env->Open(path, OpenMode::kRead));
  std::string bytes(kChecksumHeaderBytes, '\0');
  ASSIGN_OR_RETURN(const size_t n, file->ReadAt(0, bytes));
  bytes.resize(n);
  ASSIGN_OR_RETURN(const ChecksumHeader header, DecodeChecksumHeader(bytes, replica.block.id));
  if (header.newest.synced_length != replica.block.length) {
    return WithKind(
        absl::DataLossError(fmt::format("{}: for {} bytes instead of {}", path,
                                        header.newest.synced_length, replica.block.length)),
        ErrorKind::kChecksum);
  }
  return std::make_shared<OpenReplica>(
      OpenReplica::Extent{replica.block.length, header.newest.tail_crc}, 0, header.newest);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReplicaWriter>> ReplicaStore::Reopen(const Block& block,
                                                                    GenerationStamp from_generation,
                                                                    uint64_t min_length) {
  RETURN_IF_ERROR(CheckReady());
  ASSIGN_OR_RETURN(ReplicaClaim claim, replicas_->Claim(block.id, [&](const Replica& replica) {
    return CheckReopen(replica, block, from_generation, min_length);
  }));
  Replica& replica = claim.replica();
  if (replica.place == Place::kUnsynced) RETURN_IF_ERROR(MakeDurable(&claim));
  std::shared_ptr<OpenReplica> open = replica.open;
  if (open == nullptr) {
    ASSIGN_OR_RETURN(open, ReadExtent(env_, replica));
  }
  Volume& volume = *replica.volume;
  const uint64_t length = replica.length();
  auto promise = volume.PromiseMore(block.length, length);
  if (promise == nullptr) {
    return WithKind(absl::ResourceExhaustedError(
                        fmt::format("No space left on device: {} more needed for block {}",
                                    FormatSize(block.length - length), block.id)),
                    ErrorKind::kNoSpace);
  }
  const Block stamped{block.id, block.generation, length};
  if (absl::Status moved =
          volume.Move(replica.place, replica.block, Place::kRbw, stamped, /*durable=*/true);
      !moved.ok()) {
    volume.AddUsed(length);
    return NoteFailure(&claim, std::move(moved), /*lost=*/false);
  }
  auto files = OpenFiles::Open(env_, volume.DataFile(Place::kRbw, block.id),
                               volume.ChecksumFile(Place::kRbw, stamped), open, WritingTo(volume));
  const bool was_finalized = replica.state == ReplicaState::kFinalized;
  claim.End([&](Replica& entry) {
    if (was_finalized) volume.AddFinalized(-1);
    entry.block = stamped;
    entry.state = ReplicaState::kOpen;
    entry.place = Place::kRbw;
    entry.open = open;
    entry.writer = files.ok();
    open->Acknowledge(min_length);
    if (files.ok()) {
      entry.restarted = false;
    } else {
      volume.AddUsed(length);
      Notify(&ReplicaObserver::OnWaiting, volume, stamped);
    }
  });
  if (!files.ok()) return volume.NoteWriteFailure(files.status());
  auto writer =
      std::make_unique<ReplicaWriter>(this, &volume, block, *std::move(files), std::move(promise));
  writer->named_ = true;
  return writer;
}

// --- finalized for later -------------------------------------------------------------------------

bool ReplicaStore::ManyPending() {
  MutexLock lock(pending_mu_);
  return pending_.size() >= kManyPending;
}

void ReplicaStore::AddPending(const Block& block) {
  MutexLock lock(pending_mu_);
  pending_.push_back(block);
}

void ReplicaStore::SyncPending() {
  RetireLogs();
  size_t count;
  {
    MutexLock lock(pending_mu_);
    count = pending_.size();
  }
  for (; count > 0; --count) {
    Block block;
    {
      MutexLock lock(pending_mu_);
      if (pending_.empty()) return;
      block = pending_.front();
      pending_.pop_front();
    }
    if (SyncOnePending(block)) AddPending(block);
  }
}

// Whether it is to be tried again.
bool ReplicaStore::SyncOnePending(const Block& block) {
  auto claim = replicas_->Claim(block.id, [&](const Replica& replica) {
    const bool waits = replica.state == ReplicaState::kFinalized && !replica.durable() &&
                       replica.block.generation == block.generation;
    return waits ? absl::OkStatus() : NotHere(block);
  });
  // Deleted, reopened or recovered meanwhile; or somebody is at it.
  if (!claim.ok()) return absl::IsUnavailable(claim.status());
  const absl::Status status = MakeDurable(&*claim);
  if (status.ok()) return false;
  LogWarn("block {} (generation {}) was not made durable: {}", block.id, block.generation,
          MessageOf(status));
  return claim->active() && !claim->replica().volume->failed();
}

// After an operation on a claimed replica: one whose files are not there, or that lost bytes in a
// sync, is bad. Returns `status`.
absl::Status ReplicaStore::NoteFailure(ReplicaClaim* claim, absl::Status status, bool lost) {
  if (status.ok()) return status;
  const bool missing = absl::IsNotFound(status) || absl::IsDataLoss(status);
  if (!missing) status = claim->replica().volume->NoteWriteFailure(std::move(status));
  if (missing || lost) MarkBad(claim, status);
  return status;
}

// Of a claimed replica that was finalized for later. After an error the replica is as it was, or
// bad.
absl::Status ReplicaStore::MakeDurable(ReplicaClaim* claim) {
  Replica& replica = claim->replica();
  Volume& volume = *replica.volume;
  const Block block = replica.block;
  const auto files = OpenFiles::Open(env_, volume.DataFile(Place::kUnsynced, block.id),
                                     volume.ChecksumFile(Place::kUnsynced, block), replica.open);
  absl::Status status = files.status();
  if (status.ok()) status = (*files)->SyncWhole();
  const bool lost = files.ok() && (*files)->lost();
  if (status.ok()) status = volume.Move(Place::kUnsynced, block, Place::kFinalized, block, true);
  RETURN_IF_ERROR(NoteFailure(claim, std::move(status), lost));
  replica.place = Place::kFinalized;
  replica.open.reset();
  replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    Replica& entry = shard.at(block.id);
    const bool told = entry.durable();
    entry.place = Place::kFinalized;
    entry.open.reset();
    if (!told) Notify(&ReplicaObserver::OnReceived, volume, block);
  });
  return absl::OkStatus();
}

}  // namespace cairn::datanode
