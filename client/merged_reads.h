// How the ranges of a vectored read are put together to few reads.
//
// Why: a read has a cost that is not its bytes (a call, a disk's seek), so ranges that lie near
// each other are cheaper read together with what is between them. The limits are those of HDFS's
// PositionedReadable (minSeekForVectorReads, maxReadSizeForVectorReads). Pure functions,
// thread-safe. Used by FileReader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace cairn {

struct MergedRead {
  uint64_t offset = 0;
  uint64_t length = 0;
  std::vector<size_t> ranges;  // that it covers, by index, in the order of their offsets
};

inline constexpr uint64_t kMergeGapBytes = 4 << 10;    // a gap must be below it
inline constexpr uint64_t kMergedMostBytes = 1 << 20;  // longer than it is only a range by itself

// Of ranges (offset, length): each non-empty one in exactly one read, which covers it. By offset.
// Ranges may overlap.
std::vector<MergedRead> MergeRanges(const std::vector<std::pair<uint64_t, uint64_t>>& ranges);

}  // namespace cairn
