// `cairn bench get`: one large file read again and again: over TCP ("warm"), each time beside
// sendfile(2) of a local file with the same bytes, and, where all of its blocks have replicas on
// this host, out of their files ("local"), beside pread(2) of that file (raw_sendfile.h). These
// were read once before, so that they come from page caches. On a cluster whose page caches can be
// dropped also "cold": over TCP from the DataNodes' disks, beside O_DIRECT reads of a local file.
// All are checked by the same CRC32C over all bytes. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "client/bench/content.h"
#include "client/bench/measure.h"
#include "client/bench/row.h"

namespace cairn::bench {

struct GetOptions {
  uint64_t bytes = 0;
  uint32_t replication = 0;
  int rounds = 0;
  std::string cluster_dir;  // a new folder in it is used and removed
  std::string local_dir;    // of the baseline's file
};

class GetBench {
 public:
  GetBench(GetOptions options, const Target& target)
      : options_(std::move(options)), target_(target) {}

  // As PutBench::Run.
  absl::Status Run(const std::function<void(const Row&)>& row);

 private:
  struct Variants {
    Rounds warm;
    std::optional<Rounds> local;
    std::optional<Rounds> cold;
  };
  absl::StatusOr<Variants> RunRounds(const std::string& path);
  absl::StatusOr<Rounds> RunColdRounds(const std::string& path, uint32_t crc);
  // One read of all through `fs`.
  absl::StatusOr<Measured> ReadAll(FileSystem* fs, const std::string& path, uint32_t crc) const;

  const GetOptions options_;
  const Target target_;
  const Content content_;
};

}  // namespace cairn::bench
