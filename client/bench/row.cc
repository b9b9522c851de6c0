#include "client/bench/row.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

namespace cairn::bench {
namespace {

// Three digits after the point: more would be noise.
double Rounded(double value) { return std::round(value * 1000) / 1000; }

constexpr double kGb = 1e9;

double Rate(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

double CpuPerGb(uint64_t bytes, const Measured& measured) {
  return bytes == 0 ? 0 : measured.cpu_us / 1e6 / (static_cast<double>(bytes) / kGb);
}

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

constexpr std::string_view kTransferLine =
    "{:<9}  {:<8}  {:>16}  {:>18}  {:>16}  {:>18}  {:>8}  {}\n";

constexpr std::string_view kLine = "{:<13}  {:<14}  {:>23}  {:>9}  {:>9}  {:>23}  {}\n";

}  // namespace

void Rounds::Add(uint64_t round_ops, double round_seconds) {
  ops += round_ops;
  seconds += round_seconds;
  ops_per_s.push_back(Rate(static_cast<double>(round_ops), round_seconds));
}

void Rounds::AddBytes(uint64_t round_ops, uint64_t round_bytes, const Measured& measured) {
  Add(round_ops, measured.seconds);
  cpu_us += measured.cpu_us;
  bytes += round_bytes;
  gb_per_s.push_back(Rate(static_cast<double>(round_bytes) / kGb, measured.seconds));
  cpu_s_per_gb.push_back(CpuPerGb(round_bytes, measured));
}

void Rounds::AddTransfer(uint64_t round_bytes, const Measured& measured) {
  AddBytes(1, round_bytes, measured);
  latencies_us.push_back(static_cast<float>(measured.seconds * 1e6));
}

void Rounds::AddBaselineBytes(uint64_t round_bytes, const Measured& measured) {
  baseline_gb_per_s.push_back(Rate(static_cast<double>(round_bytes) / kGb, measured.seconds));
  baseline_cpu_s_per_gb.push_back(CpuPerGb(round_bytes, measured));
}

void Rounds::AddBaselineOps(uint64_t round_ops, uint64_t round_bytes, const Measured& measured) {
  baseline_ops_per_s.push_back(Rate(static_cast<double>(round_ops), measured.seconds));
  baseline_cpu_s_per_gb.push_back(CpuPerGb(round_bytes, measured));
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
  if (!rounds.baseline_gb_per_s.empty()) {
    row.ratio = RatioOf(rounds.gb_per_s, rounds.baseline_gb_per_s);
    row.baseline = SpreadOf(std::move(rounds.baseline_gb_per_s));
  }
  if (!rounds.gb_per_s.empty()) {
    row.bytes = rounds.bytes;
    row.gb_per_s = SpreadOf(std::move(rounds.gb_per_s));
    row.cpu_s_per_gb = SpreadOf(std::move(rounds.cpu_s_per_gb));
    row.baseline_cpu_s_per_gb = SpreadOf(std::move(rounds.baseline_cpu_s_per_gb));
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
  if (row.bytes.has_value()) json["bytes"] = *row.bytes;
  json["ops"] = row.ops;
  json["seconds"] = Rounded(row.seconds);
  json["gb_per_s"] = MedianOf(row.gb_per_s);
  json["ops_per_s"] = Rounded(row.ops_per_s.median);
  json["p50_us"] = Rounded(row.p50_us);
  json["p99_us"] = Rounded(row.p99_us);
  json["cpu_s_per_gb"] = MedianOf(row.cpu_s_per_gb);
  json["baseline"] = MedianOf(row.baseline);
  json["ratio"] = MedianOf(row.ratio);
  AddSpread(json, "ops_per_s", row.ops_per_s);
  AddSpread(json, "baseline", row.baseline);
  AddSpread(json, "ratio", row.ratio);
  AddSpread(json, "gb_per_s", row.gb_per_s);
  AddSpread(json, "cpu_s_per_gb", row.cpu_s_per_gb);
  json["baseline_cpu_s_per_gb"] = MedianOf(row.baseline_cpu_s_per_gb);
  json["cpu_us_per_op"] = nullptr;
  if (row.cpu_us_per_op.has_value()) json["cpu_us_per_op"] = Rounded(*row.cpu_us_per_op);
  json["cpu_of"] = nullptr;
  if (!row.cpu_of.empty()) json["cpu_of"] = row.cpu_of;
  json["hedged"] = nullptr;
  if (row.hedged.has_value()) json["hedged"] = *row.hedged;
  json["hedge_won"] = nullptr;
  if (row.hedge_won.has_value()) json["hedge_won"] = *row.hedge_won;
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

std::string TransferTableHead() {
  return fmt::format(fmt::runtime(kTransferLine), "operation", "variant", "GB/s (min-max)",
                     "baseline (min-max)", "ratio (min-max)", "CPU s/GB (min-max)", "baseline",
                     "CPU of");
}

std::string TransferTableLine(const Row& row) {
  const std::string baseline_cpu = row.baseline_cpu_s_per_gb.has_value()
                                       ? fmt::format("{:.2f}", row.baseline_cpu_s_per_gb->median)
                                       : "-";
  return fmt::format(fmt::runtime(kTransferLine), row.name, row.variant, Cell(row.gb_per_s, 2),
                     Cell(row.baseline, 2), Cell(row.ratio, 2), Cell(row.cpu_s_per_gb, 2),
                     baseline_cpu, row.cpu_of);
}

}  // namespace cairn::bench
