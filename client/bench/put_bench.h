// `cairn bench put` and `cairn bench pipeline`: one large file after another into a cluster, each
// beside a pipeline of raw sockets that does the same (raw_pipeline.h).
//
// The two differ in what they are given: `pipeline` writes one block, and both its replicas and the
// baseline's files are meant to be in memory. Each round: put, read back and compare, baseline,
// compare its files, remove. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/bench/content.h"
#include "client/bench/measure.h"
#include "client/bench/raw_pipeline.h"
#include "client/bench/row.h"
#include "common/consistency.h"

namespace cairn::bench {

struct PutOptions {
  std::string name;  // of the benchmark, in its rows
  uint64_t bytes = 0;
  uint32_t replication = 0;
  uint64_t block_size = 0;                 // 0: the cluster's
  std::vector<Consistency> consistencies;  // a row each
  int rounds = 0;
  std::string cluster_dir;  // a new folder in it is used and removed
  std::string local_dir;    // of the baseline's files
};

class PutBench {
 public:
  PutBench(PutOptions options, const Target& target)
      : options_(std::move(options)), target_(target) {}

  // Calls `row` as rows are finished. What was made is removed in any case, also when stopped
  // (CANCELLED).
  absl::Status Run(const std::function<void(const Row&)>& row);

 private:
  absl::Status RunRound(RawPipeline* baseline, Consistency consistency, const std::string& path,
                        uint64_t file, Rounds* rounds);

  const PutOptions options_;
  const Target target_;
  const Content content_;
};

}  // namespace cairn::bench
