#include "client/bench/cluster_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "client/bench/raw_file.h"
#include "common/crc32c.h"
#include "common/strings.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kNoticedBytes = 64 << 20;  // the removal of less slows nothing

class ContentSource final : public ByteSource {
 public:
  ContentSource(const Target& target, const Content& content, uint64_t file, uint64_t bytes,
                Progress* progress)
      : target_(target), content_(content), file_(file), bytes_(bytes), progress_(progress) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) override {
    if (target_.stopped()) return absl::CancelledError("interrupted");
    size_t filled = 0;
    while (filled < out.size()) {
      const std::string_view piece = content_.Piece(file_, offset + filled, bytes_);
      if (piece.empty()) break;
      filled += piece.copy(out.data() + filled, out.size() - filled);
    }
    if (progress_ != nullptr) progress_->done.fetch_add(filled, std::memory_order_relaxed);
    return filled;
  }

 private:
  const Target& target_;
  const Content& content_;
  const uint64_t file_;
  const uint64_t bytes_;
  Progress* const progress_;
};

absl::Status Different(const std::string& path) {
  return WithKind(absl::DataLossError(path + ": what was read is not what was written"),
                  ErrorKind::kChecksum);
}

}  // namespace

absl::Status InClusterFolder(FileSystem* fs, const std::string& parent, const std::string& prefix,
                             const std::function<absl::Status(const std::string& dir)>& work) {
  const absl::Status there = fs->GetFileInfo(parent).status();
  if (!there.ok() && !absl::IsNotFound(there)) return Annotate(there, parent);
  const std::string dir = fmt::format("{}/{}-{}", parent, prefix, NewUuid());
  absl::Status status = fs->Mkdirs(dir, /*create_parents=*/true);
  if (!status.ok()) return Annotate(status, parent);
  status = work(dir);
  // Only what is ours: the folder that holds it was there before, or is empty unless others use it.
  const absl::Status removed = fs->Delete(dir, /*recursive=*/true);
  if (absl::IsNotFound(there)) fs->Delete(parent, /*recursive=*/false).IgnoreError();
  if (status.ok()) status = Annotate(removed, fmt::format("cannot remove {}", dir));
  return status;
}

absl::Status PutContent(const Target& target, const std::string& path, const Content& content,
                        uint64_t file, uint64_t bytes, CreateOptions options, Progress* progress) {
  options.publish = true;
  options.expected_length = bytes;
  absl::StatusOr<std::unique_ptr<OutputStream>> out = target.fs->Create(path, options);
  if (!out.ok()) return Annotate(out.status(), path);
  ContentSource source(target, content, file, bytes, progress);
  absl::Status status = (*out)->WriteFrom(source, bytes);
  if (status.ok()) status = (*out)->Close();
  if (status.ok()) return status;
  (*out)->Abandon().IgnoreError();
  return Annotate(status, path);
}

absl::Status CheckContent(const Target& target, const std::string& path, uint64_t bytes,
                          uint32_t crc, Progress* progress) {
  absl::StatusOr<std::unique_ptr<InputStream>> in = target.fs->Open(path);
  if (!in.ok()) return Annotate(in.status(), path);
  const AlignedBuffer buffer(Content::kPieceBytes);
  uint64_t got = 0;
  uint32_t got_crc = 0;
  while (true) {
    if (target.stopped()) return absl::CancelledError("interrupted");
    const absl::StatusOr<size_t> more = (*in)->Read(buffer.span());
    if (!more.ok()) return Annotate(more.status(), path);
    if (*more == 0) break;
    got_crc = Crc32cExtend(got_crc, buffer.first(*more));
    got += *more;
    progress->done.fetch_add(*more, std::memory_order_relaxed);
  }
  if (got != bytes || got_crc != crc) return Different(path);
  return absl::OkStatus();
}

absl::Status GetSmall(const Target& target, const std::string& path, const Content& content,
                      uint64_t file, uint64_t bytes) {
  absl::StatusOr<std::unique_ptr<InputStream>> in = target.fs->Open(path);
  if (!in.ok()) return Annotate(in.status(), path);
  std::string got(bytes, '\0');
  const absl::StatusOr<size_t> size = (*in)->Read(got);
  if (!size.ok()) return Annotate(size.status(), path);
  if ((*in)->length() != bytes || *size != bytes || !content.Matches(file, 0, got)) {
    return Different(path);
  }
  return absl::OkStatus();
}

absl::Status RemoveContent(const Target& target, const std::string& path, uint64_t stored) {
  uint64_t before = 0;
  if (target.stored_bytes) {
    ASSIGN_OR_RETURN(before, target.stored_bytes());
  }
  RETURN_IF_ERROR(Annotate(target.fs->Delete(path, /*recursive=*/false),
                           fmt::format("cannot remove {}", path)));
  if (!target.await_stored || stored < kNoticedBytes) return absl::OkStatus();
  // All but what may be written meanwhile, such as logs.
  return target.await_stored(before - std::min(before, stored / 10 * 9));
}

}  // namespace cairn::bench
