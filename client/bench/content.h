// The bytes that the benchmarks of the data path move: made in memory, so that no disk is read for
// them, and known again, so that everything that was moved can be verified.
//
// A file is a number; its bytes are pieces of 1 MiB, each a window into a few MiB of noise. Windows
// of different pieces differ, so a piece at a wrong place or of a wrong file is noticed.
// Thread-safe after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::bench {

class Content {
 public:
  static constexpr uint64_t kPieceBytes = 1 << 20;

  Content();

  // The bytes from `offset` of file `file`, which has `length`: up to the end of their piece, or of
  // the file. Empty at its end.
  std::string_view Piece(uint64_t file, uint64_t offset, uint64_t length) const;
  // Whether these are the bytes from `offset` on of the file.
  bool Matches(uint64_t file, uint64_t offset, std::string_view bytes) const;
  // The CRC32C of all of its bytes.
  uint32_t Crc(uint64_t file, uint64_t length) const;

 private:
  std::string noise_;
};

}  // namespace cairn::bench
