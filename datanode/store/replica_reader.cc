#include "datanode/store/replica_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/crc32c.h"
#include "datanode/store/checksum_file.h"

namespace cairn::datanode {
namespace {

absl::Status Bad(const Block& block, std::string_view what) {
  return WithKind(
      absl::DataLossError(fmt::format("the replica of block {} is bad: {}", block.id, what)),
      ErrorKind::kChecksum);
}

}  // namespace

int64_t FirstBadChunk(std::string_view payload, std::span<const uint32_t> crcs) {
  for (size_t i = 0; i < crcs.size(); ++i) {
    if (Crc32c(payload.substr(i * kChunkBytes, kChunkBytes)) != crcs[i]) {
      return static_cast<int64_t>(i);
    }
  }
  return -1;
}

absl::StatusOr<std::unique_ptr<ReplicaReader>> ReplicaReader::Open(Env* env,
                                                                   const std::string& data,
                                                                   const std::string& checksums,
                                                                   const Block& block) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> data_file, env->Open(data, OpenMode::kRead));
  ASSIGN_OR_RETURN(std::unique_ptr<File> checksum_file, env->Open(checksums, OpenMode::kRead));
  std::string bytes(kChecksumHeaderBytes, '\0');
  ASSIGN_OR_RETURN(const size_t n, checksum_file->ReadAt(0, {bytes.data(), bytes.size()}));
  bytes.resize(n);
  const absl::StatusOr<ChecksumHeader> header = DecodeChecksumHeader(bytes, block.id);
  if (!header.ok()) return Bad(block, MessageOf(header.status()));
  ASSIGN_OR_RETURN(const uint64_t length, data_file->Size());
  if (length != block.length || header->newest.synced_length != block.length) {
    return Bad(block, fmt::format("it has {} bytes, its checksum file is for {}", length,
                                  header->newest.synced_length));
  }
  return std::unique_ptr<ReplicaReader>(
      new ReplicaReader(std::move(data_file), std::move(checksum_file), block));
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
  std::string bytes(4 * ChunksOf(wanted), '\0');
  ASSIGN_OR_RETURN(const size_t crc_bytes,
                   checksums_->ReadAt(ChecksumOffset(offset), {bytes.data(), bytes.size()}));
  if (n != wanted || crc_bytes != bytes.size()) {
    return Bad(block_, fmt::format("its files end before byte {}", offset + wanted));
  }
  DecodeChecksums(bytes, crcs);
  if (verify) {
    const int64_t bad = FirstBadChunk({out.data(), wanted}, *crcs);
    if (bad >= 0) {
      return Bad(block_, fmt::format("wrong checksum at offset {}",
                                     offset + static_cast<uint64_t>(bad) * kChunkBytes));
    }
  }
  return wanted;
}

}  // namespace cairn::datanode
