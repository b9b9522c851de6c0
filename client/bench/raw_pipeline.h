// A replication pipeline without Cairn: the baseline of `cairn bench put` and `pipeline`.
//
// A writer and as many hops as there are replicas, threads of this process, one TCP connection
// after the other. The writer checksums each 4 KiB; each hop sends a packet on, checks it, and
// writes it to a file of its own (raw_file.h); after the last one it syncs the file, waits for the
// hop behind it and says so to the one before. So the bytes go the way of a strong write, with the
// same checks, and with nothing else. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/bench/content.h"
#include "client/bench/measure.h"
#include "client/bench/raw_file.h"
#include "client/bench/raw_socket.h"
#include "common/status.h"

namespace cairn::bench {

class RawPipeline {
 public:
  // In `dir`, which must have room for `hops` files of `bytes` bytes.
  static absl::StatusOr<std::unique_ptr<RawPipeline>> Open(const std::string& dir, int hops,
                                                           uint64_t bytes);

  // Sends a file of the content through all hops, to new files, as Cairn's replicas are; returns
  // when all have it on their disks, with time and CPU of this process. DATA_LOSS when a hop got a
  // byte that fails its checksum.
  absl::StatusOr<Measured> Run(const Content& content, uint64_t file, const Stopped& stopped,
                               Progress* progress);
  // What the hops have written is that file.
  absl::Status Verify(const Content& content, uint64_t file, const Stopped& stopped);

 private:
  RawPipeline(std::string dir, uint64_t bytes) : dir_(std::move(dir)), bytes_(bytes) {}
  absl::StatusOr<std::unique_ptr<RawFile>> NewFile() const;

  const std::string dir_;
  const uint64_t bytes_;
  std::vector<std::unique_ptr<RawFile>> files_;  // of the last run
};

// One hop: packets from `in` until the last, to `file` and, unless null, to `out`; then the ack.
absl::Status RunHop(RawSocket* in, RawSocket* out, RawFile* file);

}  // namespace cairn::bench
