#include "datanode/store/replica_writer.h"

#include <algorithm>
#include <utility>

#include "datanode/store/open_files.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {

ReplicaWriter::ReplicaWriter(ReplicaStore* store, Volume* volume, const Block& block,
                             std::unique_ptr<OpenFiles> files,
                             std::unique_ptr<SpacePromise> promise)
    : store_(store),
      volume_(volume),
      block_(block),
      files_(std::move(files)),
      open_(files_->open()),
      promise_(std::move(promise)) {}

ReplicaWriter::~ReplicaWriter() {
  if (!done_) store_->LeaveWritten(this);
}

uint64_t ReplicaWriter::length() const { return open_->written().length; }

uint64_t ReplicaWriter::durable_length() const { return open_->durable().synced_length; }

void ReplicaWriter::SetVisible(uint64_t length) { open_->Acknowledge(length); }

absl::Status ReplicaWriter::Check() {
  RETURN_IF_ERROR(failure_);
  if (done_) return absl::FailedPreconditionError("the replica is finalized");
  return store_->CheckWriter(*this);
}

absl::Status ReplicaWriter::Append(uint64_t offset, const absl::Cord& payload,
                                   std::span<const uint32_t> crcs) {
  RETURN_IF_ERROR(Check());
  absl::Status status = files_->Append(offset, payload, crcs, block_.length);
  promise_->SetAllocated(std::max(length(), files_->preallocated()));
  // A wrong packet says nothing against the disk.
  if (absl::IsInvalidArgument(status) || absl::IsDataLoss(status)) return status;
  return failure_ = volume_->NoteWriteFailure(std::move(status));
}

absl::Status ReplicaWriter::Sync() {
  RETURN_IF_ERROR(Check());
  RETURN_IF_ERROR(NoteSync(files_->Sync()));
  return failure_ = store_->NameDurably(this);
}

absl::Status ReplicaWriter::Finalize(Durability durability) {
  RETURN_IF_ERROR(Check());
  RETURN_IF_ERROR(store_->CheckWhole(*this));
  failure_ = store_->FinalizeWritten(this, durability);
  done_ = failure_.ok();
  return failure_;
}

absl::Status ReplicaWriter::Seal() {
  RETURN_IF_ERROR(Check());
  RETURN_IF_ERROR(store_->CheckWhole(*this));
  return failure_ = store_->SealWritten(this);
}

absl::Status ReplicaWriter::NoteSync(absl::Status status) {
  // What it did not write is lost, and a later sync would not say so.
  if (!status.ok() && files_->lost()) open_->Fail(status);
  return failure_ = volume_->NoteWriteFailure(std::move(status));
}

}  // namespace cairn::datanode
