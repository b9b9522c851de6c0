// CRC32C (Castagnoli), by ISA-L. The standard CRC: Crc32c("123456789") == 0xE3069283. Thread-safe,
// pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace cairn {

// The CRC of A+B is Crc32cExtend(Crc32c(A), B); Crc32c of nothing is 0.
uint32_t Crc32cExtend(uint32_t crc, std::string_view data);
inline uint32_t Crc32c(std::string_view data) { return Crc32cExtend(0, data); }

// The CRC of A+B from those of A and B and B's length in bytes, in O(log length). A CRC is linear
// over GF(2): appending n zero bytes to A multiplies its CRC by x^(8n) modulo the polynomial.
uint32_t Crc32cCombine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

}  // namespace cairn
