#include "client/bench/small_files_bench.h"

#include <fmt/format.h>

#include <memory>

#include "client/bench/cluster_files.h"
#include "client/bench/process_cpu.h"

namespace cairn::bench {

absl::Status SmallFilesBench::Run(const std::function<void(const Row&)>& row) {
  target_.progress->planned.store(4 * options_.files);
  return InClusterFolder(
      target_.fs, options_.cluster_dir, "smallfiles", [&](const std::string& dir) -> absl::Status {
        Rounds puts;
        Rounds gets;
        const auto rounds = static_cast<uint64_t>(options_.rounds);
        for (uint64_t round = 0; round < rounds; ++round) {
          const uint64_t first = options_.files * round / rounds;
          const uint64_t count = options_.files * (round + 1) / rounds - first;
          if (count == 0) continue;
          RETURN_IF_ERROR(RunRound(fmt::format("{}/{}", dir, round), first, count, &puts, &gets));
        }
        Row put = ToRow("smallfiles", fmt::format("put callers={}", options_.callers), puts);
        Row get = ToRow("smallfiles", fmt::format("get callers={}", options_.callers), gets);
        put.cpu_of = get.cpu_of = target_.cpu_of;
        row(put);
        row(get);
        return absl::OkStatus();
      });
}

absl::Status SmallFilesBench::RunRound(const std::string& dir, uint64_t first, uint64_t count,
                                       Rounds* puts, Rounds* gets) {
  const absl::Status made = target_.fs->Mkdirs(dir, /*create_parents=*/false);
  if (!made.ok()) return Annotate(made, dir);
  ASSIGN_OR_RETURN(const std::unique_ptr<RawFolder> local, RawFolder::Create(options_.local_dir));
  const auto path = [&dir](uint64_t number) { return fmt::format("{}/f{}", dir, number); };
  RETURN_IF_ERROR(Compare(
      first, count,
      [&](uint64_t number) {
        return PutContent(target_, path(number), content_, number, options_.bytes,
                          {.replication = options_.replication}, /*progress=*/nullptr);
      },
      [&](uint64_t number) { return local->Put(content_, number, options_.bytes); }, puts));
  RETURN_IF_ERROR(Compare(
      first, count,
      [&](uint64_t number) {
        return GetSmall(target_, path(number), content_, number, options_.bytes);
      },
      [&](uint64_t number) { return local->Get(content_, number, options_.bytes); }, gets));
  return Annotate(target_.fs->Delete(dir, /*recursive=*/true),
                  fmt::format("cannot remove {}", dir));
}

absl::Status SmallFilesBench::Compare(uint64_t first, uint64_t count, const Call& call,
                                      const Call& baseline, Rounds* rounds) {
  const Stopwatch watch(target_.cpu);
  ASSIGN_OR_RETURN(const RoundResult result, RunCallers(first, count, call));
  const double cpu_us = watch.Read().cpu_us;
  rounds->AddBytes(count, count * options_.bytes, {.seconds = result.seconds, .cpu_us = cpu_us});
  rounds->latencies_us.insert(rounds->latencies_us.end(), result.latencies_us.begin(),
                              result.latencies_us.end());
  absl::StatusOr<RoundResult> bare = RunCallers(first, count, baseline);
  if (!bare.ok()) return Annotate(bare.status(), "baseline");
  rounds->AddBaselineOps(count, count * options_.bytes,
                         {.seconds = bare->seconds, .cpu_us = bare->cpu_us});
  return absl::OkStatus();
}

absl::StatusOr<RoundResult> SmallFilesBench::RunCallers(uint64_t first, uint64_t count,
                                                        const Call& call) {
  return RunThreads(options_.callers, count, target_.stopped, &target_.progress->done,
                    [&](uint64_t i) { return call(first + i); });
}

}  // namespace cairn::bench
