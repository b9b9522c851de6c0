#include "client/cli/tail.h"

#include <algorithm>
#include <memory>

#include "common/units.h"

namespace cairn::cli {

absl::StatusOr<TailCount> ParseTailCount(std::string_view text) {
  TailCount result{.from_start = text.starts_with('+')};
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  ASSIGN_OR_RETURN(result.count, ParseSize(text));
  return result;
}

absl::StatusOr<uint64_t> FindLastLines(const ReadAtFn& read_at, uint64_t length, uint64_t lines,
                                       size_t piece_bytes) {
  if (lines == 0) return length;
  const std::unique_ptr<char[]> buffer(new char[piece_bytes]);
  uint64_t newlines = 0;
  for (uint64_t end = length; end > 0;) {
    const uint64_t wanted = std::min<uint64_t>(piece_bytes, end);
    const uint64_t start = end - wanted;
    ASSIGN_OR_RETURN(const size_t bytes, read_at(start, std::span(buffer.get(), wanted)));
    if (bytes < wanted) return absl::DataLossError("the file ended early");
    for (size_t i = bytes; i-- > 0;) {
      // The newline that ends the file begins no line.
      if (buffer[i] != '\n' || start + i + 1 == length) continue;
      if (++newlines == lines) return start + i + 1;
    }
    end = start;
  }
  return 0;
}

}  // namespace cairn::cli
