#include "client/bench/raw_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/strings.h"

namespace cairn::bench {
namespace {

size_t Aligned(size_t bytes) {
  return (bytes + kDiskAlignment - 1) / kDiskAlignment * kDiskAlignment;
}

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes)
    : bytes_(bytes), data_(static_cast<char*>(std::aligned_alloc(kDiskAlignment, bytes))) {
  std::memset(data_.get(), 0, bytes_);
}

absl::StatusOr<std::unique_ptr<RawFile>> RawFile::Create(const std::string& dir, uint64_t bytes,
                                                         bool direct) {
  const std::string path = dir + "/cairn-bench-" + NewUuid();
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  Fd fd(open(path.c_str(), kFlags, 0600));
  if (fd.get() < 0) return ErrnoStatus(dir, errno);
  if (direct) {
    // Not every file system has it; a memory file system does not need it.
    if (Fd bypassing(open(path.c_str(), O_RDWR | O_CLOEXEC | O_DIRECT)); bypassing.get() >= 0) {
      fd = std::move(bypassing);
    }
  }
  if (unlink(path.c_str()) != 0) return ErrnoStatus(path, errno);
  const auto size = static_cast<off_t>(Aligned(std::max<uint64_t>(bytes, 1)));
  if (fallocate(fd.get(), 0, 0, size) != 0) {
    if (errno != EOPNOTSUPP) return ErrnoStatus(dir, errno);
    if (ftruncate(fd.get(), size) != 0) return ErrnoStatus(dir, errno);
  }
  if (fsync(fd.get()) != 0) return ErrnoStatus(dir, errno);
  return std::unique_ptr<RawFile>(new RawFile(std::move(fd)));
}

absl::Status RawFile::Write(uint64_t offset, const AlignedBuffer& buffer, size_t bytes) {
  std::string_view left = buffer.first(Aligned(bytes));
  while (!left.empty()) {
    const ssize_t written = pwrite(fd(), left.data(), left.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus("a file of the baseline", errno);
    }
    left.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status RawFile::Sync() {
  if (fdatasync(fd()) != 0) return ErrnoStatus("a file of the baseline", errno);
  return absl::OkStatus();
}

absl::Status RawFile::Read(uint64_t offset, const AlignedBuffer& buffer) const {
  const std::span<char> out = buffer.span();
  for (size_t done = 0; done < out.size();) {
    const ssize_t got =
        pread(fd(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("a file of the baseline", errno);
    if (got == 0) return absl::OutOfRangeError("a file of the baseline is too short");
    done += static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status RawFile::Fill(const Content& content, uint64_t file, uint64_t bytes,
                           const Stopped& stopped) {
  const AlignedBuffer buffer(Content::kPieceBytes);
  for (uint64_t offset = 0; offset < bytes;) {
    if (stopped()) return absl::CancelledError("interrupted");
    const std::string_view piece = content.Piece(file, offset, bytes);
    std::memcpy(buffer.span().data(), piece.data(), piece.size());
    RETURN_IF_ERROR(Write(offset, buffer, piece.size()));
    offset += piece.size();
  }
  return Sync();
}

absl::Status RawFile::Verify(const Content& content, uint64_t file, uint64_t bytes,
                             const Stopped& stopped) {
  const AlignedBuffer buffer(Content::kPieceBytes);
  for (uint64_t offset = 0; offset < bytes; offset += Content::kPieceBytes) {
    if (stopped()) return absl::CancelledError("interrupted");
    const size_t wanted = std::min(Content::kPieceBytes, bytes - offset);
    const ssize_t got =
        pread(fd(), buffer.span().data(), Aligned(wanted), static_cast<off_t>(offset));
    if (got < 0) return ErrnoStatus("a file of the baseline", errno);
    if (static_cast<size_t>(got) < wanted || !content.Matches(file, offset, buffer.first(wanted))) {
      return absl::DataLossError("a file of the baseline is not what was written to it");
    }
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
