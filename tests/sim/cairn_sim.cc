// The NameNode's block management under virtual time: storms over clusters of any size.
//
//   cairn_sim [--nodes N] [--racks N] [--blocks N] [--seed N] [--seeds N] [--minutes N]
//             [--fault-every SECONDS] [--write-every MS] [--checks 0|1]
//
// Defaults: 1,000 nodes in 20 racks, a million blocks, seed 1 alone, 30 minutes, a fault every 20
// s, a file every 100 ms. For each seed: the NameNode starts on the blocks, a storm, calm; then a
// node dies for good, and its replicas are made anew. Says what happened and what the NameNode's
// CPU was spent on. Ends with status 1, and the command that repeats it, when a rule was broken or
// the cluster did not heal. Kept small, it is a test.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "common/logging.h"
#include "tests/sim/storm.h"

namespace cairn::sim {
namespace {

constexpr int64_t kMinuteMs = 60'000;

struct Flags {
  SimOptions sim = {.nodes = 1'000, .racks = 20, .blocks = 1'000'000, .write_every_ms = 100};
  uint64_t seeds = 1;
  int64_t minutes = 30;
  int64_t fault_every_s = 20;
  bool checks = true;  // a recount of every block each ten minutes
};

bool Parse(int argc, char** argv, Flags* flags) {
  std::map<std::string_view, std::function<void(uint64_t)>> known = {
      {"--nodes", [&](uint64_t n) { flags->sim.nodes = static_cast<uint32_t>(n); }},
      {"--racks", [&](uint64_t n) { flags->sim.racks = static_cast<uint32_t>(n); }},
      {"--blocks", [&](uint64_t n) { flags->sim.blocks = n; }},
      {"--seed", [&](uint64_t n) { flags->sim.seed = n; }},
      {"--seeds", [&](uint64_t n) { flags->seeds = n; }},
      {"--minutes", [&](uint64_t n) { flags->minutes = static_cast<int64_t>(n); }},
      {"--fault-every", [&](uint64_t n) { flags->fault_every_s = static_cast<int64_t>(n); }},
      {"--write-every", [&](uint64_t n) { flags->sim.write_every_ms = static_cast<int64_t>(n); }},
      {"--checks", [&](uint64_t n) { flags->checks = n != 0; }},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto it = known.find(argv[i]);
    uint64_t value = 0;
    if (it == known.end() || i + 1 == argc || !absl::SimpleAtoi(argv[i + 1], &value)) {
      fmt::print(stderr, "cairn_sim: what is {}? Its flags are in tests/sim/cairn_sim.cc\n",
                 argv[i]);
      return false;
    }
    it->second(value);
  }
  return flags->sim.nodes >= 4 && flags->sim.racks >= 1 && flags->sim.blocks >= 1;
}

std::string Text(const namenode::BlockCounts& counts) {
  return fmt::format(
      "{} blocks: {} under, {} over, {} corrupt, {} missing, {} misplaced, {} leaving",
      counts.total, counts.under_replicated, counts.over_replicated, counts.corrupt, counts.missing,
      counts.misplaced, counts.leaving);
}

// CPU of the NameNode between two moments, in seconds.
struct Spent {
  explicit Spent(const ClusterSim& of) : sim(of), before(of.counters()) {}
  double cpu() const { return sim.counters().cpu - before.cpu; }
  double monitors() const { return sim.counters().monitor_cpu - before.monitor_cpu; }
  double reports() const { return sim.counters().report_cpu - before.report_cpu; }
  uint64_t reported() const { return sim.counters().reported_replicas - before.reported_replicas; }
  const ClusterSim& sim;
  const SimCounters before;
};

double Millions(uint64_t n) { return static_cast<double>(n) / 1e6; }

// Until every replica is reported and safe mode is left.
bool StartUp(ClusterSim* sim) {
  const Spent spent(*sim);
  const bool sound = sim->RunUntilSound(60 * kMinuteMs);
  fmt::print(
      "start: {}; {:.2f} s of CPU for {:.2f} M replicas in full reports, {:.2f} s a million\n",
      Text(sim->Counts()), spent.reports(), Millions(spent.reported()),
      spent.reports() / Millions(std::max<uint64_t>(spent.reported(), 1)));
  return sound;
}

bool Weather(const Flags& flags, ClusterSim* sim) {
  Storm storm(sim, flags.fault_every_s * 1'000);
  const Spent spent(*sim);
  for (int64_t minute = 0; minute < flags.minutes && sim->broken().empty(); minute += 10) {
    sim->RunFor(std::min<int64_t>(10, flags.minutes - minute) * kMinuteMs);
    if (flags.checks && sim->Counts() != sim->manager().Recount()) {
      fmt::print("the figures are not those of a recount\n");
      return false;
    }
  }
  fmt::print("storm: {}; {:.1f} s of CPU an hour\n", Text(sim->Counts()),
             spent.cpu() * 60 / static_cast<double>(flags.minutes));
  for (size_t i = 0; i < Storm::kFaults.size(); ++i) {
    fmt::print("  {} {}", Storm::kFaults[i], storm.happened()[i]);
  }
  fmt::print("\n");
  const bool healed = storm.CalmDown(600 * kMinuteMs);
  fmt::print("calm: {}\n", Text(sim->Counts()));
  sim->CheckAtRest();
  return healed;
}

// What it costs to plan the repair of one node: what the monitors need beyond what they need at
// rest.
bool LoseOne(ClusterSim* sim) {
  constexpr int64_t kMonitorMs = 3'000;
  const Spent rest(*sim);
  sim->RunFor(10 * kMonitorMs);
  const double idle = rest.monitors() / 10;
  sim->Crash(sim->nodes().front().get());
  const Spent spent(*sim);
  const int64_t began = sim->events().now_ms();
  uint64_t lost = 0;
  for (int i = 0; i < 30; ++i) {  // it counts as dead after 60 s
    sim->RunFor(kMonitorMs);
    lost = std::max(lost, sim->Counts().under_replicated);
  }
  const bool sound = sim->RunUntilSound(600 * kMinuteMs);
  const int64_t took = sim->events().now_ms() - began;
  fmt::print(
      "a node dies: {} blocks under at most; {:.3f} s of CPU plan its repair; healed after {} s\n",
      lost, spent.monitors() - idle * static_cast<double>(took) / kMonitorMs, took / 1000);
  return sound;
}

bool RunSeed(const Flags& flags) {
  const auto began = std::chrono::steady_clock::now();
  ClusterSim sim(flags.sim);
  const bool good = StartUp(&sim) && Weather(flags, &sim) && sim.broken().empty() && LoseOne(&sim);
  for (size_t i = 0; i < std::min<size_t>(sim.broken().size(), 10); ++i) {
    fmt::print("broken: {}\n", sim.broken()[i]);
  }
  const SimCounters& counters = sim.counters();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "seed {}: {}; {} heartbeats, {} files written, {} removed, {} copies ({} failed), {} "
      "deletions; {:.1f} s of the NameNode's CPU, {:.1f} s in all, {} MiB\n",
      flags.sim.seed, good ? "good" : "NOT GOOD", counters.heartbeats, counters.written,
      counters.removed, counters.copies, counters.failed_copies, counters.deletions, counters.cpu,
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(),
      usage.ru_maxrss / 1024);
  std::fflush(stdout);
  return good && sim.broken().empty();
}

int Main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, 1);
  Flags flags;
  if (!Parse(argc, argv, &flags)) return 2;
  if (!InitLogging(LogLevel::kError, "").ok()) return 2;
  const uint64_t end = flags.sim.seed + flags.seeds;
  for (; flags.sim.seed < end; ++flags.sim.seed) {
    if (RunSeed(flags)) continue;
    fmt::print("again: {}", argv[0]);
    fmt::print(" --nodes {} --racks {} --blocks {} --minutes {} --fault-every {} --write-every {}",
               flags.sim.nodes, flags.sim.racks, flags.sim.blocks, flags.minutes,
               flags.fault_every_s, flags.sim.write_every_ms);
    fmt::print(" --seed {}\n", flags.sim.seed);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace cairn::sim

int main(int argc, char** argv) { return cairn::sim::Main(argc, argv); }
