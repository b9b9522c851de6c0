// The packets of the raw pipeline: up to 1 MiB with a CRC32C for each 4 KiB, as Cairn's have.
//
// Both ends are threads of one process, so a head travels as it lies in memory. Pure but for the
// socket; thread-safe as that is.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "client/bench/raw_socket.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::bench {

inline constexpr uint64_t kRawPacketBytes = 1 << 20;

struct PacketHead {
  uint64_t offset = 0;
  uint32_t bytes = 0;                                          // of the payload
  uint32_t last = 0;                                           // 1: the file ends with it
  std::array<uint32_t, kRawPacketBytes / kChunkBytes> crcs{};  // of its chunks
};

// The head of a packet of these bytes, its checksums among it.
PacketHead HeadOf(uint64_t offset, std::string_view payload, bool last);
absl::Status SendPacket(RawSocket* to, const PacketHead& head, std::string_view payload);
// The payload goes to the start of `buffer`, which has room for any. Its checksums are not looked
// at.
absl::Status ReceivePacket(RawSocket* from, PacketHead* head, std::span<char> buffer);
// DATA_LOSS (kChecksum) when a chunk does not fit its checksum.
absl::Status CheckPacket(const PacketHead& head, std::string_view payload);

}  // namespace cairn::bench
