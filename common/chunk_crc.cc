#include "common/chunk_crc.h"

#include <algorithm>

#include "common/crc32c.h"
#include "common/strings.h"

namespace cairn {
namespace {

// Takes a payload piece by piece.
class ChunkCheck {
 public:
  explicit ChunkCheck(std::span<const uint32_t> crcs) : crcs_(crcs) {}

  // False: the chunk numbered index() is bad.
  bool Add(std::string_view piece) {
    while (!piece.empty()) {
      const size_t part = std::min<size_t>(piece.size(), kChunkBytes - filled_);
      crc_ = Crc32cExtend(crc_, piece.substr(0, part));
      piece.remove_prefix(part);
      filled_ += part;
      if (filled_ == kChunkBytes && !Finish()) return false;
    }
    return true;
  }
  // The last chunk may be shorter.
  bool End() { return filled_ == 0 || Finish(); }
  int64_t index() const { return static_cast<int64_t>(index_); }

 private:
  bool Finish() {
    if (index_ >= crcs_.size() || crc_ != crcs_[index_]) return false;
    ++index_;
    filled_ = 0;
    crc_ = 0;
    return true;
  }

  const std::span<const uint32_t> crcs_;
  size_t index_ = 0;
  size_t filled_ = 0;
  uint32_t crc_ = 0;
};

}  // namespace

int64_t FirstBadChunk(std::string_view payload, std::span<const uint32_t> crcs) {
  ChunkCheck check(crcs);
  return check.Add(payload) && check.End() ? -1 : check.index();
}

int64_t FirstBadChunk(const absl::Cord& payload, std::span<const uint32_t> crcs) {
  ChunkCheck check(crcs);
  for (const auto piece : payload.Chunks()) {
    if (!check.Add(ToStd(piece))) return check.index();
  }
  return check.End() ? -1 : check.index();
}

}  // namespace cairn
