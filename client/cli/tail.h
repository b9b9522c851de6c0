// Where the last lines or bytes of a file begin. Thread-safe: functions. Used by tail.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "common/status.h"

namespace cairn::cli {

// A number of lines or bytes: "10", "2K"; "+5": from the fifth on. A leading '-' means nothing.
struct TailCount {
  uint64_t count = 0;
  bool from_start = false;
};
absl::StatusOr<TailCount> ParseTailCount(std::string_view text);

// As pread(2): fills `out` from an offset.
using ReadAtFn = std::function<absl::StatusOr<size_t>(uint64_t offset, std::span<char> out)>;

// The offset of the first byte of the last `lines` lines of a file of `length` bytes. A last line
// may lack its newline. Reads from the end, a piece at a time.
absl::StatusOr<uint64_t> FindLastLines(const ReadAtFn& read_at, uint64_t length, uint64_t lines,
                                       size_t piece_bytes = 64 << 10);

}  // namespace cairn::cli
