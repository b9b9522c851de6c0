#include "client/bench/cluster_files.h"

#include <fmt/format.h>

#include <memory>
#include <span>
#include <utility>

#include "client/bench/raw_file.h"
#include "common/crc32c.h"
#include "common/strings.h"

namespace cairn::bench {
namespace {

absl::Status WriteAll(const Target& target, OutputStream* out, const Content& content,
                      uint64_t file, uint64_t bytes, Progress* progress) {
  for (uint64_t offset = 0; offset < bytes;) {
    if (target.stopped()) return absl::CancelledError("interrupted");
    const std::string_view piece = content.Piece(file, offset, bytes);
    RETURN_IF_ERROR(out->Write(piece));
    offset += piece.size();
    if (progress != nullptr) progress->done.fetch_add(piece.size(), std::memory_order_relaxed);
  }
  return out->Close();
}

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
  const absl::Status status = WriteAll(target, out->get(), content, file, bytes, progress);
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

}  // namespace cairn::bench
