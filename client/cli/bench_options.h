// What `cairn bench put|get|smallfiles|pipeline` have in common: where they work, the cluster that
// they measure, and how rows are shown.
//
// Not thread-safe: used by the command's own thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/bench/measure.h"
#include "client/bench/row.h"
#include "client/cli/cli.h"
#include "common/options.h"

namespace cairn::cli {

struct BenchOptions {
  std::string dir = "/var/tmp";
  std::string cluster_dir = "/bench";
  int64_t replication = 3;
  int64_t rounds = 5;
  bool json = false;
  bool own_cluster = false;
  int64_t datanodes = 3;
  std::string data_dir;
  Option* datanodes_option = nullptr;
  Option* data_dir_option = nullptr;

  // Declares all of them. What is in them now is the default.
  void Declare(OptionTable& table);
};

enum class ProgressUnit { kBytes, kOperations };

// How the rows of a benchmark become a table.
struct RowTable {
  std::string (*head)();
  std::string (*line)(const bench::Row& row);
};
inline constexpr RowTable kOperationTable = {bench::TableHead, bench::TableLine};
inline constexpr RowTable kTransferTable = {bench::TransferTableHead, bench::TransferTableLine};

// A benchmark: `cluster_dir` is the path in the cluster; `row` is to be called with each row.
using RunBench =
    std::function<absl::Status(const bench::Target& target, const std::string& cluster_dir,
                               const std::function<void(const bench::Row&)>& row)>;

// Runs it against the cluster that the options name, which is started before and ended after it if
// it is the benchmark's own; shows progress, then the rows.
absl::Status RunOnCluster(Context& context, const BenchOptions& options, ProgressUnit unit,
                          const RowTable& table, const RunBench& run);

}  // namespace cairn::cli
