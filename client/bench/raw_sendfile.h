// A file in the page cache, sent by sendfile(2) or read by pread(2): the baselines of `cairn bench
// get`.
//
// Or on the disk, past the page cache, for what is read by pread. The file has the bytes of the one
// that is read from the cluster; the reader gets them from a TCP connection over 127.0.0.1, or
// reads the file itself, and computes the same CRC32C over them. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "client/bench/content.h"
#include "client/bench/measure.h"
#include "client/bench/raw_file.h"
#include "common/status.h"

namespace cairn::bench {

class RawSendfile {
 public:
  // Writes the file, without a name, in `dir`. `direct`: it is never in the page cache, where its
  // file system can do that.
  static absl::StatusOr<std::unique_ptr<RawSendfile>> Open(const std::string& dir,
                                                           const Content& content, uint64_t file,
                                                           uint64_t bytes, bool direct,
                                                           const Stopped& stopped);

  // Moves it once. DATA_LOSS unless what came has that CRC32C.
  absl::StatusOr<Measured> Run(uint32_t crc, const Stopped& stopped, Progress* progress);
  // The same by pread, on this thread.
  absl::StatusOr<Measured> RunPread(uint32_t crc, const Stopped& stopped, Progress* progress);

 private:
  RawSendfile(std::unique_ptr<RawFile> file, uint64_t bytes)
      : file_(std::move(file)), bytes_(bytes) {}

  const std::unique_ptr<RawFile> file_;
  const uint64_t bytes_;
};

}  // namespace cairn::bench
