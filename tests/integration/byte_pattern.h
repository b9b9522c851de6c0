// The bytes that test writers write: each follows from its place in the file, so that whoever reads
// some can tell whether they are right. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::testing {

inline char PatternByte(uint64_t offset) {
  const uint64_t mixed = (offset / 7 + 1) * 0x9E3779B97F4A7C15ull + offset;
  return static_cast<char>(mixed >> 29);
}

inline std::string PatternBytes(uint64_t offset, size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = PatternByte(offset + i);
  return text;
}

}  // namespace cairn::testing
