#include "client/packet.h"

#include <fmt/format.h>

#include <span>
#include <string_view>

#include "common/chunk_crc.h"
#include "common/crc32c.h"
#include "common/ids.h"
#include "common/net/packet_message.h"
#include "common/status.h"

namespace cairn {
namespace {

std::string_view Chunk(std::string_view payload, uint64_t index) {
  return payload.substr(index * kChunkBytes, kChunkBytes);
}

}  // namespace

void AddChecksums(v1::WritePacket& packet) {
  const std::string_view payload = packet.payload();
  const uint64_t chunks = CountChunks(payload.size());
  packet.mutable_crcs()->Clear();
  packet.mutable_crcs()->Reserve(static_cast<int>(chunks));
  for (uint64_t i = 0; i < chunks; ++i) packet.add_crcs(Crc32c(Chunk(payload, i)));
}

absl::Status VerifyChecksums(const ReadPacketMessage& packet) {
  const v1::ReadPacket& fields = packet.fields;
  const std::span<const uint32_t> crcs(fields.crcs().data(), fields.crcs().size());
  if (fields.offset() % kChunkBytes != 0 || crcs.size() != CountChunks(packet.payload.size())) {
    return WithKind(
        absl::DataLossError(fmt::format("{} checksums for {} bytes at offset {}", crcs.size(),
                                        packet.payload.size(), fields.offset())),
        ErrorKind::kChecksum);
  }
  const int64_t bad = FirstBadChunk(packet.payload, crcs);
  if (bad < 0) return absl::OkStatus();
  return WithKind(
      absl::DataLossError(fmt::format("checksum mismatch at offset {} of the block",
                                      fields.offset() + static_cast<uint64_t>(bad) * kChunkBytes)),
      ErrorKind::kChecksum);
}

}  // namespace cairn
