#include "client/bench/raw_packet.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/crc32c.h"

namespace cairn::bench {
namespace {

size_t ChunksOf(size_t bytes) { return (bytes + kChunkBytes - 1) / kChunkBytes; }

}  // namespace

PacketHead HeadOf(uint64_t offset, std::string_view payload, bool last) {
  PacketHead head;
  head.offset = offset;
  head.bytes = static_cast<uint32_t>(payload.size());
  head.last = last ? 1 : 0;
  for (size_t i = 0; i < ChunksOf(payload.size()); ++i) {
    head.crcs[i] = Crc32c(payload.substr(i * kChunkBytes, kChunkBytes));
  }
  return head;
}

absl::Status SendPacket(RawSocket* to, const PacketHead& head, std::string_view payload) {
  const std::array<std::string_view, 2> pieces = {
      std::string_view(reinterpret_cast<const char*>(&head), sizeof(head)), payload};
  return to->Send(pieces);
}

absl::Status ReceivePacket(RawSocket* from, PacketHead* head, std::span<char> buffer) {
  RETURN_IF_ERROR(from->Receive({reinterpret_cast<char*>(head), sizeof(*head)}));
  if (head->bytes > std::min<uint64_t>(buffer.size(), kRawPacketBytes)) {
    return absl::DataLossError("not the head of a packet");
  }
  return from->Receive(buffer.first(head->bytes));
}

absl::Status CheckPacket(const PacketHead& head, std::string_view payload) {
  for (size_t i = 0; i < ChunksOf(payload.size()); ++i) {
    if (Crc32c(payload.substr(i * kChunkBytes, kChunkBytes)) == head.crcs[i]) continue;
    return WithKind(absl::DataLossError(fmt::format("checksum error at byte {} of the raw pipeline",
                                                    head.offset + i * kChunkBytes)),
                    ErrorKind::kChecksum);
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
