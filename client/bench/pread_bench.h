// `cairn bench preads`: small pieces of one file, read at random places by one thread and by
// several, beside pread(2) of a local file with the same bytes.
//
// Both were written just before, so both come from page caches, and every piece is compared. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client/bench/callers.h"
#include "client/bench/content.h"
#include "client/bench/measure.h"
#include "client/bench/raw_file.h"
#include "client/bench/row.h"
#include "client/input_stream.h"

namespace cairn::bench {

struct PReadOptions {
  uint64_t bytes = 0;        // of the file
  uint64_t piece_bytes = 0;  // of each read; at most `bytes`
  uint64_t reads = 0;        // of each row, in all rounds
  int callers = 0;           // threads of the second row; 1: there is none
  uint32_t replication = 0;
  int rounds = 0;
  std::string cluster_dir;  // a new folder in it is used and removed
  std::string local_dir;    // of the baseline's file
};

class PReadBench {
 public:
  PReadBench(PReadOptions options, const Target& target)
      : options_(std::move(options)), target_(target) {}

  // As PutBench::Run: a row for one thread, and a row for `callers`.
  absl::Status Run(const std::function<void(const Row&)>& row);

 private:
  // Reads a piece at an offset.
  using ReadAt = std::function<absl::StatusOr<size_t>(uint64_t offset, std::span<char> out)>;

  absl::StatusOr<Row> RunRounds(InputStream& in, const RawFile& local, int callers);
  // The places are the same for all that have the same `seed`.
  absl::StatusOr<RoundResult> RunCallers(int callers, uint64_t count, uint64_t seed,
                                         const ReadAt& read);

  const PReadOptions options_;
  const Target target_;
  const Content content_;
};

}  // namespace cairn::bench
