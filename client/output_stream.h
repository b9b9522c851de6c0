// A file being written: FileSystem::Create and Append make it.
//
// Why an interface: the data path behind it (packets, pipelines, retries) stays out of its users'
// sight. One writer: calls must not overlap. Streams may outlive their FileSystem.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "client/byte_source.h"

namespace cairn {

class OutputStream {
 public:
  // Abandons a stream that was not closed.
  virtual ~OutputStream() = default;

  // Appends all of `data`. Blocks while too much is on its way. After an error the stream is
  // broken: every later call gives the same error, and only Abandon is left to do.
  virtual absl::Status Write(std::string_view data) = 0;

  // Appends all that the source has. Of its first `expected` bytes several blocks are written at
  // once, each read as it is sent; behind them it is read to its end. An error of the source's is
  // given back as it is; FAILED_PRECONDITION where it ends within those blocks. The source is not
  // read any more when this returns.
  virtual absl::Status WriteFrom(ByteSource& source, uint64_t expected) = 0;

  // Returns once readers see all that was written, and every DataNode of the block's pipeline has
  // it in memory: it is there while one of them lives. Errors as of Write.
  virtual absl::Status HFlush() = 0;

  // As HFlush, and on the disks of all these DataNodes, whatever the file's consistency. Of a file
  // that is not `strong`, blocks that were full before the stream's first HSync are not waited for:
  // they are on disk within 5 s of their end.
  virtual absl::Status HSync() = 0;

  // Returns once the file is durable (strong consistency: on min-replicas disks at least) and under
  // its name. A failed Close leaves the stream as a failed Write does. A second call is harmless.
  virtual absl::Status Close() = 0;

  // Gives the file up. A new one is removed, and nothing appears under its name; one that was
  // opened by Append is closed by the NameNode with what its DataNodes have of the new bytes, all
  // of the flushed ones at least. Best effort: the lease's end does it if the NameNode cannot be
  // told. Nothing to do for a stream that was closed.
  virtual absl::Status Abandon() = 0;

  virtual uint64_t length() const = 0;  // of the file, in bytes, with those written so far
};

}  // namespace cairn
