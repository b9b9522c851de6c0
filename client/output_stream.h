// A file being written: FileSystem::Create makes it.
//
// Why an interface: the data path behind it (packets, pipelines, retries) stays out of its users'
// sight. One writer: calls must not overlap. Streams may outlive their FileSystem.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace cairn {

class OutputStream {
 public:
  // Abandons a stream that was not closed: its file goes, and nothing appears under the name.
  virtual ~OutputStream() = default;

  // Appends all of `data`. Blocks while too much is on its way. After an error the stream is
  // broken: every later call gives the same error, and only Abandon is left to do.
  virtual absl::Status Write(std::string_view data) = 0;

  // Returns once the file is durable (strong consistency: on min-replicas disks at least) and under
  // its name. A failed Close leaves the stream as a failed Write does. A second call is harmless.
  virtual absl::Status Close() = 0;

  // Removes what was written. Best effort: the lease's end does it if the NameNode cannot be told.
  // Nothing to do for a stream that was closed.
  virtual absl::Status Abandon() = 0;

  virtual uint64_t length() const = 0;  // bytes written so far
};

}  // namespace cairn
