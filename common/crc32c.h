// CRC32C (Castagnoli), by ISA-L. The standard CRC: Crc32c("123456789") == 0xE3069283. Thread-safe,
// pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace cairn {

// The CRC of A+B is Crc32cExtend(Crc32c(A), B); Crc32c of nothing is 0.
uint32_t Crc32cExtend(uint32_t crc, std::string_view data);
inline uint32_t Crc32c(std::string_view data) { return Crc32cExtend(0, data); }

}  // namespace cairn
