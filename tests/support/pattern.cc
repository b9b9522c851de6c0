#include "tests/support/pattern.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace cairn::testing {
namespace {

using Cell = std::array<char, kCellBytes>;

// The finalizer of splitmix64 (Steele, Lea, Flood 2014).
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// The version in clear, but for a mask that is known from the place; then what proves it.
uint32_t Mask(uint64_t cell) { return static_cast<uint32_t>(Mix(cell + 1)); }

Cell CellOf(Version version, uint64_t cell) {
  const uint32_t first = version ^ Mask(cell);
  const uint64_t proof = Mix(Mix(version) + cell);
  const auto second = static_cast<uint32_t>(Mix(proof));
  Cell bytes;
  std::memcpy(bytes.data(), &first, sizeof(first));
  std::memcpy(bytes.data() + 4, &second, sizeof(second));
  std::memcpy(bytes.data() + 8, &proof, sizeof(proof));
  return bytes;
}

// The version of a whole cell; 0 when it is of none.
Version VersionOf(const char* bytes, uint64_t cell) {
  uint32_t first = 0;
  std::memcpy(&first, bytes, sizeof(first));
  const Version version = first ^ Mask(cell);
  if (version == 0) return 0;
  return std::memcmp(CellOf(version, cell).data(), bytes, kCellBytes) == 0 ? version : 0;
}

}  // namespace

std::string PatternBytes(Version version, uint64_t offset, uint64_t length) {
  std::string bytes;
  bytes.reserve(length + 2 * kCellBytes);
  for (uint64_t cell = offset / kCellBytes; cell * kCellBytes < offset + length; ++cell) {
    const Cell next = CellOf(version, cell);
    bytes.append(next.data(), next.size());
  }
  return bytes.substr(offset % kCellBytes, length);
}

std::vector<Piece> DecodePattern(uint64_t offset, std::string_view bytes) {
  std::vector<Piece> pieces;
  for (size_t at = 0; at < bytes.size();) {
    const uint64_t place = offset + at;
    const size_t to_border = kCellBytes - place % kCellBytes;
    const size_t size = std::min<size_t>(to_border, bytes.size() - at);
    const Version version =
        size == kCellBytes ? VersionOf(bytes.data() + at, place / kCellBytes) : 0;
    if (pieces.empty() || pieces.back().version != version) {
      pieces.push_back({.offset = place, .version = version});
    }
    pieces.back().length += size;
    if (version == 0) pieces.back().raw += bytes.substr(at, size);
    at += size;
  }
  return pieces;
}

std::string BytesOf(const Piece& piece) {
  return piece.version == 0 ? piece.raw : PatternBytes(piece.version, piece.offset, piece.length);
}

}  // namespace cairn::testing
