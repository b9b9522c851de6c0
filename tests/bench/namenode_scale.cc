// A real NameNode with a namespace of any size: how long it takes to start, to take in full
// reports, how long clients wait meanwhile, and how much memory it needs.
//
//     namenode_scale --files 10M --edits 1M --nodes 30      JSON lines
//
// The namespace is made by a child process, which gives its memory back; DataNodes are fake ones.
// docs/performance.md says how to read it.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/admin_client.h"
#include "client/bench/row.h"
#include "client/file_system.h"
#include "common/command_line.h"
#include "common/strings.h"
#include "tests/bench/bench_main.h"
#include "tests/bench/fake_datanodes.h"
#include "tests/bench/in_flight.h"
#include "tests/bench/namespace_maker.h"
#include "tests/bench/prober.h"
#include "tests/bench/process_usage.h"
#include "tests/support/cluster.h"

namespace cairn::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kReadyMs = 30 * 60'000;
constexpr int64_t kSafeModeMs = 60'000;
constexpr int kRounds = 5;

struct Options {
  uint64_t files = 10'000;
  uint64_t edits = 0;
  int64_t nodes = 0;  // 0: a node for each million replicas, at least three
  int64_t again = 3;
  uint64_t rate_ops = 0;
  int64_t callers = 64;
  std::string dir = "/var/tmp";

  void Declare(OptionTable& table) {
    table.AddCount("files", &files, "files in the image, each of one block with three replicas");
    table.AddCount("edits", &edits, "edits in the journal, to be replayed");
    table.AddInt("nodes", &nodes, 0, 10'000, "DataNodes")
        .Default("one for a million replicas, at least 3");
    table.AddInt("again", &again, 0, 10'000, "nodes that report a second time, nothing changed");
    table.AddCount("rate-ops", &rate_ops, "look-ups and creates to be measured at the end");
    table.AddInt("callers", &callers, 1, 1024, "threads that do these");
    table.AddString("dir", &dir, "where the data is; a folder in it is removed at the end");
  }
};

void Print(const Json& json) {
  std::puts(json.dump().c_str());
  std::fflush(stdout);
}

double PerMillion(double value, uint64_t count) {
  return count == 0 ? 0 : value * 1e6 / static_cast<double>(count);
}

class NameNodeScale {
 public:
  NameNodeScale(const Options& options, std::string dir) : options_(options), dir_(std::move(dir)) {
    shape_.files = options.files;
    shape_.edits = options.edits;
    shape_.nodes =
        options.nodes > 0
            ? static_cast<uint32_t>(options.nodes)
            : static_cast<uint32_t>(std::max<uint64_t>(3, 3 * options.files / 1'000'000));
    shape_.cluster_id = NewUuid();
  }

  absl::Status Run() {
    RETURN_IF_ERROR(MeasureEmpty());
    namenode_ = MakeDaemon("nn");
    RETURN_IF_ERROR(Generate());
    RETURN_IF_ERROR(Load());
    FakeDataNodes nodes(namenode_->Field("rpc"), shape_);
    for (uint32_t node = 1; node <= shape_.nodes; ++node) {
      RETURN_IF_ERROR(nodes.Register(node));
    }
    RETURN_IF_ERROR(Report("first", shape_.nodes, &nodes));
    RETURN_IF_ERROR(AwaitSafeModeOff());
    const auto again = static_cast<uint32_t>(std::min<int64_t>(options_.again, shape_.nodes));
    if (again > 0) RETURN_IF_ERROR(Report("again", again, &nodes));
    PrintMemory("after_reports");
    RETURN_IF_ERROR(CheckReport());
    if (options_.rate_ops > 0) RETURN_IF_ERROR(MeasureRates());
    ASSIGN_OR_RETURN(const testing::ExitState state, namenode_->Stop());
    if (state.code == 0) return absl::OkStatus();
    return absl::InternalError(fmt::format("the NameNode ended with status {}", state.code));
  }

 private:
  std::unique_ptr<testing::Daemon> MakeDaemon(const std::string& name) const {
    // Nothing but what is measured: no checkpoint, and nodes that need no heartbeats.
    return std::make_unique<testing::Daemon>(
        dir_, name, "cairn-namenode",
        std::vector<std::string>{"--log-level", "warn", "--checkpoint-txns", "1G",
                                 "--checkpoint-interval", "7d", "--stale-after", "12h",
                                 "--dead-after", "24h"});
  }

  absl::Status MeasureEmpty() {
    const auto empty = MakeDaemon("empty");
    RETURN_IF_ERROR(empty->Start());
    empty_bytes_ = ResidentBytesOf(empty->pid());
    return empty->Stop().status();
  }

  absl::Status Generate() {
    const auto began = std::chrono::steady_clock::now();
    const pid_t child = fork();
    if (child < 0) return ErrnoStatus("fork", errno);
    if (child == 0) {
      const std::unique_ptr<Env> env = NewPosixEnv();
      const absl::Status made = MakeNamespace(shape_, env.get(), namenode_->data_dir());
      _exit(made.ok() ? 0 : ReportFailure("namenode_scale", made));
    }
    int status = 0;
    rusage usage{};
    if (wait4(child, &status, 0, &usage) != child) return ErrnoStatus("wait4", errno);
    if (status != 0) return absl::InternalError("the namespace could not be made");
    Print({{"name", "generate"},
           {"files", shape_.files},
           {"edits", shape_.edits},
           {"seconds", SecondsSince(began)},
           {"peak_rss_bytes", static_cast<uint64_t>(usage.ru_maxrss) * 1024}});
    return absl::OkStatus();
  }

  absl::Status Load() {
    const auto began = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(namenode_->Launch());
    RETURN_IF_ERROR(namenode_->AwaitReady(kReadyMs));
    ready_at_ = std::chrono::steady_clock::now();
    Print({{"name", "load"},
           {"files", shape_.files},
           {"edits", shape_.edits},
           {"seconds", SecondsSince(began)},
           {"cpu_s", CpuSecondsOf(namenode_->pid())}});
    PrintMemory("after_load");
    return absl::OkStatus();
  }

  void PrintMemory(const std::string& when) const {
    const uint64_t bytes = ResidentBytesOf(namenode_->pid());
    const double grown = static_cast<double>(bytes) - static_cast<double>(empty_bytes_);
    Print({{"name", "memory"},
           {"variant", when},
           {"rss_bytes", bytes},
           {"empty_rss_bytes", empty_bytes_},
           {"bytes_per_file", grown / static_cast<double>(shape_.files)}});
  }

  // Full reports of nodes 1 .. count, one after the other.
  absl::Status Report(const std::string& variant, uint32_t count, FakeDataNodes* nodes) {
    std::vector<double> seconds;
    uint64_t replicas = 0;
    Prober prober(namenode_->Field("rpc"), shape_.files);
    const double cpu_before = CpuSecondsOf(namenode_->pid());
    for (uint32_t node = 1; node <= count; ++node) {
      const auto began = std::chrono::steady_clock::now();
      ASSIGN_OR_RETURN(const uint64_t reported, nodes->FullReport(node));
      seconds.push_back(PerMillion(SecondsSince(began), reported));
      replicas += reported;
    }
    const double cpu = CpuSecondsOf(namenode_->pid()) - cpu_before;
    const Waits waits = prober.Finish();
    const Spread spread = SpreadOf(std::move(seconds));
    Print({{"name", "full_report"},
           {"variant", variant},
           {"nodes", count},
           {"replicas", replicas},
           {"seconds_per_million", spread.median},
           {"seconds_per_million_min", spread.min},
           {"seconds_per_million_max", spread.max},
           {"namenode_cpu_s_per_million", PerMillion(cpu, replicas)},
           {"client_calls", waits.calls},
           {"client_wait_p50_ms", waits.p50_ms},
           {"client_wait_p99_ms", waits.p99_ms},
           {"client_wait_longest_ms", waits.longest_ms}});
    if (waits.failed == 0) return absl::OkStatus();
    return absl::InternalError(fmt::format("{} look-ups failed during reports", waits.failed));
  }

  ClientOptions Client() const {
    ClientOptions options;
    options.namenodes = {namenode_->Field("rpc")};
    return options;
  }

  absl::Status AwaitSafeModeOff() {
    ASSIGN_OR_RETURN(const std::unique_ptr<AdminClient> admin, AdminClient::Connect(Client()));
    absl::StatusOr<SafeModeState> state;
    const bool off = testing::WaitUntil(kSafeModeMs, [&] {
      state = admin->GetSafeMode();
      return !state.ok() || !state->on;
    });
    RETURN_IF_ERROR(state.status());
    if (!off) return absl::InternalError("it is still on: " + state->reason);
    Print({{"name", "safe_mode_off"}, {"seconds_after_ready", SecondsSince(ready_at_)}});
    return absl::OkStatus();
  }

  absl::Status CheckReport() {
    ASSIGN_OR_RETURN(const std::unique_ptr<AdminClient> admin, AdminClient::Connect(Client()));
    ASSIGN_OR_RETURN(const std::string text, admin->ReportJson());
    const Json cluster = Json::parse(text).at("cluster");
    const auto number = [&](const char* name) { return cluster.at(name).get<uint64_t>(); };
    const uint64_t bad = number("under_replicated_blocks") + number("over_replicated_blocks") +
                         number("corrupt_blocks") + number("missing_blocks");
    const uint64_t files = number("files_total");
    const bool edited = shape_.edits == 0 ? files == shape_.files : files > shape_.files;
    if (edited && number("blocks_total") == shape_.files && bad == 0) return absl::OkStatus();
    return absl::InternalError("not what was generated: " + cluster.dump());
  }

  absl::Status MeasureRates() {
    ASSIGN_OR_RETURN(const std::unique_ptr<FileSystem> fs, FileSystem::Connect(Client()));
    RETURN_IF_ERROR(fs->Mkdirs("/rates", true));
    RETURN_IF_ERROR(Rate("getFileInfo", [&](uint64_t) {
      return fs->GetFileInfo(NamespaceShape::FilePath(RandomU64() % shape_.files)).status();
    }));
    return Rate("create", [&](uint64_t op) -> absl::Status {
      CreateOptions create;
      create.expected_length = 0;
      ASSIGN_OR_RETURN(const std::unique_ptr<OutputStream> out,
                       fs->Create(fmt::format("/rates/f{:019}", op), create));
      return out->Close();
    });
  }

  absl::Status Rate(const std::string& name, const std::function<absl::Status(uint64_t)>& call) {
    Rounds rounds;
    for (int round = 0; round < kRounds; ++round) {
      const uint64_t first = options_.rate_ops * round / kRounds;
      const uint64_t ops = options_.rate_ops * (round + 1) / kRounds - first;
      RETURN_IF_ERROR(RateRound(first, ops, call, &rounds));
    }
    Print(Json::parse(RowJson(
        ToRow(name, fmt::format("files={} callers={}", shape_.files, options_.callers), rounds))));
    return absl::OkStatus();
  }

  absl::Status RateRound(uint64_t first, uint64_t ops,
                         const std::function<absl::Status(uint64_t)>& call, Rounds* rounds) {
    std::vector<float> latencies(ops);
    std::atomic<uint64_t> next{0};
    Mutex mu;
    absl::Status failure;
    std::vector<std::thread> threads;
    const double cpu_s = CpuSecondsOf(namenode_->pid());
    const auto began = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < options_.callers; ++i) {
      threads.emplace_back([&] {
        for (uint64_t op = next++; op < ops; op = next++) {
          const auto begin = std::chrono::steady_clock::now();
          const absl::Status status = call(first + op);
          latencies[op] = MicrosSince(begin);
          if (status.ok()) continue;
          MutexLock lock(mu);
          failure = status;
          return;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    rounds->Add(ops, SecondsSince(began));
    rounds->cpu_us += 1e6 * (CpuSecondsOf(namenode_->pid()) - cpu_s);  // the NameNode's
    rounds->latencies_us.insert(rounds->latencies_us.end(), latencies.begin(), latencies.end());
    return failure;
  }

  const Options options_;
  const std::string dir_;
  NamespaceShape shape_;
  uint64_t empty_bytes_ = 0;
  std::unique_ptr<testing::Daemon> namenode_;
  std::chrono::steady_clock::time_point ready_at_;
};

absl::Status Main(const Options& options) {
  if (options.files == 0) return UsageError("--files must be above 0");
  if (options.nodes != 0 && options.nodes < 3) return UsageError("--nodes must be at least 3");
  const std::string dir = fmt::format("{}/namenode_scale-{}", options.dir, NewUuid());
  std::filesystem::create_directories(dir);
  const absl::Status status = NameNodeScale(options, dir).Run();
  std::filesystem::remove_all(dir);
  return status;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  return cairn::bench::BenchMain<cairn::bench::Options>(
      "namenode_scale", "Measures a NameNode with a large namespace.", argc, argv,
      cairn::bench::Main);
}
