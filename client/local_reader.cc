#include "client/local_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/chunk_crc.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn {
namespace {

constexpr uint64_t kPieceBytes = 256 << 10;  // read and checked at a time: the second look is cheap
constexpr uint64_t kBufferBytes = 64 << 10;  // the most that is read for less than a chunk
constexpr uint64_t kCrcsAtOnce = 4096;       // of 16 MiB
constexpr uint64_t kSequentialBytes = 1 << 20;  // from here on the kernel is told to read far ahead

constexpr uint64_t RoundDown(uint64_t bytes) { return bytes / kChunkBytes * kChunkBytes; }
constexpr uint64_t RoundUp(uint64_t bytes) { return RoundDown(bytes + kChunkBytes - 1); }

absl::Status PreadAll(const Fd& file, uint64_t offset, std::span<char> out) {
  while (!out.empty()) {
    const ssize_t got = pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("a local replica", errno);
    if (got == 0) {
      return absl::OutOfRangeError(fmt::format("a local replica's file ends at {}", offset));
    }
    out = out.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace

LocalReader::LocalReader(LocalReplica replica, uint64_t offset, uint64_t length)
    : replica_(std::move(replica)), position_(offset), end_(offset + length) {}

absl::Status LocalReader::Open() {
  if (end_ > replica_.length) {
    return absl::OutOfRangeError(
        fmt::format("the local replica has {} bytes, not {}", replica_.length, end_));
  }
  // A hint: the descriptor is of this reader alone.
  if (bytes_left() >= kSequentialBytes) {
    posix_fadvise(replica_.data.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> LocalReader::Read(std::span<char> out) {
  out = out.first(std::min<uint64_t>(out.size(), bytes_left()));
  const uint64_t buffer_end = buffer_offset_ + buffer_.size();
  if (position_ < buffer_offset_ || position_ >= buffer_end) {
    // Whole chunks, or what there is of the last one, need no buffer.
    uint64_t whole = RoundDown(std::min<uint64_t>(out.size(), kPieceBytes));
    if (position_ + out.size() == replica_.length && out.size() <= kPieceBytes) whole = out.size();
    if (position_ % kChunkBytes == 0 && whole > 0) {
      RETURN_IF_ERROR(ReadChunks(position_, out.first(whole)));
      position_ += whole;
      return whole;
    }
    const uint64_t start = RoundDown(position_);
    const uint64_t wanted = std::max(RoundUp(end_) - start, kChunkBytes);
    buffer_.resize(std::min({wanted, kBufferBytes, replica_.length - start}));
    buffer_offset_ = start;
    RETURN_IF_ERROR(ReadChunks(start, buffer_));
  }
  const uint64_t at = position_ - buffer_offset_;
  const size_t count = std::min<uint64_t>(out.size(), buffer_.size() - at);
  std::memcpy(out.data(), buffer_.data() + at, count);
  position_ += count;
  return count;
}

bool LocalReader::Seek(uint64_t offset) {
  if (offset > end_) return false;
  position_ = offset;
  return true;
}

bool LocalReader::Extend(uint64_t end) {
  if (end > replica_.length) return false;
  end_ = end;
  return true;
}

absl::Status LocalReader::ReadChunks(uint64_t offset, std::span<char> out) {
  const uint64_t first = offset / kChunkBytes;
  const uint64_t count = CountChunks(out.size());
  RETURN_IF_ERROR(LoadCrcs(first, count));
  RETURN_IF_ERROR(PreadAll(replica_.data, offset, out));
  const auto crcs = std::span<const uint32_t>(crcs_).subspan(first - first_crc_, count);
  const int64_t bad = FirstBadChunk(std::string_view(out.data(), out.size()), crcs);
  if (bad < 0) return absl::OkStatus();
  return WithKind(
      absl::DataLossError(fmt::format("checksum mismatch at offset {} of the local replica",
                                      offset + static_cast<uint64_t>(bad) * kChunkBytes)),
      ErrorKind::kChecksum);
}

// Makes sure of the CRCs of `count` chunks, and takes those behind them along.
absl::Status LocalReader::LoadCrcs(uint64_t first, uint64_t count) {
  if (first >= first_crc_ && first + count <= first_crc_ + crcs_.size()) return absl::OkStatus();
  const uint64_t ahead =
      std::min(kCrcsAtOnce, CountChunks(end_) - std::min(CountChunks(end_), first));
  const uint64_t wanted = std::max(count, ahead);
  const uint64_t whole_chunks = replica_.length / kChunkBytes;
  const uint64_t in_file = std::min(wanted, whole_chunks - std::min(whole_chunks, first));
  std::vector<unsigned char> bytes(4 * in_file);
  RETURN_IF_ERROR(PreadAll(replica_.checksums, replica_.checksums_offset + 4 * first,
                           {reinterpret_cast<char*>(bytes.data()), bytes.size()}));
  crcs_.clear();
  first_crc_ = first;
  for (size_t at = 0; at < bytes.size(); at += 4) {
    crcs_.push_back(bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
                    static_cast<uint32_t>(bytes[at + 3]) << 24);
  }
  if (in_file < wanted) crcs_.push_back(replica_.tail_crc);
  return absl::OkStatus();
}

}  // namespace cairn
