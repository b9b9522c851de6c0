// Reads a range of a finalized replica out of its own files, and checks every chunk.
//
// Why: for bytes on the same host, pread costs half of what a connection does. Whole chunks go
// straight into the caller's memory. The files may be cut, replaced or damaged at any moment, or be
// nothing of the kind: so they are read, never mapped (no SIGBUS), and any error here says no more
// than that the node must be asked instead. Of one thread at a time. Made by LocalFirstReader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fd.h"

namespace cairn {

// Open files of a replica, as its DataNode passed them.
struct LocalReplica {
  Fd data;
  Fd checksums;
  uint64_t length = 0;            // of the replica, in bytes
  uint64_t checksums_offset = 0;  // in the file, of the first chunk's CRC32C
  uint32_t tail_crc = 0;          // of the last chunk, where it is not a whole one
};

class LocalReader {
 public:
  // Bytes [offset, offset + length) of the block.
  LocalReader(LocalReplica replica, uint64_t offset, uint64_t length);

  // OUT_OF_RANGE when the replica is shorter than the range.
  absl::Status Open();
  // The next bytes, at least one and at most out.size(); never called beyond the range. kChecksum
  // for bytes that fail their checksum. After an error `out` may hold anything, and nothing more
  // can be read.
  absl::StatusOr<size_t> Read(std::span<char> out);
  // Moves within the range; false beyond its end.
  bool Seek(uint64_t offset);
  // The range ends at `end` from now on; false beyond what the replica had when it was passed.
  bool Extend(uint64_t end);
  uint64_t bytes_left() const { return end_ - position_; }

 private:
  // Chunks from `offset`, a chunk's border, on; `out` ends at a border or at the replica's end.
  absl::Status ReadChunks(uint64_t offset, std::span<char> out);
  absl::Status LoadCrcs(uint64_t first, uint64_t count);

  const LocalReplica replica_;
  uint64_t position_;  // in the block, of the next byte to hand out
  uint64_t end_;
  // What was read and checked of chunks that were wanted in part.
  std::vector<char> buffer_;
  uint64_t buffer_offset_ = 0;
  // Of chunks from first_crc_ on.
  std::vector<uint32_t> crcs_;
  uint64_t first_crc_ = 0;
};

}  // namespace cairn
