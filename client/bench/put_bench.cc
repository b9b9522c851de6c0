#include "client/bench/put_bench.h"

#include <memory>

#include "client/bench/cluster_files.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kPassesPerRound = 3;  // put, read back, baseline

}  // namespace

absl::Status PutBench::Run(const std::function<void(const Row&)>& row) {
  target_.progress->planned.store(options_.bytes * kPassesPerRound *
                                  static_cast<uint64_t>(options_.rounds) *
                                  options_.consistencies.size());
  ASSIGN_OR_RETURN(const std::unique_ptr<RawPipeline> baseline,
                   RawPipeline::Open(options_.local_dir, static_cast<int>(options_.replication),
                                     options_.bytes));
  return InClusterFolder(
      target_.fs, options_.cluster_dir, options_.name, [&](const std::string& dir) -> absl::Status {
        uint64_t file = 0;
        for (const Consistency consistency : options_.consistencies) {
          Rounds rounds;
          for (int round = 0; round < options_.rounds; ++round) {
            RETURN_IF_ERROR(RunRound(baseline.get(), consistency, dir + "/file", file++, &rounds));
          }
          Row result = ToRow(options_.name, std::string(ToString(consistency)), std::move(rounds));
          result.cpu_of = target_.cpu_of;
          row(result);
        }
        return absl::OkStatus();
      });
}

absl::Status PutBench::RunRound(RawPipeline* baseline, Consistency consistency,
                                const std::string& path, uint64_t file, Rounds* rounds) {
  const Stopwatch watch(target_.cpu);
  RETURN_IF_ERROR(PutContent(target_, path, content_, file, options_.bytes,
                             {.replication = options_.replication,
                              .block_size = options_.block_size,
                              .consistency = consistency},
                             target_.progress));
  rounds->AddTransfer(options_.bytes, watch.Read());
  RETURN_IF_ERROR(CheckContent(target_, path, options_.bytes, content_.Crc(file, options_.bytes),
                               target_.progress));

  const absl::StatusOr<Measured> bare =
      baseline->Run(content_, file, target_.stopped, target_.progress);
  if (!bare.ok()) return Annotate(bare.status(), "baseline");
  rounds->AddBaselineBytes(options_.bytes, *bare);
  RETURN_IF_ERROR(baseline->Verify(content_, file, target_.stopped));
  return RemoveContent(target_, path, options_.bytes * options_.replication);
}

}  // namespace cairn::bench
