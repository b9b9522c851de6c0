#include "namenode/verify_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "namenode/codec/edit_codec.h"
#include "namenode/journal/image_store.h"
#include "namenode/journal/journal_reader.h"
#include "namenode/journal/segment_format.h"

namespace cairn::namenode {
namespace {

// Where in an image file that fails its checksum the damage is: its pieces have checksums, too.
absl::Status LocateDamage(Env* env, const std::string& path, absl::Status found) {
  absl::StatusOr<std::unique_ptr<File>> file = env->Open(path, OpenMode::kRead);
  if (!file.ok()) return found;
  const absl::StatusOr<uint64_t> size = (*file)->Size();
  if (!size.ok() || *size < ImageStore::kTrailerBytes) return found;
  uint64_t offset = 0;
  const uint64_t end = *size - ImageStore::kTrailerBytes;
  const absl::Status loaded =
      LoadImage([&](char* buffer, size_t wanted) -> absl::StatusOr<size_t> {
        const size_t want = std::min<uint64_t>(wanted, end - offset);
        ASSIGN_OR_RETURN(const size_t got, (*file)->ReadAt(offset, {buffer, want}));
        offset += got;
        return got;
      }).status();
  if (loaded.ok() || !OffsetOf(loaded)) return found;  // in the trailer's own checksum
  return Annotate(loaded, path);
}

void CheckImage(Env* env, const std::string& cluster_id, FileCheck* check) {
  check->kind = FileKind::kImage;
  const absl::StatusOr<LoadedImage> image = LoadImageFile(env, check->path);
  if (!image.ok()) {
    check->gone = absl::IsNotFound(image.status());
    return check->Damage(image.status(), false);  // an older one stands in for it
  }
  check->digest = image->header.digest;
  if (image->header.txid != check->txid) {
    check->Damage(absl::DataLossError(fmt::format("{}: its header says that it is of txid {}",
                                                  check->path, image->header.txid)),
                  false);
  } else if (!cluster_id.empty() && image->header.cluster_id != cluster_id) {
    check->Damage(
        absl::DataLossError(fmt::format("{}: it belongs to cluster {}, not to {}", check->path,
                                        image->header.cluster_id, cluster_id)),
        true);
  }
  check->loads = check->ok() || check->blocks_start;
}

absl::Status ReadSegment(SegmentReader& reader, FileCheck* check) {
  JournalRecord record;
  while (true) {
    absl::StatusOr<bool> more = reader.Next(&record);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    const absl::StatusOr<EditRecord> edit = DecodeEdit(record.bytes);
    if (!edit.ok()) {
      return WithOffset(Annotate(edit.status(), fmt::format("{}: edit {}, at byte {}", check->path,
                                                            record.txid, record.offset)),
                        record.offset);
    }
    check->last = record.txid;
  }
}

void CheckSegment(Env* env, const SegmentName& name, FileCheck* check) {
  check->kind = FileKind::kSegment;
  check->first = name.first;
  check->last = name.first - 1;
  check->closed = name.closed;
  check->named_last = name.last;
  absl::StatusOr<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(env, check->path);
  if (!reader.ok()) {
    check->gone = absl::IsNotFound(reader.status());
    return check->Damage(reader.status(), true);
  }
  check->segment_id = (*reader)->id();
  if (absl::Status read = ReadSegment(**reader, check); !read.ok())
    return check->Damage(read, true);
  check->torn = (*reader)->torn();
  if (check->torn) check->offset = (*reader)->valid_bytes();
}

}  // namespace

absl::StatusOr<LoadedImage> LoadImageFile(Env* env, const std::string& path) {
  absl::StatusOr<std::unique_ptr<ImageSource>> source = ImageStore::OpenFile(env, path);
  if (absl::IsDataLoss(source.status())) return LocateDamage(env, path, source.status());
  if (!source.ok()) return source.status();
  absl::StatusOr<LoadedImage> image = LoadImage(
      [&](char* buffer, size_t size) { return (*source)->Read(std::span<char>(buffer, size)); });
  if (!image.ok()) return Annotate(image.status(), path);
  return image;
}

FileCheck CheckVersion(Env* env, const std::string& dir) {
  FileCheck check;
  check.path = dir + "/VERSION";
  check.kind = FileKind::kVersion;
  absl::StatusOr<std::optional<DataDirVersion>> version =
      ReadDataDirVersion(*env, dir, DataDirType::kNameNode);
  if (!version.ok()) {
    check.Damage(version.status(), true);
    return check;
  }
  check.version = *std::move(version);
  if (check.version.has_value()) return check;
  if (env->Exists(dir + "/current").value_or(false)) {
    check.Damage(absl::DataLossError(fmt::format(
                     "{}: missing, but current/ is there; restore it from a copy", check.path)),
                 true);
  } else {
    check.verdict = FileVerdict::kBehind;
    check.reason = fmt::format("{}: not formatted", dir);
  }
  return check;
}

FileCheck CheckFile(Env* env, const std::string& dir, const std::string& name,
                    const std::string& cluster_id) {
  FileCheck check;
  check.path = fmt::format("{}/current/{}", dir, name);
  if (const auto image = ImageStore::ParseName(name)) {
    check.txid = *image;
    CheckImage(env, cluster_id, &check);
  } else if (const auto segment = ParseSegmentName(name)) {
    CheckSegment(env, *segment, &check);
  } else {
    check.verdict = FileVerdict::kUnknown;
    check.reason = name.ends_with(kTmpSuffix)
                       ? "being written, or left by a crash: a start removes it"
                       : "not a file of the NameNode's";
  }
  return check;
}

}  // namespace cairn::namenode
