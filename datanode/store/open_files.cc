#include "datanode/store/open_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "common/crc32c.h"
#include "common/steady_time.h"
#include "datanode/store/disk_meter.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kFirstPreallocation = 8 << 20;

constexpr uint64_t ChunkStart(uint64_t offset) { return offset / kChunkBytes * kChunkBytes; }
// Where the chunk of the last byte of `length` begins.
constexpr uint64_t LastChunkStart(uint64_t length) {
  return length == 0 ? 0 : ChunkStart(length - 1);
}

absl::Status Differs(uint64_t offset) {
  return WithKind(
      absl::DataLossError(fmt::format("other bytes at offset {} than were written there", offset)),
      ErrorKind::kChecksum);
}

absl::Status ReadExactly(File& file, uint64_t offset, std::span<char> out) {
  ASSIGN_OR_RETURN(const size_t n, file.ReadAt(offset, out));
  if (n == out.size()) return absl::OkStatus();
  return WithKind(absl::DataLossError(fmt::format("the file ends before byte {}, at {}",
                                                  offset + out.size(), offset + n)),
                  ErrorKind::kChecksum);
}

absl::StatusOr<std::vector<uint32_t>> ReadChecksums(File& file, uint64_t offset, uint64_t count) {
  std::string bytes(4 * count, '\0');
  RETURN_IF_ERROR(ReadExactly(file, ChecksumOffset(offset), bytes));
  std::vector<uint32_t> crcs;
  crcs.reserve(count);
  DecodeChecksums(bytes, &crcs);
  return crcs;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpenFiles>> OpenFiles::Create(Env* env, const std::string& data,
                                                             const std::string& checksums,
                                                             BlockId id,
                                                             std::shared_ptr<OpenReplica> open,
                                                             const DataWriting& writing) {
  ASSIGN_OR_RETURN(auto checksum_file, env->Open(checksums, OpenMode::kTruncate));
  RETURN_IF_ERROR(checksum_file->WriteAt(0, EncodeChecksumHeader(id)));
  ASSIGN_OR_RETURN(auto data_file, env->Open(data, OpenMode::kTruncate));
  auto writer = MakeDataWriter(env, data, data_file.get(), writing, /*fresh=*/true);
  return std::unique_ptr<OpenFiles>(new OpenFiles(std::move(data_file), std::move(checksum_file),
                                                  std::move(open), std::move(writer),
                                                  writing.meter));
}

absl::StatusOr<std::unique_ptr<OpenFiles>> OpenFiles::Open(Env* env, const std::string& data,
                                                           const std::string& checksums,
                                                           std::shared_ptr<OpenReplica> open,
                                                           const DataWriting& writing) {
  ASSIGN_OR_RETURN(auto data_file, env->Open(data, OpenMode::kReadWrite));
  ASSIGN_OR_RETURN(auto checksum_file, env->Open(checksums, OpenMode::kReadWrite));
  auto writer = MakeDataWriter(env, data, data_file.get(), writing, /*fresh=*/false);
  std::unique_ptr<OpenFiles> files(new OpenFiles(std::move(data_file), std::move(checksum_file),
                                                 std::move(open), std::move(writer),
                                                 writing.meter));
  ASSIGN_OR_RETURN(files->torn_, files->DoFilesDiffer());
  RETURN_IF_ERROR(files->Trim());
  return files;
}

// Whether the files end otherwise than open_ says.
absl::StatusOr<bool> OpenFiles::DoFilesDiffer() {
  const OpenReplica::Extent end = open_->written();
  ASSIGN_OR_RETURN(const uint64_t data_bytes, data_->Size());
  ASSIGN_OR_RETURN(const uint64_t checksum_bytes, checksums_->Size());
  if (data_bytes != end.length || checksum_bytes != ChecksumFileBytes(end.length)) return true;
  if (end.length == 0) return false;
  ASSIGN_OR_RETURN(const std::vector<uint32_t> crcs,
                   ReadChecksums(*checksums_, LastChunkStart(end.length), 1));
  return crcs.front() != end.tail_crc;
}

absl::Status OpenFiles::Append(uint64_t offset, const absl::Cord& payload,
                               std::span<const uint32_t> crcs, uint64_t limit) {
  const OpenReplica::Extent at = open_->written();
  const uint64_t end = offset + payload.size();
  if (offset % kChunkBytes != 0 || crcs.size() != ChunksOf(payload.size())) {
    return absl::InvalidArgumentError("a packet starts at a chunk border and has a CRC per chunk");
  }
  if (offset > at.length || end > limit) {
    return absl::InvalidArgumentError(
        fmt::format("bytes {} to {} do not follow the {} that are there, of at most {}", offset,
                    end, at.length, limit));
  }
  RETURN_IF_ERROR(Compare(offset, payload, crcs, at));
  if (end <= at.length) return absl::OkStatus();
  // A replica of one packet needs no room ahead of it.
  if (appended_ > 0 && end > preallocated_) RETURN_IF_ERROR(PreallocateFor(end, limit));
  torn_ = unsynced_ = true;
  const uint64_t known = at.length - offset;
  RETURN_IF_ERROR(
      WriteData(at.length, known == 0 ? payload : payload.Subcord(known, payload.size() - known)));
  RETURN_IF_ERROR(WriteChecksums(ChunkStart(at.length), crcs.subspan(known / kChunkBytes)));
  torn_ = false;
  open_->SetWritten({.length = end, .tail_crc = crcs.back()});
  appended_ += end - at.length;
  return absl::OkStatus();
}

// What of the payload lies before `end` must be what is there.
absl::Status OpenFiles::Compare(uint64_t offset, const absl::Cord& payload,
                                std::span<const uint32_t> crcs, const OpenReplica::Extent& end) {
  if (payload.empty() || offset >= end.length) return absl::OkStatus();
  const uint64_t chunks = std::min<uint64_t>(crcs.size(), ChunksOf(end.length - offset));
  // Of the last chunk memory knows better than the file, where a write may have failed.
  ASSIGN_OR_RETURN(std::vector<uint32_t> here, ReadChecksums(*checksums_, offset, chunks));
  const uint64_t last = offset + (chunks - 1) * kChunkBytes;
  if (last == LastChunkStart(end.length)) here.back() = end.tail_crc;
  if (!std::equal(here.begin(), here.end() - 1, crcs.begin())) return Differs(offset);

  // The last of these chunks may go further in one than in the other.
  const uint64_t have = std::min(kChunkBytes, end.length - last);
  const std::string rest(payload.Subcord(last - offset, kChunkBytes));
  if (rest.size() >= have) {
    return Crc32c(std::string_view(rest).substr(0, have)) == here.back() ? absl::OkStatus()
                                                                         : Differs(last);
  }
  std::string bytes(rest.size(), '\0');
  RETURN_IF_ERROR(ReadExactly(*data_, last, bytes));
  return bytes == rest ? absl::OkStatus() : Differs(last);
}

// In doubling steps, so that a block far below its limit takes little.
absl::Status OpenFiles::PreallocateFor(uint64_t length, uint64_t limit) {
  const uint64_t step = std::max(2 * preallocated_, kFirstPreallocation);
  const uint64_t bytes = std::min(std::max(length, step), std::max(limit, length));
  RETURN_IF_ERROR(data_->Preallocate(bytes, /*keep_size=*/true));
  preallocated_ = bytes;
  return absl::OkStatus();
}

absl::Status OpenFiles::WriteChecksums(uint64_t offset, std::span<const uint32_t> crcs) {
  if constexpr (std::endian::native == std::endian::little) {
    const std::string_view bytes(reinterpret_cast<const char*>(crcs.data()), crcs.size_bytes());
    return checksums_->WriteAt(ChecksumOffset(offset), bytes);
  } else {
    return checksums_->WriteAt(ChecksumOffset(offset), EncodeChecksums(crcs));
  }
}

absl::Status OpenFiles::Trim() {
  const OpenReplica::Extent end = open_->written();
  if (torn_) {
    unsynced_ = true;
    RETURN_IF_ERROR(data_->Truncate(end.length));
    RETURN_IF_ERROR(checksums_->Truncate(ChecksumFileBytes(end.length)));
    if (end.length > 0) {
      RETURN_IF_ERROR(WriteChecksums(LastChunkStart(end.length), {&end.tail_crc, 1}));
    }
    // A power cut must not bring back what other bytes will be written over.
    RETURN_IF_ERROR(SyncFiles());
  } else if (preallocated_ > end.length) {
    RETURN_IF_ERROR(data_->Truncate(end.length));
  }
  torn_ = false;
  preallocated_ = 0;
  return absl::OkStatus();
}

absl::Status OpenFiles::Sync() {
  const ChecksumSlot durable = open_->durable();
  const OpenReplica::Extent end = open_->written();
  if (!unsynced_ && durable.synced_length == end.length) return absl::OkStatus();
  checksums_->StartWriteback(0, ChecksumFileBytes(end.length));
  RETURN_IF_ERROR(SyncFiles());
  return SyncSlot(end, std::max(durable.sequence + 1, kFirstSyncSequence));
}

absl::Status OpenFiles::SyncFiles() {
  RETURN_IF_ERROR(SyncOne(*data_));
  return SyncOne(*checksums_);
}

absl::Status OpenFiles::WriteData(uint64_t offset, const absl::Cord& bytes) {
  const int64_t start_us = SteadyNowUs();
  RETURN_IF_ERROR(writer_->Write(offset, bytes));
  const int64_t end_us = SteadyNowUs();
  if (meter_ != nullptr) meter_->NoteWrite(bytes.size(), end_us - start_us, end_us / 1000);
  return absl::OkStatus();
}

absl::Status OpenFiles::SyncOne(File& file) {
  const int64_t start_us = SteadyNowUs();
  absl::Status status = file.Sync();
  if (!status.ok()) lost_ = true;
  const int64_t end_us = SteadyNowUs();
  if (meter_ != nullptr) meter_->NoteSync(end_us - start_us, end_us / 1000);
  return status;
}

absl::Status OpenFiles::SyncWhole() {
  if (open_->durable().sequence > 0) return Sync();
  checksums_->StartWriteback(0, ChecksumFileBytes(open_->written().length));
  RETURN_IF_ERROR(SyncOne(*data_));
  return SyncSlot(open_->written(), kWholeSequence);
}

absl::Status OpenFiles::WriteWholeSlot() {
  const OpenReplica::Extent end = open_->written();
  const ChecksumSlot slot{
      .synced_length = end.length, .tail_crc = end.tail_crc, .sequence = kWholeSequence};
  return checksums_->WriteAt(ChecksumSlotOffset(slot.sequence), EncodeChecksumSlot(slot));
}

absl::Status OpenFiles::SyncSlot(const OpenReplica::Extent& end, uint32_t sequence) {
  const ChecksumSlot slot{
      .synced_length = end.length, .tail_crc = end.tail_crc, .sequence = sequence};
  RETURN_IF_ERROR(checksums_->WriteAt(ChecksumSlotOffset(sequence), EncodeChecksumSlot(slot)));
  RETURN_IF_ERROR(SyncOne(*checksums_));
  open_->SetDurable(slot);
  unsynced_ = false;
  return absl::OkStatus();
}

absl::Status OpenFiles::Cut(uint64_t length) {
  RETURN_IF_ERROR(Trim());
  if (length == open_->written().length) return SyncWhole();
  ASSIGN_OR_RETURN(const OpenReplica::Extent end, FindEnd(length));
  RETURN_IF_ERROR(SyncFiles());
  // A slot that vouches for more than there is would mean damage, so the shorter one comes first.
  RETURN_IF_ERROR(SyncSlot(end, std::max(open_->durable().sequence + 1, kFirstSyncSequence)));
  return CutFiles(end);
}

absl::Status OpenFiles::CutFiles(const OpenReplica::Extent& end) {
  open_->AnnounceCut(end.length);
  open_->SetWritten(end);
  torn_ = true;
  RETURN_IF_ERROR(Trim());
  unsynced_ = false;
  return absl::OkStatus();
}

// The CRC of the last of `length` bytes, from a chunk that goes further and is verified before.
absl::StatusOr<OpenReplica::Extent> OpenFiles::FindEnd(uint64_t length) {
  if (length == 0) return OpenReplica::Extent{};
  const OpenReplica::Extent all = open_->written();
  const uint64_t start = LastChunkStart(length);
  uint32_t crc = all.tail_crc;
  if (start != LastChunkStart(all.length)) {
    ASSIGN_OR_RETURN(const std::vector<uint32_t> crcs, ReadChecksums(*checksums_, start, 1));
    crc = crcs.front();
  }
  std::string bytes(std::min(kChunkBytes, all.length - start), '\0');
  RETURN_IF_ERROR(ReadExactly(*data_, start, bytes));
  if (Crc32c(bytes) != crc) {
    return WithKind(absl::DataLossError(fmt::format("wrong checksum at offset {}", start)),
                    ErrorKind::kChecksum);
  }
  return OpenReplica::Extent{.length = length,
                             .tail_crc = Crc32c(std::string_view(bytes).substr(0, length - start))};
}

}  // namespace cairn::datanode
