// Many clients on the same files while processes, networks and disks fail, and a verdict.
//
//   cairn_torture --seed N --minutes M --clients C --datanodes D [--faults all|none|KIND,...]
//                 [--dir D] [--plan]
//   cairn_torture --check DIR
//
// Starts a cluster of real processes, each in a host of its own (faults of networks and disks need
// root), and clients that put, append, flush, replace, rename, delete, truncate and read. Then the
// faults end, the cluster heals, every file is read, and the record of all answers is judged. What
// is done and what fails is the same whenever the seed is (--plan prints it); how the two fall
// together is up to the operating system, so a seed that broke a rule need not break it again.
//
// Ends with status 1, the rule that was broken, the command that repeats the plan and the folder
// of the logs, which is kept then; --check judges these again. A folder given with --dir stays.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "client/file_system.h"
#include "common/command_line.h"
#include "tests/fault/torture/judge.h"
#include "tests/fault/torture/plan.h"
#include "tests/fault/torture/world.h"
#include "tests/integration/cluster_view.h"
#include "tests/integration/recorded_client.h"

namespace cairn::testing {
namespace {

constexpr int64_t kDeadAfterMs = 5'000;  // as the cluster's
constexpr int64_t kCloseMs = 60'000;     // for a file that somebody left open
// A copy that its source could not make, and did not tell of, is ordered again after 120 s.
constexpr int64_t kHealMs = 240'000;
constexpr int kStepsShown = 200;

struct Flags {
  int64_t seed = 1;
  double minutes = 2;
  int64_t clients = 8;
  int64_t datanodes = 5;
  std::string faults = "all";
  std::string dir;
  std::string check;
  bool plan = false;
  std::set<FaultKind> kinds;

  int64_t duration_ms() const { return static_cast<int64_t>(minutes * 60'000); }
  std::string Command() const {
    return fmt::format(
        "cairn_torture --seed {} --minutes {} --clients {} --datanodes {} --faults {}", seed,
        minutes, clients, datanodes, faults);
  }
};

std::vector<Fault> PlanOf(const Flags& flags) {
  return PlanFaults({.seed = static_cast<uint64_t>(flags.seed),
                     .duration_ms = flags.duration_ms(),
                     .dead_after_ms = kDeadAfterMs,
                     .datanodes = static_cast<int>(flags.datanodes),
                     .clients = static_cast<int>(flags.clients),
                     .kinds = flags.kinds});
}

// The faults, and how each client begins.
std::string PlanText(const Flags& flags) {
  std::string text;
  for (const Fault& fault : PlanOf(flags)) text += ToString(fault) + "\n";
  for (int client = 1; client <= flags.clients; ++client) {
    ClientPlan plan(static_cast<uint64_t>(flags.seed), client, static_cast<int>(flags.clients));
    for (int i = 0; i < kStepsShown; ++i) {
      text += fmt::format("client {}: {}\n", client, ToString(plan.Next()));
    }
  }
  return text;
}

class Torture {
 public:
  Torture(const Flags& flags, std::string dir) : flags_(flags), dir_(std::move(dir)) {}

  // What went wrong, but for the judgement.
  absl::Status Run();

 private:
  struct Event {
    int64_t at_ms = 0;
    bool begin = false;  // ends come first
    size_t fault = 0;

    auto operator<=>(const Event&) const = default;
  };

  absl::Status MakeDirectories();
  absl::Status Suffer();
  absl::Status LookAtAll();
  absl::Status LookAt(const std::string& directory);
  absl::Status AwaitHealth();

  const Flags& flags_;
  const std::string dir_;
  std::unique_ptr<World> world_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<History> history_;
  std::unique_ptr<RecordedClient> last_;
};

absl::Status Torture::MakeDirectories() {
  ASSIGN_OR_RETURN(fs_, FileSystem::Connect({.namenodes = {world_->cluster().rpc_address()},
                                             .timeout_ms = 60'000}));
  history_ = std::make_unique<History>(0, world_->LogOf(kLastClient));
  last_ = std::make_unique<RecordedClient>(fs_.get(), history_.get(), kLastClient);
  for (int i = 0; i < flags_.clients; ++i) last_->Mkdir(DirectoryName(i));
  return absl::OkStatus();
}

absl::Status Torture::Suffer() {
  const std::vector<Fault> faults = PlanOf(flags_);
  std::vector<Event> events;
  for (size_t i = 0; i < faults.size(); ++i) {
    events.push_back({faults[i].start_ms, true, i});
    events.push_back({faults[i].end_ms, false, i});
    // What lasts no time begins before it ends.
    if (faults[i].start_ms == faults[i].end_ms) ++events.back().at_ms;
  }
  std::sort(events.begin(), events.end());
  const int64_t began_us = History::NowUs();
  RETURN_IF_ERROR(world_->StartClients(began_us + flags_.duration_ms() * 1'000));
  absl::Status status;
  size_t next = 0;
  WaitUntil(flags_.duration_ms(), [&] {
    const int64_t now_us = History::NowUs();
    world_->Flap(now_us);
    for (; next < events.size() && status.ok(); ++next) {
      const Event& event = events[next];
      if (event.at_ms * 1'000 > now_us - began_us) break;
      const Fault& fault = faults[event.fault];
      status = event.begin ? world_->Begin(fault) : world_->End(fault);
    }
    return !status.ok();
  });
  for (; next < events.size() && status.ok(); ++next) {
    if (!events[next].begin) status = world_->End(faults[events[next].fault]);
  }
  return status;
}

// Every file is closed, and looked at once more.
absl::Status Torture::LookAt(const std::string& directory) {
  std::vector<std::string> paths;
  absl::Status status;
  // What was not published goes by itself.
  const bool clean = WaitUntil(kCloseMs, [&] {
    paths.clear();
    bool temporary = false;
    status = fs_->ForEachEntry(directory, [&](const FileStatus& entry) {
      temporary = temporary || entry.name.find("._COPYING_.") != std::string::npos;
      paths.push_back(directory + "/" + entry.name);
      return absl::OkStatus();
    });
    return status.ok() && !temporary;
  });
  RETURN_IF_ERROR(status);
  if (!clean) return absl::InternalError("what was not published stays in " + directory);
  last_->List(directory);
  for (const std::string& path : paths) {
    absl::StatusOr<bool> closed;
    const bool is_closed = WaitUntil(kCloseMs, [&] {
      closed = fs_->RecoverLease(path);
      return closed.ok() && *closed;
    });
    if (!is_closed) {
      return absl::InternalError(
          fmt::format("{} cannot be closed: {}", path, MessageOf(closed.status())));
    }
    last_->Stat(path).status().IgnoreError();
    last_->Read(path).IgnoreError();
  }
  return absl::OkStatus();
}

absl::Status Torture::LookAtAll() {
  for (int i = 0; i < flags_.clients; ++i) RETURN_IF_ERROR(LookAt(DirectoryName(i)));
  return absl::OkStatus();
}

absl::Status Torture::AwaitHealth() {
  Cluster& cluster = world_->cluster();
  const int64_t began_us = History::NowUs();
  if (!WaitUntil(kHealMs, [&] { return IsHealthy(cluster); })) {
    return absl::InternalError("the cluster does not heal:\n" +
                               cluster.Cairn({"admin", "health"}).out +
                               cluster.Cairn({"admin", "nodes"}).out);
  }
  fmt::print("healed after {:.1f} s more\n",
             static_cast<double>(History::NowUs() - began_us) / 1e6);
  return absl::OkStatus();
}

absl::Status Torture::Run() {
  ASSIGN_OR_RETURN(world_, World::Make({.dir = dir_,
                                        .seed = static_cast<uint64_t>(flags_.seed),
                                        .datanodes = static_cast<int>(flags_.datanodes),
                                        .clients = static_cast<int>(flags_.clients),
                                        .kinds = flags_.kinds}));
  RETURN_IF_ERROR(MakeDirectories());
  RETURN_IF_ERROR(Suffer());
  absl::Status status = world_->Settle();
  if (status.ok()) status = LookAtAll();
  if (status.ok()) status = AwaitHealth();
  // Whatever went wrong: what happened is of use.
  const Record record = LoadRecord(dir_);
  fmt::print("{}{}  {} replicas rotted\n{}{} lives of clients\n", CountsText(record),
             CountsText(world_->times()), world_->rotten(),
             StallsText(record, world_->times(), static_cast<int>(flags_.clients)),
             world_->lives());
  return status;
}

bool JudgeLogs(const std::string& dir) {
  const Record record = LoadRecord(dir);
  const Judgement judgement = Judge(record);
  for (const std::string& rule : judgement.broken) fmt::print("BROKEN: {}\n", rule);
  fmt::print("{} operations judged, {} states searched: {}\n", record.operations.size(),
             judgement.states, judgement.ok() ? "good" : "NOT GOOD");
  return judgement.ok();
}

// An empty folder for a run.
absl::StatusOr<std::string> MakeDir(const Flags& flags) {
  std::string dir = flags.dir;
  if (dir.empty()) {
    dir = (std::filesystem::temp_directory_path() / "cairn_torture.XXXXXX").string();
    if (mkdtemp(dir.data()) == nullptr) return ErrnoStatus("cannot make " + dir, errno);
    return dir;
  }
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (!std::filesystem::is_empty(dir, error) || error) {
    return absl::FailedPreconditionError(dir + " is not an empty folder");
  }
  return std::filesystem::absolute(dir).string();
}

int RunOnce(const Flags& flags) {
  const absl::StatusOr<std::string> dir = MakeDir(flags);
  if (!dir.ok()) {
    fmt::print(stderr, "cairn_torture: {}\n", MessageOf(dir.status()));
    return 1;
  }
  fmt::print("{}\nlogs: {}\n", flags.Command(), *dir);
  std::fflush(stdout);
  std::ofstream(*dir + "/plan.txt") << flags.Command() << "\n" << PlanText(flags);
  const absl::Status status = Torture(flags, *dir).Run();
  if (!status.ok()) fmt::print("BROKEN: {}\n", MessageOf(status));
  const bool good = JudgeLogs(*dir) && status.ok();
  if (!good) {
    fmt::print("again: {}\nlogs are kept in {}\n", flags.Command(), *dir);
  } else if (flags.dir.empty()) {
    std::filesystem::remove_all(*dir);
  }
  return good ? 0 : 1;
}

int Main(int argc, char** argv) {
  Flags flags;
  CommandLine line("cairn_torture", "clients and faults by a seed, and a verdict");
  line.globals().AddInt("seed", &flags.seed, 0, 1'000'000'000, "of what is done and what fails");
  line.globals().AddDouble("minutes", &flags.minutes, 0.01, 10'000, "how long");
  line.globals().AddInt("clients", &flags.clients, 1, 100, "clients at a time");
  line.globals().AddInt("datanodes", &flags.datanodes, 1, 90, "DataNodes");
  line.globals().AddString("faults", &flags.faults,
                           "all, none, or some of kill stop cut oneway loss slow flap rot fill");
  line.globals().AddString("dir", &flags.dir, "an empty folder for logs and data, which stays");
  line.globals().AddBool("plan", &flags.plan, "print what would be done, and do nothing");
  line.globals().AddString("check", &flags.check,
                           "judge the logs of an earlier run in this folder");
  line.CommandMayBeMissing();
  const absl::StatusOr<ParsedCommand> parsed = line.Parse(argc, argv);
  absl::StatusOr<std::set<FaultKind>> kinds = ParseFaults(flags.faults);
  if (!parsed.ok() || !kinds.ok()) {
    fmt::print(stderr, "cairn_torture: {}\n",
               MessageOf(parsed.ok() ? kinds.status() : parsed.status()));
    return 2;
  }
  flags.kinds = *std::move(kinds);
  if (parsed->help) {
    fmt::print("{}", line.Help(nullptr));
    return 0;
  }
  if (flags.plan) {
    fmt::print("{}", PlanText(flags));
    return 0;
  }
  if (!flags.check.empty()) return JudgeLogs(flags.check) ? 0 : 1;
  return RunOnce(flags);
}

}  // namespace
}  // namespace cairn::testing

int main(int argc, char** argv) { return cairn::testing::Main(argc, argv); }
