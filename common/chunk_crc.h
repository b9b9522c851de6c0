// The checks of P4: one CRC32C for every chunk of kChunkBytes, counted from a payload's start.
// Thread-safe, pure. Used wherever bytes of blocks are received or read.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "absl/strings/cord.h"
#include "common/ids.h"

namespace cairn {

inline constexpr uint64_t CountChunks(uint64_t bytes) {
  return (bytes + kChunkBytes - 1) / kChunkBytes;
}

// The first chunk whose CRC differs, or -1. `crcs` has one for each chunk.
int64_t FirstBadChunk(std::string_view payload, std::span<const uint32_t> crcs);
int64_t FirstBadChunk(const absl::Cord& payload, std::span<const uint32_t> crcs);

}  // namespace cairn
