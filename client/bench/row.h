// One line of a benchmark's result, as JSON and as a line of a table.
//
// A GB is 10^9 bytes. The field names of the JSON are public: they may grow, and neither change nor
// vanish. Figures with a spread are medians of rounds; their ends follow in fields of their own.
// Used by `cairn bench` and tests/bench. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/bench/measure.h"
#include "client/bench/statistics.h"

namespace cairn::bench {

struct Row {
  std::string name;     // the operation
  std::string variant;  // under what circumstances
  uint64_t ops = 0;     // in all rounds
  double seconds = 0;   // of all rounds
  Spread ops_per_s;
  double p50_us = 0;
  double p99_us = 0;
  // Of the bare thing: GB a second if it moves large files, else operations a second.
  std::optional<Spread> baseline;
  std::optional<Spread> ratio;  // to it, round by round
  std::optional<double> cpu_us_per_op;

  // Of operations that move bytes.
  std::optional<uint64_t> bytes;  // in all rounds
  std::optional<Spread> gb_per_s;
  std::optional<Spread> cpu_s_per_gb;
  std::optional<Spread> baseline_cpu_s_per_gb;
  // Of operations that read: hedged reads, and those whose second replica answered first.
  std::optional<uint64_t> hedged;
  std::optional<uint64_t> hedge_won;
  std::string cpu_of;  // whose CPU counts: "client", or "all" processes; empty: not told
};

// Rounds as they are measured, to be made a row.
struct Rounds {
  uint64_t ops = 0;
  double seconds = 0;
  double cpu_us = 0;
  std::vector<double> ops_per_s;
  std::vector<double> baseline_ops_per_s;  // empty: there is none
  std::vector<float> latencies_us;         // of all rounds, or a sample of them

  uint64_t bytes = 0;
  std::vector<double> gb_per_s;
  std::vector<double> baseline_gb_per_s;  // empty: the baseline is in operations, or there is none
  std::vector<double> cpu_s_per_gb;
  std::vector<double> baseline_cpu_s_per_gb;

  void Add(uint64_t round_ops, double round_seconds);
  // A round that moved bytes.
  void AddBytes(uint64_t round_ops, uint64_t round_bytes, const Measured& measured);
  // The same of a single operation, whose latency the round tells.
  void AddTransfer(uint64_t round_bytes, const Measured& measured);
  // Its baseline, to be compared by bytes or by operations.
  void AddBaselineBytes(uint64_t round_bytes, const Measured& measured);
  void AddBaselineOps(uint64_t round_ops, uint64_t round_bytes, const Measured& measured);
};
Row ToRow(std::string name, std::string variant, Rounds rounds);

// {"name","variant","bytes","ops","seconds","gb_per_s","ops_per_s","p50_us","p99_us",
// "cpu_s_per_gb","baseline","ratio",...} on one line; null where a field does not apply.
std::string RowJson(const Row& row);

// A table of fixed columns, each line with its newline.
std::string TableHead();
std::string TableLine(const Row& row);
// The same for rows that moved large files: rates in GB a second, CPU a GB.
std::string TransferTableHead();
std::string TransferTableLine(const Row& row);

}  // namespace cairn::bench
