// Bytes that can be read at any place: what OutputStream::WriteFrom writes several blocks of at
// once.
//
// Why an interface: a local file is read by pread, a benchmark has its bytes in memory. ReadAt is
// called by several threads at once.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

namespace cairn {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Fills `out` with what is at `offset`; fewer bytes, or none, only where the source ends.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) = 0;
};

}  // namespace cairn
