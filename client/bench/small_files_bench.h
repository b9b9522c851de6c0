// `cairn bench smallfiles`: many small files, put durably and got by several callers at once, each
// beside the same with bare local files (raw_folder.h).
//
// Rounds share the files; each round puts its share, gets it, and removes it, and every file that
// was got is compared. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "client/bench/callers.h"
#include "client/bench/content.h"
#include "client/bench/measure.h"
#include "client/bench/raw_folder.h"
#include "client/bench/row.h"

namespace cairn::bench {

struct SmallFilesOptions {
  uint64_t files = 0;  // in all rounds
  uint64_t bytes = 0;  // of each
  int callers = 0;     // threads
  uint32_t replication = 0;
  int rounds = 0;
  std::string cluster_dir;  // a new folder in it is used and removed
  std::string local_dir;    // of the baseline's files
};

class SmallFilesBench {
 public:
  SmallFilesBench(SmallFilesOptions options, const Target& target)
      : options_(std::move(options)), target_(target) {}

  // As PutBench::Run: a row for puts, a row for gets.
  absl::Status Run(const std::function<void(const Row&)>& row);

 private:
  using Call = std::function<absl::Status(uint64_t number)>;

  // `count` files with numbers from `first` on, into `dir`, which it removes.
  absl::Status RunRound(const std::string& dir, uint64_t first, uint64_t count, Rounds* puts,
                        Rounds* gets);
  // Measures `call` and `baseline` over these files, from all callers, one after the other.
  absl::Status Compare(uint64_t first, uint64_t count, const Call& call, const Call& baseline,
                       Rounds* rounds);
  absl::StatusOr<RoundResult> RunCallers(uint64_t first, uint64_t count, const Call& call);

  const SmallFilesOptions options_;
  const Target target_;
  const Content content_;
};

}  // namespace cairn::bench
