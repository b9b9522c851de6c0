// The bytes of a range of one block from one place, each of which passed its checksum (P4).
//
// Why: they come over a connection (BlockReader) or out of files on this host (LocalReader);
// whoever reads need not know from where. Of one thread at a time. For this room alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn {

class BlockSource {
 public:
  virtual ~BlockSource() = default;  // breaks off

  // Must come first. What the place has to say may also show in Read.
  virtual absl::Status Open() = 0;
  // The next bytes, at least one and at most out.size(); never called beyond the range. kChecksum
  // for bytes that fail their checksum. After an error `out` may hold anything, and nothing more
  // can be read.
  virtual absl::StatusOr<size_t> Read(std::span<char> out) = 0;
  virtual uint64_t bytes_left() const = 0;
};

}  // namespace cairn
