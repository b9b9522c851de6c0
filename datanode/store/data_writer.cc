#include "datanode/store/data_writer.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "common/logging.h"
#include "common/strings.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kWritebackBytes = 8 << 20;
// kAuto writes packets from here on directly. Smaller ones come from writers that flush or are slow
// (a writer doubles its packets while they are served quickly); each would wait for the disk alone.
constexpr uint64_t kStreamingBytes = 256 << 10;

constexpr uint64_t PageStart(uint64_t offset) {
  return offset / kDirectAlignment * kDirectAlignment;
}
constexpr uint64_t PageEnd(uint64_t offset) { return PageStart(offset + kDirectAlignment - 1); }

// Through the page cache. Write-back is started early, so that the sync at the end is short.
class BufferedWriter final : public DataWriter {
 public:
  explicit BufferedWriter(File* file) : file_(file) {}

  absl::Status Write(uint64_t offset, const absl::Cord& bytes) override {
    absl::InlinedVector<std::string_view, 64> pieces;
    for (const auto chunk : bytes.Chunks()) pieces.push_back(ToStd(chunk));
    RETURN_IF_ERROR(file_->WriteVAt(offset, pieces));
    if (unwritten_ == 0) from_ = offset;
    unwritten_ += bytes.size();
    if (unwritten_ >= kWritebackBytes) StartWriteback(offset + bytes.size());
    return absl::OkStatus();
  }

 private:
  void StartWriteback(uint64_t end) {
    file_->StartWriteback(from_, end - from_);
    unwritten_ = 0;
  }

  File* const file_;
  uint64_t from_ = 0;       // of what write-back was not started for
  uint64_t unwritten_ = 0;  // bytes of that
};

class DirectWriter final : public DataWriter {
 public:
  DirectWriter(Env* env, std::string path, File* file, const DataWriting& writing)
      : env_(env),
        path_(std::move(path)),
        buffers_(writing.buffers),
        always_(writing.how == DiskWrites::kDirect),
        buffered_(file) {}

  absl::Status Write(uint64_t offset, const absl::Cord& bytes) override {
    const uint64_t end = offset + bytes.size();
    // Whole pages that begin and end in these bytes.
    const uint64_t from = std::min(PageEnd(offset), end);
    const uint64_t to = std::max(PageStart(end), from);
    if (!MayWriteDirectly(from, to)) return buffered_.Write(offset, bytes);
    RETURN_IF_ERROR(WriteBuffered(offset, bytes.Subcord(0, from - offset)));
    RETURN_IF_ERROR(WriteDirectly(from, bytes.Subcord(from - offset, to - from)));
    return WriteBuffered(to, bytes.Subcord(to - offset, end - to));
  }

 private:
  bool MayWriteDirectly(uint64_t from, uint64_t to) const {
    return works_ && to - from >= (always_ ? kDirectAlignment : kStreamingBytes);
  }

  absl::Status WriteBuffered(uint64_t offset, const absl::Cord& bytes) {
    if (bytes.empty()) return absl::OkStatus();
    if (!always_) works_ = false;  // it was flushed, or this is its end
    return buffered_.Write(offset, bytes);
  }

  absl::Status WriteDirectly(uint64_t offset, const absl::Cord& bytes) {
    const AlignedBuffers::Lease buffer = buffers_->Take();
    if (!buffer) return buffered_.Write(offset, bytes);
    OpenFile();
    if (!works_) return buffered_.Write(offset, bytes);
    for (uint64_t done = 0; done < bytes.size();) {
      const absl::Cord piece = bytes.Subcord(done, buffer.span().size());
      const absl::Status status = WritePiece(offset + done, piece, buffer.span());
      if (absl::IsUnimplemented(status)) {
        GiveUp(status);
        return buffered_.Write(offset + done, bytes.Subcord(done, bytes.size() - done));
      }
      RETURN_IF_ERROR(status);
      done += piece.size();
    }
    return absl::OkStatus();
  }

  // Where there is a reason why not (too many open files, say), the other way may still be open.
  void OpenFile() {
    if (file_ != nullptr) return;
    auto file = env_->Open(path_, OpenMode::kDirect);
    if (!file.ok()) return GiveUp(file.status());
    file_ = *std::move(file);
  }

  void GiveUp(const absl::Status& why) {
    LogWarn("the rest of a replica is written through the page cache: {}", MessageOf(why));
    works_ = false;
  }

  absl::Status WritePiece(uint64_t offset, const absl::Cord& piece, std::span<char> buffer) {
    char* at = buffer.data();
    for (const auto chunk : piece.Chunks()) {
      std::memcpy(at, chunk.data(), chunk.size());
      at += chunk.size();
    }
    return file_->WriteAt(offset, {buffer.data(), piece.size()});
  }

  Env* const env_;
  const std::string path_;
  AlignedBuffers* const buffers_;
  const bool always_;  // whatever has a whole page, as long as it works
  BufferedWriter buffered_;
  std::unique_ptr<File> file_;  // from the first direct write on
  bool works_ = true;
};

}  // namespace

std::unique_ptr<DataWriter> MakeDataWriter(Env* env, std::string path, File* file,
                                           const DataWriting& writing, bool fresh) {
  const bool buffered =
      writing.how == DiskWrites::kBuffered || (writing.how == DiskWrites::kAuto && !fresh);
  if (buffered) return std::make_unique<BufferedWriter>(file);
  return std::make_unique<DirectWriter>(env, std::move(path), file, writing);
}

absl::Status TryDirectWrite(Env* env, const std::string& path, AlignedBuffers* buffers) {
  RETURN_IF_ERROR(env->Open(path, OpenMode::kTruncate).status());
  const auto write = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto file, env->Open(path, OpenMode::kDirect));
    const AlignedBuffers::Lease buffer = buffers->Take();
    if (!buffer) return absl::ResourceExhaustedError("no memory to write from");
    std::memset(buffer.span().data(), 0, kDirectAlignment);
    return file->WriteAt(0, {buffer.span().data(), kDirectAlignment});
  };
  absl::Status written = write();
  const absl::Status removed = env->Remove(path);
  return written.ok() ? removed : written;
}

}  // namespace cairn::datanode
