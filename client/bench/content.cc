#include "client/bench/content.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "common/crc32c.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kWindowBytes = 3 << 20;  // where a piece may begin
// A step is odd, so that every start comes before one comes again; files are far apart.
constexpr uint64_t kPieceStep = 786'433;
constexpr uint64_t kFileStep = 1'299'709;

}  // namespace

Content::Content() : noise_(kWindowBytes + kPieceBytes, '\0') {
  std::mt19937_64 random(20261128);  // NOLINT: the same bytes in every run
  for (size_t at = 0; at < noise_.size(); at += sizeof(uint64_t)) {
    const uint64_t value = random();
    std::memcpy(noise_.data() + at, &value, sizeof(value));
  }
}

std::string_view Content::Piece(uint64_t file, uint64_t offset, uint64_t length) const {
  if (offset >= length) return {};
  const uint64_t begin = (file * kFileStep + offset / kPieceBytes * kPieceStep) % kWindowBytes;
  const uint64_t within = offset % kPieceBytes;
  return std::string_view(noise_).substr(begin + within,
                                         std::min(kPieceBytes - within, length - offset));
}

bool Content::Matches(uint64_t file, uint64_t offset, std::string_view bytes) const {
  const uint64_t end = offset + bytes.size();
  while (!bytes.empty()) {
    const std::string_view piece = Piece(file, offset, end);
    if (bytes.substr(0, piece.size()) != piece) return false;
    bytes.remove_prefix(piece.size());
    offset += piece.size();
  }
  return true;
}

uint32_t Content::Crc(uint64_t file, uint64_t length) const {
  uint32_t crc = 0;
  for (uint64_t offset = 0; offset < length;) {
    const std::string_view piece = Piece(file, offset, length);
    crc = Crc32cExtend(crc, piece);
    offset += piece.size();
  }
  return crc;
}

}  // namespace cairn::bench
