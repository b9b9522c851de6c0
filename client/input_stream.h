// A file being read: FileSystem::Open makes it.
//
// No byte is handed out before it passed its checksum in this process's memory (P4). When a replica
// is bad, gone, or silent, reading goes on from another one and the caller does not notice; when it
// is late, another one is asked too (TransferOptions::hedge_share). Only what the file held when it
// was opened is read. Streams may outlive their FileSystem.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/types.h"

namespace cairn {

// A piece of a file for PReadV: where it begins, and where its bytes go.
struct ReadRange {
  uint64_t offset = 0;
  std::span<char> out;
  size_t count = 0;  // set by PReadV: bytes that were read; fewer only at the end of the file
};

class InputStream {
 public:
  virtual ~InputStream() = default;

  // Fills `out` from the cursor and moves it; fewer bytes only at the end of the file, 0 at the end
  // and beyond it. Reads that follow each other are read ahead, ever further (up to a few MiB in
  // memory); one that follows a jump is not. One caller at a time.
  virtual absl::StatusOr<size_t> Read(std::span<char> out) = 0;

  // As pread(2): fills `out` from `offset` without the cursor; fewer bytes only at the end of the
  // file, 0 beyond it. Nothing but the chunks (4 KiB) that hold the bytes is fetched. Thread-safe,
  // also beside Read.
  virtual absl::StatusOr<size_t> PRead(uint64_t offset, std::span<char> out) = 0;

  // As PRead for each of the ranges, which may come in any order and overlap. Those near each other
  // (less than 4 KiB between them) are fetched together, up to 1 MiB; several at the same time,
  // from several DataNodes where blocks have replicas near each other. On an error what was read is
  // undefined. Thread-safe, also beside Read.
  virtual absl::Status PReadV(std::span<ReadRange> ranges) = 0;

  // Moves the cursor, also beyond the end, as lseek(2): reads there give 0 bytes. What was read
  // ahead is used if it is not far.
  virtual absl::Status Seek(uint64_t offset) = 0;

  // Another stream over the bytes of this one, its cursor at the start: for several that read at
  // once. Thread-safe.
  virtual std::unique_ptr<InputStream> Clone() = 0;

  virtual uint64_t position() const = 0;
  virtual uint64_t length() const = 0;           // of the file, in bytes
  virtual const FileStatus& status() const = 0;  // the file when it was opened

  // Ends the read-ahead. Read fails after it.
  virtual void Close() = 0;
};

}  // namespace cairn
