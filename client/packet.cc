#include "client/packet.h"

#include <fmt/format.h>

#include <string_view>

#include "common/crc32c.h"
#include "common/ids.h"
#include "common/status.h"
#include "proto/data_transfer.pb.h"

namespace cairn {
namespace {

uint64_t ChunkCount(uint64_t bytes) { return (bytes + kChunkBytes - 1) / kChunkBytes; }

std::string_view Chunk(std::string_view payload, uint64_t index) {
  return payload.substr(index * kChunkBytes, kChunkBytes);
}

}  // namespace

void AddChecksums(v1::WritePacket& packet) {
  const std::string_view payload = packet.payload();
  const uint64_t chunks = ChunkCount(payload.size());
  packet.mutable_crcs()->Clear();
  packet.mutable_crcs()->Reserve(static_cast<int>(chunks));
  for (uint64_t i = 0; i < chunks; ++i) packet.add_crcs(Crc32c(Chunk(payload, i)));
}

absl::Status VerifyChecksums(const v1::ReadPacket& packet) {
  const std::string_view payload = packet.payload();
  const uint64_t chunks = ChunkCount(payload.size());
  if (packet.offset() % kChunkBytes != 0 || static_cast<uint64_t>(packet.crcs_size()) != chunks) {
    return WithKind(
        absl::DataLossError(fmt::format("{} checksums for {} bytes at offset {}",
                                        packet.crcs_size(), payload.size(), packet.offset())),
        ErrorKind::kChecksum);
  }
  for (uint64_t i = 0; i < chunks; ++i) {
    if (Crc32c(Chunk(payload, i)) == packet.crcs(static_cast<int>(i))) continue;
    return WithKind(absl::DataLossError(fmt::format("checksum mismatch at offset {} of the block",
                                                    packet.offset() + i * kChunkBytes)),
                    ErrorKind::kChecksum);
  }
  return absl::OkStatus();
}

}  // namespace cairn
