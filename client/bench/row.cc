#include "client/bench/row.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

namespace cairn::bench {
namespace {

// Three digits after the point: more would be noise.
double Rounded(double value) { return std::round(value * 1000) / 1000; }

void AddSpread(nlohmann::ordered_json& json, const std::string& name,
               const std::optional<Spread>& spread) {
  if (!spread.has_value()) {
    json[name + "_min"] = nullptr;
    json[name + "_max"] = nullptr;
    return;
  }
  json[name + "_min"] = Rounded(spread->min);
  json[name + "_max"] = Rounded(spread->max);
}

nlohmann::ordered_json MedianOf(const std::optional<Spread>& spread) {
  return spread.has_value() ? nlohmann::ordered_json(Rounded(spread->median))
                            : nlohmann::ordered_json(nullptr);
}

std::string Cell(const std::optional<Spread>& spread, int digits) {
  if (!spread.has_value()) return "-";
  return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", spread->median, digits, spread->min, digits,
                     spread->max, digits);
}

constexpr std::string_view kLine = "{:<13}  {:<14}  {:>23}  {:>9}  {:>9}  {:>23}  {}\n";

}  // namespace

void Rounds::Add(uint64_t round_ops, double round_seconds) {
  ops += round_ops;
  seconds += round_seconds;
  ops_per_s.push_back(round_seconds > 0 ? static_cast<double>(round_ops) / round_seconds : 0);
}

Row ToRow(std::string name, std::string variant, Rounds rounds) {
  Row row;
  row.name = std::move(name);
  row.variant = std::move(variant);
  row.ops = rounds.ops;
  row.seconds = rounds.seconds;
  if (!rounds.baseline_ops_per_s.empty()) {
    row.ratio = RatioOf(rounds.ops_per_s, rounds.baseline_ops_per_s);
    row.baseline = SpreadOf(std::move(rounds.baseline_ops_per_s));
  }
  row.ops_per_s = SpreadOf(std::move(rounds.ops_per_s));
  row.p50_us = Percentile(rounds.latencies_us, 50);
  row.p99_us = Percentile(rounds.latencies_us, 99);
  if (rounds.ops > 0 && rounds.cpu_us > 0) {
    row.cpu_us_per_op = rounds.cpu_us / static_cast<double>(rounds.ops);
  }
  return row;
}

std::string RowJson(const Row& row) {
  nlohmann::ordered_json json;
  json["name"] = row.name;
  json["variant"] = row.variant;
  json["bytes"] = nullptr;
  json["ops"] = row.ops;
  json["seconds"] = Rounded(row.seconds);
  json["gb_per_s"] = nullptr;
  json["ops_per_s"] = Rounded(row.ops_per_s.median);
  json["p50_us"] = Rounded(row.p50_us);
  json["p99_us"] = Rounded(row.p99_us);
  json["cpu_s_per_gb"] = nullptr;
  json["baseline"] = MedianOf(row.baseline);
  json["ratio"] = MedianOf(row.ratio);
  AddSpread(json, "ops_per_s", row.ops_per_s);
  AddSpread(json, "baseline", row.baseline);
  AddSpread(json, "ratio", row.ratio);
  if (row.cpu_us_per_op.has_value()) {
    json["cpu_us_per_op"] = Rounded(*row.cpu_us_per_op);
  } else {
    json["cpu_us_per_op"] = nullptr;
  }
  return json.dump();
}

std::string TableHead() {
  return fmt::format(fmt::runtime(kLine), "operation", "variant", "ops/s (min-max)", "p50 us",
                     "p99 us", "baseline/s (min-max)", "ratio (min-max)");
}

std::string TableLine(const Row& row) {
  return fmt::format(fmt::runtime(kLine), row.name, row.variant, Cell(row.ops_per_s, 0),
                     fmt::format("{:.0f}", row.p50_us), fmt::format("{:.0f}", row.p99_us),
                     Cell(row.baseline, 0), Cell(row.ratio, 2));
}

}  // namespace cairn::bench
