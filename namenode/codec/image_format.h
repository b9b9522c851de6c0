// The frame of an image: what writer and reader share (docs/formats/image.md). This room only.
//
//   header:  magic (8 bytes), layout u32, length u32, ImageHeader (length bytes), CRC32C u32 of all
//            before
//   pieces:  raw bytes u32, stored bytes u32, CRC32C u32 of these two and of the stored bytes,
//            stored bytes: a zstd frame of whole records, each a u32 length and an ImageRecord
//
// Numbers are little-endian. The last record of the last piece is the trailer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::namenode {

inline constexpr std::string_view kImageMagic = "CRNIMAGE";
inline constexpr uint32_t kImageLayout = 4;
inline constexpr uint32_t kOldestImageLayout = 3;   // without admin states; 2: without quotas
inline constexpr size_t kPieceBytes = 1 << 20;      // raw; a piece ends with the record that
                                                    // reaches this
inline constexpr size_t kMaxPieceBytes = 64 << 20;  // what a reader accepts
inline constexpr size_t kMaxHeaderBytes = 64 << 10;

inline void AppendU32(uint32_t number, std::string* out) {
  for (int i = 0; i < 4; ++i) out->push_back(static_cast<char>(number >> (8 * i)));
}

inline uint32_t U32At(std::string_view bytes, size_t offset) {
  uint32_t number = 0;
  for (int i = 0; i < 4; ++i) {
    number |= uint32_t{static_cast<uint8_t>(bytes[offset + i])} << (8 * i);
  }
  return number;
}

}  // namespace cairn::namenode
