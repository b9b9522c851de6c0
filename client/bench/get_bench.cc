#include "client/bench/get_bench.h"

#include <memory>

#include "client/bench/cluster_files.h"
#include "client/bench/raw_sendfile.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kFile = 1;  // of the content

}  // namespace

absl::Status GetBench::Run(const std::function<void(const Row&)>& row) {
  // The put, and a warm-up before the rounds; all is read in four ways, and cold in two.
  const auto rounds = static_cast<uint64_t>(options_.rounds);
  const uint64_t cold = target_.drop_caches ? 2 * rounds : 0;
  target_.progress->planned.store(options_.bytes * (1 + 4 * (1 + rounds) + cold));
  const auto tell = [&](const std::string& variant, Rounds measured) {
    Row result = ToRow("get", variant, std::move(measured));
    const ReadStatistics statistics = target_.tcp_fs->GetReadStatistics();
    if (variant == "warm") {
      result.hedged = statistics.hedged;
      result.hedge_won = statistics.hedge_won;
    }
    result.cpu_of = target_.cpu_of;
    row(result);
  };
  return InClusterFolder(target_.fs, options_.cluster_dir, "get",
                         [&](const std::string& dir) -> absl::Status {
                           ASSIGN_OR_RETURN(Variants variants, RunRounds(dir + "/file"));
                           tell("warm", std::move(variants.warm));
                           if (variants.local) tell("local", *std::move(variants.local));
                           if (variants.cold) tell("cold", *std::move(variants.cold));
                           return absl::OkStatus();
                         });
}

absl::StatusOr<Measured> GetBench::ReadAll(FileSystem* fs, const std::string& path,
                                           uint32_t crc) const {
  Target target = target_;
  target.fs = fs;
  const Stopwatch watch(target.cpu);
  RETURN_IF_ERROR(CheckContent(target, path, options_.bytes, crc, target.progress));
  return watch.Read();
}

absl::StatusOr<GetBench::Variants> GetBench::RunRounds(const std::string& path) {
  RETURN_IF_ERROR(PutContent(target_, path, content_, kFile, options_.bytes,
                             {.replication = options_.replication}, target_.progress));
  ASSIGN_OR_RETURN(const std::unique_ptr<RawSendfile> baseline,
                   RawSendfile::Open(options_.local_dir, content_, kFile, options_.bytes,
                                     /*direct=*/false, target_.stopped));
  const uint32_t crc = content_.Crc(kFile, options_.bytes);
  Variants variants;
  for (int round = 0; round <= options_.rounds; ++round) {
    ASSIGN_OR_RETURN(const Measured warm, ReadAll(target_.tcp_fs, path, crc));
    const absl::StatusOr<Measured> sent = baseline->Run(crc, target_.stopped, target_.progress);
    if (!sent.ok()) return Annotate(sent.status(), "baseline");
    const uint64_t local_before = target_.fs->GetReadStatistics().local_bytes;
    ASSIGN_OR_RETURN(const Measured local, ReadAll(target_.fs, path, crc));
    const bool all_local =
        target_.fs->GetReadStatistics().local_bytes - local_before == options_.bytes;
    const absl::StatusOr<Measured> read =
        baseline->RunPread(crc, target_.stopped, target_.progress);
    if (!read.ok()) return Annotate(read.status(), "baseline");
    if (round == 0) continue;  // the warm-up
    variants.warm.AddTransfer(options_.bytes, warm);
    variants.warm.AddBaselineBytes(options_.bytes, *sent);
    if (!all_local) continue;  // another host's, or a node that had no time: not what is measured
    if (!variants.local) variants.local.emplace();
    variants.local->AddTransfer(options_.bytes, local);
    variants.local->AddBaselineBytes(options_.bytes, *read);
  }
  // Apart: a warm read may take another replica than the one before.
  if (target_.drop_caches) {
    ASSIGN_OR_RETURN(variants.cold, RunColdRounds(path, crc));
  }
  return variants;
}

absl::StatusOr<Rounds> GetBench::RunColdRounds(const std::string& path, uint32_t crc) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RawSendfile> baseline,
                   RawSendfile::Open(options_.local_dir, content_, kFile, options_.bytes,
                                     /*direct=*/true, target_.stopped));
  Rounds rounds;
  for (int round = 0; round < options_.rounds; ++round) {
    RETURN_IF_ERROR(target_.drop_caches());
    ASSIGN_OR_RETURN(const Measured cold, ReadAll(target_.tcp_fs, path, crc));
    rounds.AddTransfer(options_.bytes, cold);
    const absl::StatusOr<Measured> bare =
        baseline->RunPread(crc, target_.stopped, target_.progress);
    if (!bare.ok()) return Annotate(bare.status(), "baseline");
    rounds.AddBaselineBytes(options_.bytes, *bare);
  }
  return rounds;
}

}  // namespace cairn::bench
