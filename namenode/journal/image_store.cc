#include "namenode/journal/image_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "common/crc32c.h"
#include "common/logging.h"
#include "common/offset_status.h"
#include "namenode/journal/segment_format.h"

namespace cairn::namenode {
namespace {

constexpr std::string_view kPrefix = "fsimage_";
constexpr std::string_view kTrailerMagic = "CAIRNIMG";
constexpr size_t kTrailerBytes = ImageStore::kTrailerBytes;
constexpr size_t kPieceBytes = 1u << 20;

std::string ImagePath(const std::string& dir, TxId txid) {
  return fmt::format("{}/{}{:020}", dir, kPrefix, txid);
}

// Trailer: magic 8, version 4, CRC32C of the content 4, content bytes 8, zero 4, CRC32C of these 4.
std::string EncodeTrailer(uint64_t bytes, uint32_t crc) {
  std::string out(kTrailerBytes, '\0');
  kTrailerMagic.copy(out.data(), kTrailerMagic.size());
  PutU32(1, out.data() + 8);
  PutU32(crc, out.data() + 12);
  PutU64(bytes, out.data() + 16);
  PutU32(Crc32c({out.data(), kTrailerBytes - 4}), out.data() + kTrailerBytes - 4);
  return out;
}

// An image file whose checksum was verified.
class FileSource final : public ImageSource {
 public:
  FileSource(std::unique_ptr<File> file, uint64_t size) : file_(std::move(file)), size_(size) {}

  absl::StatusOr<size_t> Read(std::span<char> out) override {
    const size_t want = std::min<uint64_t>(out.size(), size_ - offset_);
    if (want == 0) return 0;
    ASSIGN_OR_RETURN(const size_t got, file_->ReadAt(offset_, out.first(want)));
    if (got < want) return absl::DataLossError("the image became shorter while it was read");
    offset_ += got;
    return got;
  }
  uint64_t size() const override { return size_; }

 private:
  const std::unique_ptr<File> file_;
  const uint64_t size_;
  uint64_t offset_ = 0;
};

absl::Status Damage(const std::string& path, uint64_t offset, std::string_view what) {
  return WithOffset(
      absl::DataLossError(
          fmt::format("{}: damaged at byte {}: {}; restore this file from another --data-dir or a "
                      "backup, or move it away to begin at an older image",
                      path, offset, what)),
      offset);
}

// Reads all of [0, bytes) and compares its checksum.
absl::Status VerifyContent(File& file, const std::string& path, uint64_t bytes, uint32_t expected) {
  std::string piece(kPieceBytes, '\0');
  uint32_t crc = 0;
  for (uint64_t offset = 0; offset < bytes;) {
    const size_t want = std::min<uint64_t>(piece.size(), bytes - offset);
    ASSIGN_OR_RETURN(const size_t got, file.ReadAt(offset, {piece.data(), want}));
    if (got == 0) return Damage(path, offset, "the file ends here");
    crc = Crc32cExtend(crc, {piece.data(), got});
    offset += got;
  }
  if (crc != expected) {
    return Damage(path, 0, fmt::format("the {} bytes from here fail their checksum", bytes));
  }
  return absl::OkStatus();
}

// Writes the same image to all directories.
class FileSink final : public ImageSink {
 public:
  FileSink(Env* env, TxId txid) : env_(env), txid_(txid) {}

  ~FileSink() override {
    for (const Copy& copy : copies_) (void)env_->Remove(copy.tmp);  // gone when finished
  }

  absl::Status AddDir(const std::string& dir) {
    Copy copy{.dir = dir, .path = ImagePath(dir, txid_), .tmp = "", .file = nullptr};
    copy.tmp = copy.path + std::string(kTmpSuffix);
    ASSIGN_OR_RETURN(copy.file, env_->Open(copy.tmp, OpenMode::kTruncate));
    copies_.push_back(std::move(copy));
    return absl::OkStatus();
  }

  absl::Status Append(std::string_view bytes) override {
    buffer_.append(bytes);
    crc_ = Crc32cExtend(crc_, bytes);
    bytes_ += bytes.size();
    return buffer_.size() >= kPieceBytes ? Flush() : absl::OkStatus();
  }

  absl::Status Finish() override {
    buffer_ += EncodeTrailer(bytes_, crc_);
    RETURN_IF_ERROR(Flush());
    for (const Copy& copy : copies_) RETURN_IF_ERROR(copy.file->Sync());
    for (const Copy& copy : copies_) {
      RETURN_IF_ERROR(env_->Rename(copy.tmp, copy.path));
      RETURN_IF_ERROR(env_->SyncDir(copy.dir));
    }
    copies_.clear();
    return absl::OkStatus();
  }

 private:
  struct Copy {
    std::string dir;
    std::string path;
    std::string tmp;
    std::unique_ptr<File> file;
  };

  absl::Status Flush() {
    for (const Copy& copy : copies_) {
      RETURN_IF_ERROR(copy.file->WriteAt(flushed_, buffer_));
      copy.file->StartWriteback(flushed_, buffer_.size());  // spreads what Finish would wait for
    }
    flushed_ += buffer_.size();
    buffer_.clear();
    return absl::OkStatus();
  }

  Env* const env_;
  const TxId txid_;
  std::vector<Copy> copies_;
  std::string buffer_;
  uint64_t flushed_ = 0;
  uint64_t bytes_ = 0;
  uint32_t crc_ = 0;
};

absl::StatusOr<std::set<TxId, std::greater<>>> ListDir(Env* env, const std::string& dir) {
  std::set<TxId, std::greater<>> txids;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, env->List(dir));
  for (const std::string& name : names) {
    if (const auto txid = ImageStore::ParseName(name)) txids.insert(*txid);
  }
  return txids;
}

}  // namespace

std::optional<TxId> ImageStore::ParseName(std::string_view name) {
  TxId txid = 0;
  if (!name.starts_with(kPrefix) || name.size() != kPrefix.size() + 20) return std::nullopt;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, txid);
  if (error != std::errc() || stop != end) return std::nullopt;
  return txid;
}

ImageStore::ImageStore(Env* env, std::vector<std::string> dirs)
    : env_(env), dirs_(std::move(dirs)) {}

absl::StatusOr<std::unique_ptr<ImageSource>> ImageStore::OpenFile(Env* env,
                                                                  const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, env->Open(path, OpenMode::kRead));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size < kTrailerBytes) return Damage(path, size, "the file ends here");
  const uint64_t bytes = size - kTrailerBytes;
  std::string trailer(kTrailerBytes, '\0');
  ASSIGN_OR_RETURN(const size_t got, file->ReadAt(bytes, {trailer.data(), trailer.size()}));
  if (got < kTrailerBytes) return Damage(path, bytes + got, "the file ends here");
  const uint32_t crc = GetU32(trailer.data() + 12);
  if (!trailer.starts_with(kTrailerMagic) ||
      Crc32c({trailer.data(), kTrailerBytes - 4}) != GetU32(trailer.data() + kTrailerBytes - 4)) {
    return Damage(path, bytes, "the trailer fails its checksum");
  }
  if (const uint32_t version = GetU32(trailer.data() + 8); version != 1) {
    return absl::FailedPreconditionError(
        fmt::format("{}: image format {} is not known here (1 is)", path, version));
  }
  if (GetU64(trailer.data() + 16) != bytes) return Damage(path, bytes, "the length is wrong");
  RETURN_IF_ERROR(VerifyContent(*file, path, bytes, crc));
  return std::make_unique<FileSource>(std::move(file), bytes);
}

absl::StatusOr<std::vector<TxId>> ImageStore::List() const {
  std::set<TxId, std::greater<>> all;
  for (const std::string& dir : dirs_) {
    ASSIGN_OR_RETURN(const auto txids, ListDir(env_, dir));
    all.insert(txids.begin(), txids.end());
  }
  return std::vector<TxId>(all.begin(), all.end());
}

absl::StatusOr<std::unique_ptr<ImageSource>> ImageStore::Open(TxId txid) const {
  absl::Status damage;
  for (const std::string& dir : dirs_) {
    const std::string path = ImagePath(dir, txid);
    ASSIGN_OR_RETURN(const bool exists, env_->Exists(path));
    if (!exists) continue;
    absl::StatusOr<std::unique_ptr<ImageSource>> source = OpenFile(env_, path);
    if (source.ok()) return source;
    LogWarn("{}", MessageOf(source.status()));
    damage.Update(source.status());
  }
  if (!damage.ok()) return damage;
  return absl::NotFoundError(fmt::format("there is no image of txid {}", txid));
}

absl::StatusOr<std::unique_ptr<ImageSink>> ImageStore::Create(TxId txid) {
  auto sink = std::make_unique<FileSink>(env_, txid);
  for (const std::string& dir : dirs_) RETURN_IF_ERROR(sink->AddDir(dir));
  return sink;
}

absl::Status ImageStore::RemoveOld() {
  ASSIGN_OR_RETURN(const std::vector<TxId> all, List());
  if (all.size() <= kKept) return absl::OkStatus();
  const TxId oldest_kept = all[kKept - 1];
  for (const std::string& dir : dirs_) {
    ASSIGN_OR_RETURN(const auto txids, ListDir(env_, dir));
    bool removed = false;
    for (const TxId txid : txids) {
      if (txid >= oldest_kept) continue;
      RETURN_IF_ERROR(env_->Remove(ImagePath(dir, txid)));
      removed = true;
    }
    if (removed) RETURN_IF_ERROR(env_->SyncDir(dir));
  }
  return absl::OkStatus();
}

absl::Status ImageStore::Recover() {
  for (const std::string& dir : dirs_) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, env_->List(dir));
    for (const std::string& name : names) {
      if (!name.starts_with(kPrefix) || !name.ends_with(kTmpSuffix)) continue;
      RETURN_IF_ERROR(env_->Remove(fmt::format("{}/{}", dir, name)));
    }
  }
  if (dirs_.size() == 1) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<TxId> all, List());
  if (all.empty()) return absl::OkStatus();
  return CopyToAll(all.front());
}

// Gives every directory an intact copy of the image of `txid`, if any has one.
absl::Status ImageStore::CopyToAll(TxId txid) {
  std::vector<std::string> lacking;
  std::unique_ptr<ImageSource> intact;
  for (const std::string& dir : dirs_) {
    absl::StatusOr<std::unique_ptr<ImageSource>> source = OpenFile(env_, ImagePath(dir, txid));
    if (!source.ok()) {
      if (!absl::IsNotFound(source.status())) LogWarn("{}", MessageOf(source.status()));
      lacking.push_back(dir);
    } else if (intact == nullptr) {
      intact = *std::move(source);
    }
  }
  if (lacking.empty() || intact == nullptr) return absl::OkStatus();
  FileSink sink(env_, txid);
  for (const std::string& dir : lacking) {
    LogWarn("{}: written again from another data directory", ImagePath(dir, txid));
    RETURN_IF_ERROR(sink.AddDir(dir));
  }
  std::string piece(kPieceBytes, '\0');
  while (true) {
    ASSIGN_OR_RETURN(const size_t got, intact->Read({piece.data(), piece.size()}));
    if (got == 0) break;
    RETURN_IF_ERROR(sink.Append({piece.data(), got}));
  }
  return sink.Finish();
}

}  // namespace cairn::namenode
