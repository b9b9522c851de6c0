#include "client/cli/bench_options.h"

#include <fmt/format.h>

#include <utility>

#include "client/bench/own_cluster.h"
#include "client/bench/process_cpu.h"
#include "client/cli/json_text.h"
#include "common/units.h"

namespace cairn::cli {
namespace {

constexpr int64_t kCleanUpMs = 30'000;  // after Ctrl-C
constexpr int64_t kMaxRounds = 1000;
constexpr int64_t kMaxReplication = 16;
constexpr int64_t kMaxDataNodes = 100;

absl::Status Check(const BenchOptions& options) {
  if (!options.own_cluster) {
    for (const Option* option : {options.datanodes_option, options.data_dir_option}) {
      if (!option->is_set()) continue;
      return UsageError(fmt::format("--{} is for --own-cluster", option->name()));
    }
  } else if (options.replication > options.datanodes) {
    return UsageError(fmt::format("-r {} needs --datanodes {} or more", options.replication,
                                  options.replication));
  }
  return absl::OkStatus();
}

std::string Shown(const bench::Progress& progress, ProgressUnit unit, int64_t elapsed_ms) {
  const uint64_t planned = progress.planned.load();
  if (planned == 0) return fmt::format("starting, {} s", elapsed_ms / 1000);
  if (unit == ProgressUnit::kOperations) {
    return fmt::format("{} of {} operations, {} s", progress.done.load(), planned,
                       elapsed_ms / 1000);
  }
  return fmt::format("{} of {} moved, {} s", FormatSize(progress.done.load()), FormatSize(planned),
                     elapsed_ms / 1000);
}

// The cluster to be measured, and how.
struct Measurement {
  std::unique_ptr<bench::OwnCluster> own;
  std::unique_ptr<FileSystem> own_fs;
  std::unique_ptr<FileSystem> tcp_fs;
  std::string cluster_dir;
  bench::Target target;
};

absl::Status ConnectOverTcp(ClientOptions client, Measurement* measurement) {
  client.short_circuit = false;
  ASSIGN_OR_RETURN(measurement->tcp_fs, FileSystem::Connect(std::move(client)));
  measurement->target.tcp_fs = measurement->tcp_fs.get();
  return absl::OkStatus();
}

absl::Status StartOwnCluster(Context& context, const BenchOptions& options,
                             Measurement* measurement) {
  ASSIGN_OR_RETURN(ClientOptions client, context.Options());
  ASSIGN_OR_RETURN(std::string programs, bench::OwnFolder());
  ASSIGN_OR_RETURN(
      measurement->own,
      bench::OwnCluster::Start({.datanodes = static_cast<int>(options.datanodes),
                                .dir = options.data_dir.empty() ? options.dir : options.data_dir,
                                .programs = std::move(programs)},
                               measurement->target.stopped));
  client.namenodes = {measurement->own->address()};
  RETURN_IF_ERROR(ConnectOverTcp(client, measurement));
  ASSIGN_OR_RETURN(measurement->own_fs, FileSystem::Connect(std::move(client)));
  measurement->target.fs = measurement->own_fs.get();
  measurement->target.cpu = [cluster = measurement->own.get()] {
    return bench::ProcessCpuMicros() + cluster->CpuMicros();
  };
  measurement->target.cpu_of = "all";
  measurement->target.drop_caches = [cluster = measurement->own.get()] {
    return cluster->DropCaches();
  };
  measurement->target.stored_bytes = [cluster = measurement->own.get()] {
    return cluster->StoredBytes();
  };
  measurement->target.await_stored = [cluster = measurement->own.get(),
                                      stopped = measurement->target.stopped](uint64_t most) {
    return cluster->AwaitStored(most, stopped);
  };
  return absl::OkStatus();
}

absl::Status Prepare(Context& context, const BenchOptions& options, Measurement* measurement) {
  // Checks the path; connects nowhere yet.
  ASSIGN_OR_RETURN(const ClusterPath path, context.Resolve(options.cluster_dir));
  if (path.path == "/") {
    return UsageError("--cluster-dir must not be /; name a directory to be used");
  }
  if (options.own_cluster && path.shown != path.path) {
    return UsageError("--cluster-dir names another cluster than --own-cluster");
  }
  measurement->cluster_dir = path.path;
  if (options.own_cluster) return StartOwnCluster(context, options, measurement);
  ASSIGN_OR_RETURN(ClientOptions client, context.OptionsOf(options.cluster_dir));
  RETURN_IF_ERROR(ConnectOverTcp(std::move(client), measurement));
  measurement->target.fs = path.fs;
  measurement->target.cpu = bench::ProcessCpuMicros;
  measurement->target.cpu_of = "client";
  return absl::OkStatus();
}

}  // namespace

void BenchOptions::Declare(OptionTable& table) {
  table
      .AddInt("replication", &replication, 1, kMaxReplication,
              "of the files; a raw pipeline has as many hops")
      .Short('r');
  table.AddInt("rounds", &rounds, 1, kMaxRounds, "a row is their median, with the ends");
  table.AddString("dir", &dir, "local folder of the baseline's files, on the disk to compare with")
      .Value("DIR");
  table
      .AddString("cluster-dir", &cluster_dir,
                 "where in the cluster; a new folder in it is used, then gone")
      .Value("PATH");
  table.AddBool("own-cluster", &own_cluster,
                "measure a cluster of its own, on free ports, instead of --namenode's, and count "
                "the CPU of all of its processes");
  datanodes_option =
      &table.AddInt("datanodes", &datanodes, 1, kMaxDataNodes, "DataNodes of --own-cluster");
  data_dir_option =
      &table
           .AddString("data-dir", &data_dir,
                      "local folder of --own-cluster's data; a new one in it is used, then gone")
           .Value("DIR")
           .Default("that of --dir");
  table.AddBool("json", &json, "an array of rows");
}

absl::Status RunOnCluster(Context& context, const BenchOptions& options, ProgressUnit unit,
                          const RowTable& table, const RunBench& run) {
  RETURN_IF_ERROR(Check(options));
  context.interrupt().set_grace_ms(kCleanUpMs);
  bench::Progress progress;
  JsonArray array;
  std::string text;
  absl::Status status;
  {
    const ProgressLine line(context.console(), [&](int64_t elapsed_ms, size_t columns) {
      return Shown(progress, unit, elapsed_ms).substr(0, columns);
    });
    Measurement measurement;  // ends its cluster before the line goes
    measurement.target.stopped = [&context] { return !context.Continue().ok(); };
    measurement.target.progress = &progress;
    status = Prepare(context, options, &measurement);
    if (status.ok()) {
      status = run(measurement.target, measurement.cluster_dir, [&](const bench::Row& row) {
        if (!options.json && text.empty()) text = table.head();
        text += options.json ? array.Add(bench::RowJson(row)) : table.line(row);
      });
    }
  }
  // Not before: on a terminal, rows would come into the middle of the progress line.
  if (options.json) text += array.End();
  context.out().Write(text);
  return status;
}

}  // namespace cairn::cli
