#include "datanode/store/replica_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "common/logging.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kWritebackBytes = 8 << 20;
constexpr uint64_t kFirstPreallocation = 8 << 20;

}  // namespace

ReplicaWriter::ReplicaWriter(ReplicaStore* store, Env* env, Volume* volume, Block block,
                             std::unique_ptr<SpacePromise> promise)
    : store_(store), env_(env), volume_(volume), block_(block), promise_(std::move(promise)) {}

ReplicaWriter::~ReplicaWriter() {
  if (!done_) Abort();
}

absl::Status ReplicaWriter::Open() {
  absl::StatusOr<std::unique_ptr<File>> file =
      env_->Open(volume_->RbwData(block_), OpenMode::kTruncate);
  if (!file.ok()) return volume_->NoteWriteFailure(file.status());
  data_ = *std::move(file);
  return absl::OkStatus();
}

absl::Status ReplicaWriter::Append(std::string_view payload, std::span<const uint32_t> crcs) {
  if (store_->IsDeleteRequested(block_)) {
    return absl::AbortedError(fmt::format("block {} was deleted while being written", block_.id));
  }
  if (payload.empty()) return absl::OkStatus();
  if (volume_->failed()) {
    return absl::InternalError(fmt::format("data directory {} failed", volume_->path()));
  }
  // A replica of one packet needs no room ahead of it.
  const uint64_t end = length_ + payload.size();
  if (length_ > 0 && end > preallocated_) RETURN_IF_ERROR(PreallocateFor(end));
  RETURN_IF_ERROR(volume_->NoteWriteFailure(data_->WriteAt(length_, payload)));
  length_ = end;
  crcs_.insert(crcs_.end(), crcs.begin(), crcs.end());
  promise_->SetAllocated(std::max(length_, preallocated_));
  if (length_ - writeback_from_ >= kWritebackBytes) {
    data_->StartWriteback(writeback_from_, length_ - writeback_from_);
    writeback_from_ = length_;
  }
  return absl::OkStatus();
}

// In doubling steps, so that a block far below its limit takes little.
absl::Status ReplicaWriter::PreallocateFor(uint64_t length) {
  const uint64_t step = std::max(2 * preallocated_, kFirstPreallocation);
  const uint64_t bytes = std::min(std::max(length, step), std::max(block_.length, length));
  RETURN_IF_ERROR(volume_->NoteWriteFailure(data_->Preallocate(bytes, /*keep_size=*/true)));
  preallocated_ = bytes;
  return absl::OkStatus();
}

absl::Status ReplicaWriter::Finalize() {
  absl::Status status = volume_->NoteWriteFailure(WriteChecksums());
  if (status.ok()) status = store_->RemoveReplaced(block_);
  if (status.ok()) status = volume_->NoteWriteFailure(MoveToFinalized());
  if (status.ok()) {
    promise_.reset();
    status = store_->FinishFinalize({block_.id, block_.generation, length_});
  }
  done_ = status.ok();
  if (!done_) Abort();
  return status;
}

absl::Status ReplicaWriter::WriteChecksums() {
  const std::string bytes = EncodeChecksumFile(block_.id, length_, crcs_);
  ASSIGN_OR_RETURN(const std::unique_ptr<File> checksums,
                   env_->Open(volume_->RbwChecksums(block_), OpenMode::kTruncate));
  RETURN_IF_ERROR(checksums->WriteAt(0, bytes));
  checksums->StartWriteback(0, bytes.size());
  // Gives back what was preallocated beyond the end.
  if (preallocated_ > length_) RETURN_IF_ERROR(data_->Truncate(length_));
  RETURN_IF_ERROR(data_->Sync());
  return checksums->Sync();
}

absl::Status ReplicaWriter::MoveToFinalized() {
  RETURN_IF_ERROR(volume_->PrepareFinalizedDir(block_.id));
  moving_ = true;
  // Checksums first: data under its final name always has them.
  RETURN_IF_ERROR(env_->Rename(volume_->RbwChecksums(block_), volume_->FinalizedChecksums(block_)));
  RETURN_IF_ERROR(env_->Rename(volume_->RbwData(block_), volume_->FinalizedData(block_.id)));
  return env_->SyncDir(volume_->FinalizedDir(block_.id));
}

void ReplicaWriter::Abort() {
  done_ = true;
  data_.reset();
  absl::Status removed = volume_->RemoveRbw(block_);
  if (moving_ && removed.ok()) removed = volume_->RemoveFinalized(block_);
  if (!removed.ok()) {
    LogWarn("block {}: its unfinished replica was not removed: {}", block_.id, MessageOf(removed));
  }
  promise_.reset();
  store_->FinishAbort(block_);
}

}  // namespace cairn::datanode
