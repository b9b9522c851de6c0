// Images in memory, for the codec's tests.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "namenode/codec/image.h"

namespace cairn::namenode {

inline std::string ImageOf(const FsState& state) {
  std::string bytes;
  const absl::Status status = SaveImage(state, "cluster-1", [&](std::string_view piece) {
    bytes += piece;
    return absl::OkStatus();
  });
  return status.ok() ? bytes : status.ToString();
}

// Gives the bytes in bits of at most `step`.
inline ImageReadFn Reader(std::string bytes, size_t step = 1000) {
  return [bytes = std::move(bytes), at = size_t{0}, step](
             char* buffer, size_t size) mutable -> absl::StatusOr<size_t> {
    const size_t count = std::min({size, step, bytes.size() - at});
    bytes.copy(buffer, count, at);
    at += count;
    return count;
  };
}

}  // namespace cairn::namenode
