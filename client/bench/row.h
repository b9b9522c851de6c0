// One line of a benchmark's result, as JSON and as a line of a table.
//
// The field names of the JSON are public: they may grow, and neither change nor vanish. Figures
// with a spread are medians of rounds; their ends follow in fields of their own. Used by `cairn
// bench` and tests/bench. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
  std::optional<Spread> baseline;  // operations a second of the bare thing
  std::optional<Spread> ratio;     // to it, round by round
  std::optional<double> cpu_us_per_op;
};

// Rounds as they are measured, to be made a row.
struct Rounds {
  uint64_t ops = 0;
  double seconds = 0;
  double cpu_us = 0;
  std::vector<double> ops_per_s;
  std::vector<double> baseline_ops_per_s;  // empty: there is none
  std::vector<float> latencies_us;         // of all rounds, or a sample of them

  void Add(uint64_t round_ops, double round_seconds);
};
Row ToRow(std::string name, std::string variant, Rounds rounds);

// {"name","variant","bytes","ops","seconds","gb_per_s","ops_per_s","p50_us","p99_us",
// "cpu_s_per_gb","baseline","ratio",...} on one line; null where a field does not apply.
std::string RowJson(const Row& row);

// A table of fixed columns, each line with its newline.
std::string TableHead();
std::string TableLine(const Row& row);

}  // namespace cairn::bench
