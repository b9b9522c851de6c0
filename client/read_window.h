// How much of a file a sequence of reads asks a DataNode for.
//
// Why: a stream to the end of the block is best for a reader that goes through the file, and a
// waste of megabytes for one that jumps about. So what is asked for doubles with every stretch that
// is read on where the last one ended, from what is wanted to a stream without a limit, which holds
// no more in memory than a few packets; after a jump it is what is wanted, no more. Not
// thread-safe. Used by FileReader.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cairn {

class ReadWindow {
 public:
  static constexpr uint64_t kLeast = 64 << 10;  // of a sequential stretch
  static constexpr uint64_t kMost = 8 << 20;    // beyond it there is no limit
  static constexpr uint64_t kNoLimit = UINT64_MAX;

  // The bytes to ask for at `offset`, where `want` are needed now. The start of the file counts as
  // read on.
  uint64_t Take(uint64_t offset, uint64_t want) {
    if (offset != next_) {
      bytes_ = want;
      return want;
    }
    bytes_ = std::max({bytes_, want, kLeast / 2});
    bytes_ = bytes_ >= kMost / 2 ? kNoLimit / 2 : bytes_ * 2;
    return bytes_ >= kMost ? kNoLimit : bytes_;
  }

  // The reader has got to `offset`.
  void MoveTo(uint64_t offset) { next_ = offset; }

 private:
  uint64_t next_ = 0;   // where reading on begins
  uint64_t bytes_ = 0;  // asked for last
};

}  // namespace cairn
