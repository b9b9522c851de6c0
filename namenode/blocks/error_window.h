// How many errors a DataNode had of late, by what it counts since its start.
//
// Why: a disk or a memory that goes bad shows in a few errors in a short time long before a volume
// fails; a counter since the start cannot tell these from a few in a year. The window moves in
// parts: an error is forgotten between one window and one part more after it was told. What was
// counted before the first word of a start (the NameNode is the younger one) belongs to no time,
// and is left out. 150 bytes. Not thread-safe; used by the DatanodeTable.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace cairn::namenode {

struct ErrorCounts {
  uint64_t disk = 0;
  uint64_t checksum = 0;

  uint64_t total() const { return disk + checksum; }
};

class ErrorWindow {
 public:
  // Another process, which counts from 0.
  void Restarted() {
    known_ = {};
    begun_ = true;
  }
  // `counted` so far by the process.
  void Note(const ErrorCounts& counted, int64_t window_ms, int64_t now_ms) {
    if (begun_) {
      ErrorCounts& part = PartOf(PartAt(window_ms, now_ms));
      part.disk += counted.disk - std::min(counted.disk, known_.disk);
      part.checksum += counted.checksum - std::min(counted.checksum, known_.checksum);
    }
    known_ = counted;
    begun_ = true;
  }
  ErrorCounts Recent(int64_t window_ms, int64_t now_ms) const {
    ErrorCounts sum;
    const int64_t now = PartAt(window_ms, now_ms);
    for (const Part& part : parts_) {
      if (part.number < 0 || part.number + static_cast<int64_t>(kParts) <= now) continue;
      sum.disk += part.counts.disk;
      sum.checksum += part.counts.checksum;
    }
    return sum;
  }

 private:
  // One is being filled, so that the others are a window.
  static constexpr size_t kParts = 6;
  struct Part {
    int64_t number = -1;
    ErrorCounts counts;
  };

  static int64_t PartAt(int64_t window_ms, int64_t now_ms) {
    return now_ms / std::max<int64_t>(1, window_ms / static_cast<int64_t>(kParts - 1));
  }
  ErrorCounts& PartOf(int64_t number) {
    Part& part = parts_[static_cast<size_t>(number) % kParts];
    if (part.number != number) part = {number, {}};
    return part.counts;
  }

  std::array<Part, kParts> parts_;
  ErrorCounts known_;
  bool begun_ = false;
};

}  // namespace cairn::namenode
