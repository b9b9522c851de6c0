#include "namenode/namesystem/state_store.h"

#include <fmt/core.h>

#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "common/logging.h"
#include "common/read_ahead.h"
#include "namenode/codec/edit_codec.h"
#include "namenode/codec/image.h"
#include "namenode/journal/disk_space.h"
#include "namenode/journal/image_store.h"
#include "namenode/journal/journal_reader.h"
#include "namenode/journal/journal_recovery.h"
#include "namenode/namespace/apply.h"

namespace cairn::namenode {
namespace {

// A log line for each so many edits replayed, or bytes of the image loaded.
constexpr uint64_t kProgressEdits = 1'000'000;
constexpr uint64_t kProgressImageBytes = 256 << 20;
constexpr size_t kEditsABatch = 512;
constexpr size_t kBatchesAhead = 8;

absl::StatusOr<LoadedImage> LoadFrom(const ImageStore& images, TxId txid) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, images.Open(txid));
  uint64_t bytes = 0;
  uint64_t next_line = kProgressImageBytes;
  return LoadImage([&](char* buffer, size_t size) -> absl::StatusOr<size_t> {
    ASSIGN_OR_RETURN(const size_t got, source->Read(std::span<char>(buffer, size)));
    bytes += got;
    if (bytes >= next_line) {
      LogInfo("loading the image of txid {}: {} of {} MiB", txid, bytes >> 20,
              source->size() >> 20);
      next_line += kProgressImageBytes;
    }
    return got;
  });
}

using DecodedEdits = std::vector<std::pair<TxId, EditRecord>>;

// Edits in batches, for the thread that reads ahead of Apply.
class EditSource {
 public:
  explicit EditSource(std::unique_ptr<JournalReader> reader) : reader_(std::move(reader)) {}

  // What comes before damage is handed out first.
  absl::StatusOr<std::optional<DecodedEdits>> Next() {
    DecodedEdits edits;
    edits.reserve(kEditsABatch);
    while (failure_.ok() && edits.size() < kEditsABatch) {
      absl::StatusOr<bool> more = Read(&edits);
      if (!more.ok()) {
        failure_ = more.status();
      } else if (!*more) {
        break;
      }
    }
    if (!edits.empty()) return edits;
    if (!failure_.ok()) return failure_;
    return std::optional<DecodedEdits>();
  }

 private:
  absl::StatusOr<bool> Read(DecodedEdits* edits) {
    JournalRecord record;
    ASSIGN_OR_RETURN(const bool more, reader_->Next(&record));
    if (!more) return false;
    absl::StatusOr<EditRecord> edit = DecodeEdit(record.bytes);
    if (!edit.ok()) return Annotate(edit.status(), fmt::format("replay of edit {}", record.txid));
    edits->emplace_back(record.txid, *std::move(edit));
    return true;
  }

  std::unique_ptr<JournalReader> reader_;
  absl::Status failure_;
};

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
  EditSource source(std::move(reader));
  ReadAhead<DecodedEdits> batches(kBatchesAhead, [&source] { return source.Next(); });
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<DecodedEdits> edits, batches.Next());
    if (!edits.has_value()) return absl::OkStatus();
    for (const auto& [txid, record] : *edits) {
      const absl::Status applied = Apply(*loaded->state, txid, record).status();
      if (!applied.ok()) return Annotate(applied, fmt::format("replay of edit {}", txid));
      if (txid % kProgressEdits == 0) LogInfo("replayed edits up to {} of {}", txid, through);
    }
  }
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
