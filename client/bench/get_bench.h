// `cairn bench get`: one large file read again and again, each time beside sendfile(2) of a local
// file with the same bytes (raw_sendfile.h).
//
// Both were read once before, so that both come from page caches, and both are checked by the same
// CRC32C over all bytes. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
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
  absl::StatusOr<Rounds> RunRounds(const std::string& path);

  const GetOptions options_;
  const Target target_;
  const Content content_;
};

}  // namespace cairn::bench
