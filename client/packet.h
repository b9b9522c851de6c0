// The checksums of packets: one CRC32C for every 4 KiB chunk of a payload, counted from the block's
// start (P4). The writer computes them once; readers check them in their own memory. Pure
// functions, thread-safe; for this room alone.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "common/net/packet_message.h"

namespace cairn {

namespace v1 {
class WritePacket;
}  // namespace v1

// Fills packet.crcs from its payload. The payload starts on a chunk border.
void AddChecksums(v1::WritePacket& packet);

// kChecksum (DATA_LOSS) when a chunk does not fit its CRC, or when CRCs and payload do not fit
// together.
absl::Status VerifyChecksums(const ReadPacketMessage& packet);

}  // namespace cairn
