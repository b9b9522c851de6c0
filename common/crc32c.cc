#include "common/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace cairn {

uint32_t Crc32cExtend(uint32_t crc, std::string_view data) {
  // ISA-L works on the inverted register, takes an int length and does not write through its
  // pointer.
  constexpr size_t kMaxPiece = size_t{1} << 30;
  while (!data.empty()) {
    const size_t size = std::min(data.size(), kMaxPiece);
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(data.data()));
    crc = ~crc32_iscsi(bytes, static_cast<int>(size), ~crc);
    data.remove_prefix(size);
  }
  return crc;
}

}  // namespace cairn
