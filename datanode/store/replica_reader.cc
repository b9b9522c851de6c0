#include "datanode/store/replica_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/chunk_crc.h"
#include "common/cord.h"
#include "common/crc32c.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/open_replica.h"

namespace cairn::datanode {

ReplicaReader::ReplicaReader(std::unique_ptr<File> data, std::unique_ptr<File> checksums,
                             const Source& source, uint64_t length)
    : data_(std::move(data)),
      checksums_(std::move(checksums)),
      block_{source.replica.id, source.replica.generation, length},
      finalized_(source.finalized),
      open_(source.open) {}

ReplicaReader::~ReplicaReader() = default;

absl::Status ReplicaReader::Bad(std::string_view what) const {
  RETURN_IF_ERROR(CheckNotCut());  // then it is not the disk's fault
  return WithKind(
      absl::DataLossError(fmt::format("the replica of block {} is bad: {}", block_.id, what)),
      ErrorKind::kChecksum);
}

absl::Status ReplicaReader::CheckNotCut() const {
  if (open_ == nullptr || !open_->IsCutBelow(block_.length)) return absl::OkStatus();
  return WithKind(
      absl::FailedPreconditionError(fmt::format(
          "block {}: a recovery has cut the replica below {} bytes", block_.id, block_.length)),
      ErrorKind::kStaleReplica);
}

absl::StatusOr<std::unique_ptr<ReplicaReader>> ReplicaReader::Open(Env* env, const Source& source,
                                                                   uint64_t length) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> data, env->Open(source.data, OpenMode::kRead));
  ASSIGN_OR_RETURN(std::unique_ptr<File> checksums, env->Open(source.checksums, OpenMode::kRead));
  std::unique_ptr<ReplicaReader> reader(
      new ReplicaReader(std::move(data), std::move(checksums), source, length));
  RETURN_IF_ERROR(reader->FindTailCrc(source));
  return reader;
}

// The replica may be reopened and grow while it is read, so all that can change is taken now.
absl::Status ReplicaReader::FindTailCrc(const Source& source) {
  const uint64_t start = block_.length / kChunkBytes * kChunkBytes;
  const uint64_t chunk_end = start + kChunkBytes;
  OpenReplica::Extent end;  // of the replica
  if (source.open != nullptr) {
    end = source.open->written();
  } else {
    ASSIGN_OR_RETURN(end, CheckFiles(source.replica.length));
  }
  if (end.length < block_.length) return Bad(fmt::format("it has {} bytes", end.length));
  if (block_.length % kChunkBytes == 0) return absl::OkStatus();
  // The chunk goes to the replica's end, or is whole: then its CRC is in the file for good.
  if (end.length >= chunk_end) {
    std::vector<uint32_t> crcs;
    RETURN_IF_ERROR(ReadChecksums(start, 1, &crcs));
    end = {chunk_end, crcs.front()};
  }
  tail_crc_ = end.tail_crc;
  if (end.length == block_.length) return absl::OkStatus();
  std::string chunk(end.length - start, '\0');
  ASSIGN_OR_RETURN(const size_t n, data_->ReadAt(start, chunk));
  if (n != chunk.size() || Crc32c(chunk) != end.tail_crc) {
    return Bad(fmt::format("wrong checksum at offset {}", start));
  }
  tail_crc_ = Crc32c(std::string_view(chunk).substr(0, block_.length - start));
  return absl::OkStatus();
}

// Of a finalized replica of `length` bytes.
absl::StatusOr<OpenReplica::Extent> ReplicaReader::CheckFiles(uint64_t length) {
  std::string bytes(kChecksumHeaderBytes, '\0');
  ASSIGN_OR_RETURN(const size_t n, checksums_->ReadAt(0, bytes));
  bytes.resize(n);
  const absl::StatusOr<ChecksumHeader> header = DecodeChecksumHeader(bytes, block_.id);
  if (!header.ok()) return Bad(MessageOf(header.status()));
  ASSIGN_OR_RETURN(const uint64_t size, data_->Size());
  if (size != length || header->newest.synced_length != length) {
    return Bad(fmt::format("it has {} bytes, its checksum file is for {}", size,
                           header->newest.synced_length));
  }
  return OpenReplica::Extent{length, header->newest.tail_crc};
}

absl::Status ReplicaReader::ReadChecksums(uint64_t offset, uint64_t count,
                                          std::vector<uint32_t>* crcs) {
  std::string bytes(4 * count, '\0');
  ASSIGN_OR_RETURN(const size_t n, checksums_->ReadAt(ChecksumOffset(offset), bytes));
  if (n != bytes.size()) return Bad("its checksum file is cut");
  DecodeChecksums(bytes, crcs);
  return absl::OkStatus();
}

absl::StatusOr<size_t> ReplicaReader::Read(uint64_t offset, std::span<char> out, bool verify,
                                           std::vector<uint32_t>* crcs) {
  crcs->clear();
  if (offset % kChunkBytes != 0 || out.size() % kChunkBytes != 0) {
    return absl::InvalidArgumentError("reads of a replica start and end at chunk borders");
  }
  if (offset >= block_.length) return size_t{0};
  const size_t wanted = std::min<uint64_t>(out.size(), block_.length - offset);
  ASSIGN_OR_RETURN(const size_t n, data_->ReadAt(offset, out.first(wanted)));
  if (n != wanted) return Bad(fmt::format("its data ends before byte {}", offset + wanted));
  RETURN_IF_ERROR(ReadChecksums(offset, wanted / kChunkBytes, crcs));
  if (wanted % kChunkBytes != 0) crcs->push_back(tail_crc_);
  RETURN_IF_ERROR(CheckNotCut());
  if (verify) {
    const int64_t bad = FirstBadChunk(std::string_view(out.data(), wanted), *crcs);
    if (bad >= 0) {
      return Bad(fmt::format("wrong checksum at offset {}",
                             offset + static_cast<uint64_t>(bad) * kChunkBytes));
    }
  }
  return wanted;
}

absl::StatusOr<absl::Cord> ReplicaReader::ReadShared(uint64_t offset, uint64_t bytes, bool verify,
                                                     std::vector<uint32_t>* crcs) {
  std::unique_ptr<char[]> buffer(new char[bytes]);  // not zeroed
  ASSIGN_OR_RETURN(const size_t n, Read(offset, {buffer.get(), bytes}, verify, crcs));
  const std::string_view read(buffer.get(), n);
  return ShareInCord(read, [owned = std::move(buffer)] {});
}

void ReplicaReader::DropFromCache() {
  data_->DropFromCache();
  checksums_->DropFromCache();
}

absl::StatusOr<uint32_t> ReplicaReader::Checksum() {
  constexpr uint64_t kChunks = 16 << 10;  // at a time
  uint32_t checksum = 0;
  std::vector<uint32_t> crcs;
  const uint64_t chunks = block_.length / kChunkBytes;
  for (uint64_t done = 0; done < chunks; done += crcs.size()) {
    crcs.clear();
    RETURN_IF_ERROR(ReadChecksums(done * kChunkBytes, std::min(kChunks, chunks - done), &crcs));
    for (const uint32_t crc : crcs) checksum = Crc32cCombine(checksum, crc, kChunkBytes);
  }
  const uint64_t rest = block_.length % kChunkBytes;
  if (rest != 0) checksum = Crc32cCombine(checksum, tail_crc_, rest);
  RETURN_IF_ERROR(CheckNotCut());
  return checksum;
}

}  // namespace cairn::datanode
