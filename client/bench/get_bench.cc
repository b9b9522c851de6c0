#include "client/bench/get_bench.h"

#include <memory>

#include "client/bench/cluster_files.h"
#include "client/bench/raw_sendfile.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kFile = 1;  // of the content

}  // namespace

absl::Status GetBench::Run(const std::function<void(const Row&)>& row) {
  // The put, and a warm-up before the rounds.
  target_.progress->planned.store(options_.bytes *
                                  (1 + 2 * (1 + static_cast<uint64_t>(options_.rounds))));
  return InClusterFolder(target_.fs, options_.cluster_dir, "get",
                         [&](const std::string& dir) -> absl::Status {
                           ASSIGN_OR_RETURN(Rounds rounds, RunRounds(dir + "/file"));
                           Row result = ToRow("get", "warm", std::move(rounds));
                           result.cpu_of = target_.cpu_of;
                           row(result);
                           return absl::OkStatus();
                         });
}

absl::StatusOr<Rounds> GetBench::RunRounds(const std::string& path) {
  RETURN_IF_ERROR(PutContent(target_, path, content_, kFile, options_.bytes,
                             {.replication = options_.replication}, target_.progress));
  ASSIGN_OR_RETURN(
      const std::unique_ptr<RawSendfile> baseline,
      RawSendfile::Open(options_.local_dir, content_, kFile, options_.bytes, target_.stopped));
  const uint32_t crc = content_.Crc(kFile, options_.bytes);
  Rounds rounds;
  for (int round = 0; round <= options_.rounds; ++round) {
    const Stopwatch watch(target_.cpu);
    RETURN_IF_ERROR(CheckContent(target_, path, options_.bytes, crc, target_.progress));
    const Measured measured = watch.Read();
    const absl::StatusOr<Measured> bare = baseline->Run(crc, target_.stopped, target_.progress);
    if (!bare.ok()) return Annotate(bare.status(), "baseline");
    if (round == 0) continue;  // what was cold
    rounds.AddTransfer(options_.bytes, measured);
    rounds.AddBaselineBytes(options_.bytes, *bare);
  }
  return rounds;
}

}  // namespace cairn::bench
