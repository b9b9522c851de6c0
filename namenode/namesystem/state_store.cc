#include "namenode/namesystem/state_store.h"

#include <fmt/core.h>

#include <limits>
#include <span>
#include <utility>

#include "common/logging.h"
#include "namenode/codec/edit_codec.h"
#include "namenode/codec/image.h"
#include "namenode/journal/disk_space.h"
#include "namenode/journal/image_store.h"
#include "namenode/journal/journal_reader.h"
#include "namenode/journal/journal_recovery.h"
#include "namenode/namespace/apply.h"

namespace cairn::namenode {
namespace {

constexpr uint64_t kProgressEdits = 1'000'000;  // a log line for each so many edits replayed

absl::StatusOr<LoadedImage> LoadFrom(const ImageStore& images, TxId txid) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, images.Open(txid));
  return LoadImage(
      [&](char* buffer, size_t size) { return source->Read(std::span<char>(buffer, size)); });
}

}  // namespace

absl::Status StateStore::Format(const std::string& owner, const std::string& group,
                                int64_t now_ms) {
  return SaveImage(FsState::Format(owner, group, now_ms));
}

absl::StatusOr<LoadedState> StateStore::Recover() {
  RETURN_IF_ERROR(ImageStore(env_, dirs_).Recover());
  ASSIGN_OR_RETURN(LoadedState loaded, LoadImageUpTo(std::numeric_limits<TxId>::max()));
  ASSIGN_OR_RETURN(loaded.last_txid, RecoverJournal(env_, dirs_, loaded.image_txid + 1));
  RETURN_IF_ERROR(Replay(&loaded, loaded.last_txid));
  return loaded;
}

absl::Status StateStore::WriteCheckpoint(TxId through) {
  ASSIGN_OR_RETURN(LoadedState loaded, LoadImageUpTo(through));
  if (loaded.image_txid == through) return absl::OkStatus();
  RETURN_IF_ERROR(Replay(&loaded, through));
  return SaveImage(*loaded.state);
}

absl::StatusOr<LoadedState> StateStore::LoadImageUpTo(TxId through) {
  ImageStore images(env_, dirs_);
  ASSIGN_OR_RETURN(const std::vector<TxId> txids, images.List());
  absl::Status failure = absl::DataLossError(fmt::format(
      "{}: no fsimage file; restore one from another --data-dir or a backup", dirs_.front()));
  for (const TxId txid : txids) {
    if (txid > through) continue;
    absl::StatusOr<LoadedImage> image = LoadFrom(images, txid);
    if (!image.ok()) {
      failure = Annotate(image.status(), fmt::format("fsimage of txid {}", txid));
      LogError("{}; trying an older one", MessageOf(failure));
      continue;
    }
    if (image->header.cluster_id != cluster_id_) {
      return absl::FailedPreconditionError(
          fmt::format("fsimage of txid {} belongs to cluster {}, the data directory to {}", txid,
                      image->header.cluster_id, cluster_id_));
    }
    LoadedState loaded;
    loaded.state = std::make_unique<FsState>(std::move(image->state));
    loaded.image_txid = txid;
    loaded.last_txid = txid;
    return loaded;
  }
  return failure;
}

absl::Status StateStore::Replay(LoadedState* loaded, TxId through) {
  if (through == loaded->image_txid) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::unique_ptr<JournalReader> reader,
                   JournalReader::Open(env_, dirs_, loaded->image_txid + 1, through));
  JournalRecord record;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader->Next(&record));
    if (!more) break;
    absl::StatusOr<EditRecord> edit = DecodeEdit(record.bytes);
    absl::Status applied =
        edit.ok() ? Apply(*loaded->state, record.txid, *edit).status() : edit.status();
    if (!applied.ok()) return Annotate(applied, fmt::format("replay of edit {}", record.txid));
    if (record.txid % kProgressEdits == 0) {
      LogInfo("replayed edits up to {} of {}", record.txid, through);
    }
  }
  return absl::OkStatus();
}

absl::Status StateStore::SaveImage(const FsState& state) {
  ImageStore images(env_, dirs_);
  ASSIGN_OR_RETURN(std::unique_ptr<ImageSink> sink, images.Create(state.applied_txid()));
  RETURN_IF_ERROR(namenode::SaveImage(state, cluster_id_,
                                      [&](std::string_view bytes) { return sink->Append(bytes); }));
  return sink->Finish();
}

absl::StatusOr<TxId> StateStore::RemoveOldImages() {
  ImageStore images(env_, dirs_);
  RETURN_IF_ERROR(images.RemoveOld());
  ASSIGN_OR_RETURN(const std::vector<TxId> kept, images.List());
  if (kept.empty()) return absl::DataLossError("no fsimage is left");
  return kept.back();
}

absl::Status StateStore::CheckSpace(uint64_t reserved_bytes) const {
  return CheckReserved(env_, dirs_, reserved_bytes);
}

}  // namespace cairn::namenode
