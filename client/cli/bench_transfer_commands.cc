// cairn bench put|get|pipeline|smallfiles: bytes in and out of a cluster, measured against what the
// machine gives without one.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "client/bench/get_bench.h"
#include "client/bench/pread_bench.h"
#include "client/bench/put_bench.h"
#include "client/bench/small_files_bench.h"
#include "client/cli/bench_options.h"
#include "client/cli/commands.h"

namespace cairn::cli {
namespace {

constexpr uint64_t kBlockUnit = 4096;  // what sizes of blocks are multiples of
constexpr int64_t kMaxCallers = 1024;
constexpr uint64_t kMostPiece = 64 << 20;

struct TransferFlags : BenchOptions {
  uint64_t size = 1 << 30;
  std::vector<std::string> consistencies = {"strong", "eventual"};
};

struct PReadFlags : BenchOptions {
  uint64_t size = 256 << 20;
  uint64_t piece = 4 << 10;
  uint64_t reads = 20'000;
  int64_t callers = 16;
};

struct SmallFilesFlags : BenchOptions {
  uint64_t size = 100 << 10;
  uint64_t files = 2000;
  int64_t callers = 16;
};

absl::Status CheckSize(uint64_t bytes) {
  return bytes == 0 ? UsageError("--size must be above 0") : absl::OkStatus();
}

absl::StatusOr<bench::PutOptions> ToPutOptions(const TransferFlags& flags) {
  RETURN_IF_ERROR(CheckSize(flags.size));
  bench::PutOptions options;
  options.bytes = flags.size;
  options.replication = static_cast<uint32_t>(flags.replication);
  options.rounds = static_cast<int>(flags.rounds);
  options.local_dir = flags.dir;
  for (const std::string& text : flags.consistencies) {
    const std::optional<Consistency> consistency = ParseConsistency(text);
    if (!consistency.has_value()) {
      return UsageError(fmt::format("--consistency {}: not one of strong, eventual, weak", text));
    }
    options.consistencies.push_back(*consistency);
  }
  return options;
}

absl::Status RunPut(Context& context, const TransferFlags& flags, bench::PutOptions options) {
  return RunOnCluster(context, flags, ProgressUnit::kBytes, kTransferTable,
                      [&options](const bench::Target& target, const std::string& dir,
                                 const std::function<void(const bench::Row&)>& row) {
                        options.cluster_dir = dir;
                        return bench::PutBench(options, target).Run(row);
                      });
}

void AddBenchPut(Cli& cli) {
  auto flags = std::make_shared<TransferFlags>();
  Command& command = cli.Add(
      "bench put", "", 0, 0,
      "measure putting a large file, beside a pipeline of raw sockets to files on a local disk",
      [flags](Context& context, const Operands&) -> absl::Status {
        ASSIGN_OR_RETURN(bench::PutOptions options, ToPutOptions(*flags));
        options.name = "put";
        return RunPut(context, *flags, std::move(options));
      });
  command
      .Example(
          "cairn bench put --own-cluster              # 1 GiB, three DataNodes on this machine")
      .Example("cairn bench put --size 4G --consistency strong --json")
      .Example("cairn bench put --own-cluster --dir /disk1 # which disk is compared");
  OptionTable& table = command.options();
  table.AddSize("size", &flags->size, "of the file, in bytes; its content is made in memory");
  table
      .AddList("consistency", &flags->consistencies,
               "a row for each; the baseline is the same, and durable, for all")
      .Value("strong|eventual|weak[,...]");
  flags->Declare(table);
}

void AddBenchPipeline(Cli& cli) {
  auto flags = std::make_shared<TransferFlags>();
  flags->size = 256 << 20;
  flags->dir = "/dev/shm";
  flags->consistencies = {"strong"};
  Command& command =
      cli.Add("bench pipeline", "", 0, 0,
              "measure one block's way through a write pipeline in memory, beside raw sockets",
              [flags](Context& context, const Operands&) -> absl::Status {
                ASSIGN_OR_RETURN(bench::PutOptions options, ToPutOptions(*flags));
                options.name = "pipeline";
                options.block_size = (flags->size + kBlockUnit - 1) / kBlockUnit * kBlockUnit;
                return RunPut(context, *flags, std::move(options));
              });
  command.Example("cairn bench pipeline --own-cluster         # everything in /dev/shm")
      .Example("cairn bench pipeline --own-cluster --size 1G -r 2 --json");
  OptionTable& table = command.options();
  table.AddSize("size", &flags->size,
                "of the block, in bytes. The DataNodes must have their directories on tmpfs, as "
                "the baseline has its files, or disks are compared with memory");
  flags->Declare(table);
}

void AddBenchGet(Cli& cli) {
  auto flags = std::make_shared<TransferFlags>();
  Command& command = cli.Add(
      "bench get", "", 0, 0,
      "measure reading a large file from page caches: over TCP, beside sendfile over a raw socket, "
      "and out of replicas' files on this host, beside pread; with --own-cluster also from disks, "
      "beside O_DIRECT reads",
      [flags](Context& context, const Operands&) -> absl::Status {
        RETURN_IF_ERROR(CheckSize(flags->size));
        return RunOnCluster(context, *flags, ProgressUnit::kBytes, kTransferTable,
                            [&flags](const bench::Target& target, const std::string& dir,
                                     const std::function<void(const bench::Row&)>& row) {
                              return bench::GetBench(
                                         {.bytes = flags->size,
                                          .replication = static_cast<uint32_t>(flags->replication),
                                          .rounds = static_cast<int>(flags->rounds),
                                          .cluster_dir = dir,
                                          .local_dir = flags->dir},
                                         target)
                                  .Run(row);
                            });
      });
  command.Example("cairn bench get --own-cluster")
      .Example("cairn bench get --size 256M -r 1 --json");
  OptionTable& table = command.options();
  table.AddSize("size", &flags->size, "of the file, in bytes; it is read once before the rounds");
  flags->Declare(table);
}

void AddBenchSmallFiles(Cli& cli) {
  auto flags = std::make_shared<SmallFilesFlags>();
  Command& command = cli.Add(
      "bench smallfiles", "", 0, 0,
      "measure putting and getting small files, beside bare local files that are synced",
      [flags](Context& context, const Operands&) -> absl::Status {
        RETURN_IF_ERROR(CheckSize(flags->size));
        if (flags->files == 0) return UsageError("--files must be above 0");
        return RunOnCluster(context, *flags, ProgressUnit::kOperations, kOperationTable,
                            [&flags](const bench::Target& target, const std::string& dir,
                                     const std::function<void(const bench::Row&)>& row) {
                              return bench::SmallFilesBench(
                                         {.files = flags->files,
                                          .bytes = flags->size,
                                          .callers = static_cast<int>(flags->callers),
                                          .replication = static_cast<uint32_t>(flags->replication),
                                          .rounds = static_cast<int>(flags->rounds),
                                          .cluster_dir = dir,
                                          .local_dir = flags->dir},
                                         target)
                                  .Run(row);
                            });
      });
  command.Example("cairn bench smallfiles --own-cluster")
      .Example("cairn bench smallfiles --files 10K --size 1M --callers 64 --json");
  OptionTable& table = command.options();
  table.AddCount("files", &flags->files, "put, and got, in all rounds together");
  table.AddSize("size", &flags->size, "of each, in bytes");
  table.AddInt("callers", &flags->callers, 1, kMaxCallers, "threads of this process");
  flags->Declare(table);
}

absl::StatusOr<bench::PReadOptions> ToPReadOptions(const PReadFlags& flags) {
  RETURN_IF_ERROR(CheckSize(flags.size));
  if (flags.piece == 0 || flags.piece > std::min(flags.size, kMostPiece)) {
    return UsageError("--piece must be above 0 and at most --size and 64M");
  }
  if (flags.reads == 0) return UsageError("--reads must be above 0");
  return bench::PReadOptions{.bytes = flags.size,
                             .piece_bytes = flags.piece,
                             .reads = flags.reads,
                             .callers = static_cast<int>(flags.callers),
                             .replication = static_cast<uint32_t>(flags.replication),
                             .rounds = static_cast<int>(flags.rounds),
                             .cluster_dir = "",
                             .local_dir = flags.dir};
}

void AddBenchPReads(Cli& cli) {
  auto flags = std::make_shared<PReadFlags>();
  Command& command = cli.Add(
      "bench preads", "", 0, 0,
      "measure reading small pieces of a file at random places, beside pread of a local file",
      [flags](Context& context, const Operands&) -> absl::Status {
        ASSIGN_OR_RETURN(bench::PReadOptions options, ToPReadOptions(*flags));
        return RunOnCluster(context, *flags, ProgressUnit::kOperations, kOperationTable,
                            [&options](const bench::Target& target, const std::string& dir,
                                       const std::function<void(const bench::Row&)>& row) {
                              options.cluster_dir = dir;
                              return bench::PReadBench(options, target).Run(row);
                            });
      });
  command.Example("cairn bench preads --own-cluster")
      .Example("cairn bench preads --piece 64K --callers 64 --json");
  OptionTable& table = command.options();
  table.AddSize("size", &flags->size, "of the file, in bytes");
  table.AddSize("piece", &flags->piece, "of each read, in bytes");
  table.AddCount("reads", &flags->reads, "of each row, in all rounds together");
  table.AddInt("callers", &flags->callers, 1, kMaxCallers,
               "threads of the second row; the first one has one");
  flags->Declare(table);
}

}  // namespace

void AddBenchTransfers(Cli& cli) {
  AddBenchPut(cli);
  AddBenchGet(cli);
  AddBenchPReads(cli);
  AddBenchPipeline(cli);
  AddBenchSmallFiles(cli);
}

}  // namespace cairn::cli
