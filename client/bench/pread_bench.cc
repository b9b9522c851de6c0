#include "client/bench/pread_bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <random>
#include <string_view>

#include "client/bench/cluster_files.h"
#include "common/strings.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kFile = 1;  // of the content

absl::StatusOr<size_t> ReadLocal(int fd, uint64_t offset, std::span<char> out) {
  const ssize_t got = pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
  if (got < 0) return ErrnoStatus("a file of the baseline", errno);
  return static_cast<size_t>(got);
}

}  // namespace

absl::Status PReadBench::Run(const std::function<void(const Row&)>& row) {
  const uint64_t rows = options_.callers > 1 ? 2 : 1;
  target_.progress->planned.store(2 * rows * options_.reads);
  return InClusterFolder(
      target_.fs, options_.cluster_dir, "preads", [&](const std::string& dir) -> absl::Status {
        const std::string path = dir + "/file";
        RETURN_IF_ERROR(PutContent(target_, path, content_, kFile, options_.bytes,
                                   {.replication = options_.replication}, /*progress=*/nullptr));
        ASSIGN_OR_RETURN(const std::unique_ptr<RawFile> local,
                         RawFile::Create(options_.local_dir, options_.bytes, /*direct=*/false));
        RETURN_IF_ERROR(local->Fill(content_, kFile, options_.bytes, target_.stopped));
        const absl::StatusOr<std::unique_ptr<InputStream>> in = target_.fs->Open(path);
        if (!in.ok()) return Annotate(in.status(), path);
        for (uint64_t i = 0; i < rows; ++i) {
          ASSIGN_OR_RETURN(Row result, RunRounds(**in, *local, i == 0 ? 1 : options_.callers));
          row(result);
        }
        return absl::OkStatus();
      });
}

absl::StatusOr<Row> PReadBench::RunRounds(InputStream& in, const RawFile& local, int callers) {
  const ReadStatistics before = target_.fs->GetReadStatistics();
  const auto count_of = static_cast<uint64_t>(options_.rounds);
  Rounds rounds;
  for (uint64_t round = 0; round < count_of; ++round) {
    const uint64_t count =
        options_.reads * (round + 1) / count_of - options_.reads * round / count_of;
    if (count == 0) continue;
    const Stopwatch watch(target_.cpu);
    ASSIGN_OR_RETURN(const RoundResult result,
                     RunCallers(callers, count, round, [&](uint64_t offset, std::span<char> out) {
                       return in.PRead(offset, out);
                     }));
    const double cpu_us = watch.Read().cpu_us;
    rounds.AddBytes(count, count * options_.piece_bytes,
                    {.seconds = result.seconds, .cpu_us = cpu_us});
    rounds.latencies_us.insert(rounds.latencies_us.end(), result.latencies_us.begin(),
                               result.latencies_us.end());
    const absl::StatusOr<RoundResult> bare = RunCallers(
        callers, count, round,
        [&](uint64_t offset, std::span<char> out) { return ReadLocal(local.fd(), offset, out); });
    if (!bare.ok()) return Annotate(bare.status(), "baseline");
    rounds.AddBaselineOps(count, count * options_.piece_bytes,
                          {.seconds = bare->seconds, .cpu_us = bare->cpu_us});
  }
  Row row = ToRow("preads", fmt::format("callers={}", callers), std::move(rounds));
  row.cpu_of = target_.cpu_of;
  const ReadStatistics after = target_.fs->GetReadStatistics();
  row.hedged = after.hedged - before.hedged;
  row.hedge_won = after.hedge_won - before.hedge_won;
  return row;
}

absl::StatusOr<RoundResult> PReadBench::RunCallers(int callers, uint64_t count, uint64_t seed,
                                                   const ReadAt& read) {
  return RunThreads(
      callers, count, target_.stopped, &target_.progress->done, [&](uint64_t i) -> absl::Status {
        std::mt19937_64 random(seed * count + i);
        const uint64_t offset = random() % (options_.bytes - options_.piece_bytes + 1);
        std::string piece(options_.piece_bytes, '\0');
        ASSIGN_OR_RETURN(const size_t got, read(offset, piece));
        if (got == piece.size() && content_.Matches(kFile, offset, piece)) return absl::OkStatus();
        return WithKind(
            absl::DataLossError(fmt::format("what was read at {} is not what was written", offset)),
            ErrorKind::kChecksum);
      });
}

}  // namespace cairn::bench
