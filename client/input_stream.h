// A file being read: FileSystem::Open makes it.
//
// No byte is handed out before it passed its checksum in this process's memory (P4). When a replica
// is bad, gone, or silent, reading goes on from another one and the caller does not notice. Only
// what the file held when it was opened is read. Streams may outlive their FileSystem.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/types.h"

namespace cairn {

class InputStream {
 public:
  virtual ~InputStream() = default;

  // Fills `out` from the cursor and moves it; fewer bytes only at the end of the file, 0 at the end
  // itself. Sequential reads are read ahead. One caller at a time.
  virtual absl::StatusOr<size_t> Read(std::span<char> out) = 0;

  // As pread(2): fills `out` from `offset` without the cursor; fewer bytes only at the end of the
  // file. Thread-safe, also beside Read.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) = 0;

  // Moves the cursor. OUT_OF_RANGE beyond the end of the file.
  virtual absl::Status Seek(uint64_t offset) = 0;

  // Another stream over the bytes of this one, its cursor at the start: for several that read at
  // once. Thread-safe.
  virtual std::unique_ptr<InputStream> Clone() = 0;

  virtual uint64_t position() const = 0;
  virtual uint64_t length() const = 0;           // of the file, in bytes
  virtual const FileStatus& status() const = 0;  // the file when it was opened

  // Ends the read-ahead. Reading after it fails.
  virtual void Close() = 0;
};

}  // namespace cairn
