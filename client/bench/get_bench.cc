#include "client/bench/get_bench.h"

#include <memory>

#include "client/bench/cluster_files.h"
#include "client/bench/raw_sendfile.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kFile = 1;  // of the content

}  // namespace

absl::Status GetBench::Run(const std::function<void(const Row&)>& row) {
  // The put, and a warm-up before the rounds; all is read in four ways.
  target_.progress->planned.store(options_.bytes *
                                  (1 + 4 * (1 + static_cast<uint64_t>(options_.rounds))));
  return InClusterFolder(target_.fs, options_.cluster_dir, "get",
                         [&](const std::string& dir) -> absl::Status {
                           ASSIGN_OR_RETURN(Variants rounds, RunRounds(dir + "/file"));
                           Row result = ToRow("get", "warm", std::move(rounds.warm));
                           const ReadStatistics reads = target_.tcp_fs->GetReadStatistics();
                           result.hedged = reads.hedged;
                           result.hedge_won = reads.hedge_won;
                           result.cpu_of = target_.cpu_of;
                           row(result);
                           if (!rounds.local) return absl::OkStatus();
                           result = ToRow("get", "local", *std::move(rounds.local));
                           result.cpu_of = target_.cpu_of;
                           row(result);
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
  ASSIGN_OR_RETURN(
      const std::unique_ptr<RawSendfile> baseline,
      RawSendfile::Open(options_.local_dir, content_, kFile, options_.bytes, target_.stopped));
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
    if (round == 0) continue;  // what was cold
    variants.warm.AddTransfer(options_.bytes, warm);
    variants.warm.AddBaselineBytes(options_.bytes, *sent);
    if (!all_local) continue;  // another host's, or a node that had no time: not what is measured
    if (!variants.local) variants.local.emplace();
    variants.local->AddTransfer(options_.bytes, local);
    variants.local->AddBaselineBytes(options_.bytes, *read);
  }
  return variants;
}

}  // namespace cairn::bench
