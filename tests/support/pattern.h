// Bytes that say which write they come from.
//
// Why: a test that reads a file back wants to know more than that some bytes are wrong: from which
// write is this one, and was it ever written there? Every write gets a version, a number of its
// own, and its bytes are a function of version and offset in the file alone. A whole cell of 16
// bytes gives its version away; what is less stays as it is and is compared.
// Thread-safe: pure functions. Used by history.h, checker.h and the writers of tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::testing {

using Version = uint32_t;  // of a write; 0: none

inline constexpr uint64_t kCellBytes = 16;

// What a write of `version` puts at [offset, offset + length) of a file.
std::string PatternBytes(Version version, uint64_t offset, uint64_t length);

// A run of bytes of a file: of one version, or (version 0) bytes that do not tell.
struct Piece {
  uint64_t offset = 0;
  uint64_t length = 0;
  Version version = 0;
  std::string raw;  // the bytes, where version is 0

  uint64_t end() const { return offset + length; }
  friend bool operator==(const Piece&, const Piece&) = default;
};

// What `bytes`, read at `offset`, consist of; nothing is lost: the pieces give the same bytes.
std::vector<Piece> DecodePattern(uint64_t offset, std::string_view bytes);

// The bytes of a piece.
std::string BytesOf(const Piece& piece);

}  // namespace cairn::testing
