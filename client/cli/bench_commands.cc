// cairn bench metadata: operations on names, measured against what the machine gives without them.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/async_namespace.h"
#include "client/bench/metadata_bench.h"
#include "client/cli/commands.h"
#include "client/cli/json_text.h"
#include "common/env.h"

namespace cairn::cli {
namespace {

constexpr int kMaxCallers = 1024;
constexpr int64_t kCleanUpMs = 30'000;  // after Ctrl-C
constexpr uint64_t kDefaultFiles = 10'000;

struct BenchFlags {
  std::vector<std::string> callers = {"1", "8", "64"};
  std::vector<std::string> processes;
  std::vector<std::string> operations;
  uint64_t files = kDefaultFiles;
  std::string dir = "/bench";
  std::string sync_dir = "/var/tmp";
  bool json = false;
  bool async = false;
  std::string worker;  // address of the echo server: be one of --processes
  Option* callers_option = nullptr;
};

absl::StatusOr<std::vector<int>> ParseCounts(std::string_view option,
                                             const std::vector<std::string>& texts) {
  std::vector<int> counts;
  for (const std::string& text : texts) {
    int count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size() || count < 1 ||
        count > kMaxCallers) {
      return UsageError(
          fmt::format("--{} {}: not a number from 1 to {}", option, text, kMaxCallers));
    }
    counts.push_back(count);
  }
  return counts;
}

std::vector<std::string_view> OperationNames() {
  std::vector<std::string_view> names;
  for (const bench::OperationInfo& info : bench::Operations()) names.push_back(info.name);
  return names;
}

absl::StatusOr<std::vector<bench::Operation>> ParseOperations(
    const std::vector<std::string>& names) {
  std::vector<bench::Operation> operations;
  for (const std::string& name : names) {
    const std::optional<bench::Operation> operation = bench::OperationByName(name);
    if (!operation.has_value()) {
      return UsageError(
          fmt::format("--operations {}: not one of {}", name, fmt::join(OperationNames(), ", ")));
    }
    operations.push_back(*operation);
  }
  if (!operations.empty()) return operations;
  for (const bench::OperationInfo& info : bench::Operations()) {
    // Needs DataNodes.
    if (info.operation != bench::Operation::kCreateBlock) operations.push_back(info.operation);
  }
  return operations;
}

absl::StatusOr<bench::MetadataOptions> ToOptions(const BenchFlags& flags) {
  bench::MetadataOptions options;
  ASSIGN_OR_RETURN(options.callers, ParseCounts("callers", flags.callers));
  ASSIGN_OR_RETURN(options.processes, ParseCounts("processes", flags.processes));
  if (!options.processes.empty() && !flags.callers_option->is_set()) options.callers.clear();
  ASSIGN_OR_RETURN(options.operations, ParseOperations(flags.operations));
  if (flags.async && !options.processes.empty()) {
    return UsageError("--async is for callers of one process; leave --processes out");
  }
  if (flags.async && std::count(options.operations.begin(), options.operations.end(),
                                bench::Operation::kCreateBlock) > 0) {
    return UsageError("--operations create-block: not with --async");
  }
  if (flags.files == 0) return UsageError("--files must be above 0");
  options.files = flags.files;
  options.sync_dir = flags.sync_dir;
  if (!options.processes.empty()) {
    ASSIGN_OR_RETURN(options.worker_args, bench::OwnArguments());
    options.worker_args.push_back("--worker");
  }
  return options;
}

// One of --processes: what to do comes on the standard input.
absl::Status BeWorker(Context& context, const ClusterPath& dir, const std::string& echo_address) {
  bench::EchoClient echo(echo_address);
  bench::MetadataLoad load(dir.fs, &echo);
  return bench::RunWorker(
      &load, [&context] { return context.interrupt().raised(); }, STDIN_FILENO, STDOUT_FILENO);
}

absl::Status RunMetadata(Context& context, const BenchFlags& flags) {
  ASSIGN_OR_RETURN(const ClusterPath dir, context.Resolve(flags.dir));
  if (!flags.worker.empty()) return BeWorker(context, dir, flags.worker);
  if (dir.path == "/") return UsageError("--dir must not be /; name a directory to be used");
  ASSIGN_OR_RETURN(bench::MetadataOptions options, ToOptions(flags));
  options.dir = dir.path;
  std::unique_ptr<AsyncNamespace> names;
  if (flags.async) {
    if (!dir.prefix().empty()) {
      return UsageError(
          "--dir: with --async a path without cairn://; name the cluster by "
          "--namenode");
    }
    ASSIGN_OR_RETURN(ClientOptions client, context.Options());
    ASSIGN_OR_RETURN(names, AsyncNamespace::Connect(std::move(client)));
    options.async = names.get();
  }
  context.interrupt().set_grace_ms(kCleanUpMs);

  const std::unique_ptr<Env> env = NewPosixEnv();
  bench::MetadataBench bench(std::move(options), dir.fs, env.get(),
                             [&context] { return !context.Continue().ok(); });
  JsonArray array;
  std::string text = flags.json ? "" : bench::TableHead();
  absl::Status status;
  {
    const ProgressLine line(context.console(), [&bench](int64_t elapsed_ms, size_t columns) {
      return fmt::format("{} of {} operations, {} s", bench.done(), bench.planned(),
                         elapsed_ms / 1000)
          .substr(0, columns);
    });
    status = bench.Run([&](const bench::Row& row) {
      text += flags.json ? array.Add(bench::RowJson(row)) : bench::TableLine(row);
    });
  }
  // Not before: on a terminal, rows would come into the middle of the progress line.
  if (flags.json) text += array.End();
  context.out().Write(text);
  return status;
}

}  // namespace

void AddBench(Cli& cli) {
  auto flags = std::make_shared<BenchFlags>();
  Command& command = cli.Add(
      "bench metadata", "", 0, 0, "measure operations on names, beside what this machine can do",
      [flags](Context& context, const Operands&) { return RunMetadata(context, *flags); });
  command.Example("cairn bench metadata --callers 64 --files 50K")
      .Example("cairn bench metadata --callers 64 --async --files 200K")
      .Example("cairn bench metadata --processes 8 --operations create,getFileInfo --json");
  OptionTable& table = command.options();
  flags->callers_option =
      &table.AddList("callers", &flags->callers, "threads of this process; a row for each number")
           .Value("N[,N...]");
  table.AddBool("async", &flags->async,
                "callers that are no threads: as many operations under way");
  table.AddList("processes", &flags->processes, "separate processes of one caller each, instead")
      .Value("N[,N...]");
  table.AddCount("files", &flags->files, "operations of a kind for each row");
  table.AddList("operations", &flags->operations, "what is measured; create-block needs DataNodes")
      .Value("NAME[,NAME...]")
      .Default("mkdir,create,getFileInfo,list,rename,delete");
  table.AddString("dir", &flags->dir, "where in the cluster; a new folder in it is used, then gone")
      .Value("PATH");
  table
      .AddString("sync-dir", &flags->sync_dir,
                 "local folder on the disk that is the baseline of changes")
      .Value("DIR");
  table.AddBool("json", &flags->json, "an array of rows");
  table.AddString("worker", &flags->worker, "").Hidden();
}

}  // namespace cairn::cli
