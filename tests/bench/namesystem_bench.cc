// What the door does in one process, over a real journal on disk: durable creates, mkdirs and
// renames, and look-ups, in namespaces of any size.
//
//     namesystem_bench --files 1M          JSON lines, one an operation
//
// Five rounds; each measures an operation and then, on the same disk, a bare journal that is given
// as many records of the same size. docs/performance.md says how to read it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/bench/process_cpu.h"
#include "client/bench/row.h"
#include "common/command_line.h"
#include "common/strings.h"
#include "tests/bench/bench_main.h"
#include "tests/bench/disk_door.h"
#include "tests/bench/in_flight.h"
#include "tests/bench/lock_watch.h"

namespace cairn::bench {
namespace {

using namenode::DoorBatch;
using namenode::StatusReply;

constexpr int kRounds = 5;
constexpr uint64_t kFilesPerDirectory = 1000;

struct Options {
  uint64_t files = 10'000;
  uint64_t others = 0;   // mkdirs and renames; 0: as many as files, at most 200,000
  uint64_t lookups = 0;  // 0: ten a file, from 100,000 to 2,000,000
  int64_t in_flight = 1024;
  int64_t readers = 2;
  std::string dir = "/var/tmp";
  bool verify = false;

  void Declare(OptionTable& table) {
    table.AddCount("files", &files, "how many files are created");
    table.AddCount("others", &others, "how many mkdirs and renames")
        .Default("as files, at most 200000");
    table.AddCount("lookups", &lookups, "how many getFileInfo").Default("10 a file, at most 2M");
    table.AddInt("in-flight", &in_flight, 1, 1 << 20, "changes under way at once");
    table.AddInt("readers", &readers, 1, 256, "threads that look up");
    table.AddString("dir", &dir, "where the journal is; a folder in it is removed at the end");
    table.AddBool("verify", &verify, "recover from the journal at the end and compare");
  }
};

std::string DirectoryOf(uint64_t file) {
  return fmt::format("/files/d{:07}", file / kFilesPerDirectory);
}
// A name of 20 characters.
std::string FilePath(uint64_t file, char first = 'f') {
  return fmt::format("{}/{}{:019}", DirectoryOf(file), first, file);
}

class NamesystemBench {
 public:
  NamesystemBench(const Options& options, Env* env, std::string dir)
      : options_(options), env_(env), dir_(std::move(dir)), in_flight_(1, Slots(options)) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(door_, DiskDoor::Open(env_, dir_ + "/journal"));
    const uint64_t others =
        options_.others > 0 ? options_.others : std::min<uint64_t>(options_.files, 200'000);
    RETURN_IF_ERROR(MakeDirectories(others));
    RETURN_IF_ERROR(Mutations("create", options_.files,
                              [this](uint64_t i, Slot& slot, DoorBatch* batch, StatusReply done) {
                                Create(FilePath(i), slot, batch, std::move(done));
                              }));
    RETURN_IF_ERROR(Lookups());
    RETURN_IF_ERROR(Mutations(
        "mkdir", others, [this](uint64_t i, Slot& slot, DoorBatch* batch, StatusReply done) {
          const std::string path = fmt::format("/dirs/d{}/d{:019}", i / kFilesPerDirectory, i);
          door_->operations().Mkdirs(slot.NextCall(batch), {.path = path}, std::move(done));
        }));
    const uint64_t renames = std::min(others, options_.files);
    RETURN_IF_ERROR(Mutations(
        "rename", renames, [this](uint64_t i, Slot& slot, DoorBatch* batch, StatusReply done) {
          door_->operations().Rename(
              slot.NextCall(batch), {.from = FilePath(i), .to = FilePath(i, 'r')}, std::move(done));
        }));
    RETURN_IF_ERROR(CheckCounts(others, renames));
    return options_.verify ? door_->CloseAndVerify() : absl::OkStatus();
  }

 private:
  static uint32_t Slots(const Options& options) { return static_cast<uint32_t>(options.in_flight); }

  absl::Status MakeDirectories(uint64_t others) {
    const uint64_t file_dirs = (options_.files - 1) / kFilesPerDirectory + 1;
    const uint64_t other_dirs = (others - 1) / kFilesPerDirectory + 1;
    return in_flight_
        .Run(&door_->operations(), 0, file_dirs + other_dirs,
             [&](uint64_t i, Slot& slot, DoorBatch* batch, StatusReply done) {
               namenode::MkdirsRequest request;
               request.path = i < file_dirs ? DirectoryOf(i * kFilesPerDirectory)
                                            : fmt::format("/dirs/d{}", i - file_dirs);
               request.create_parents = true;
               door_->operations().Mkdirs(slot.NextCall(batch), std::move(request),
                                          std::move(done));
             })
        .status();
  }

  void Create(std::string path, Slot& slot, DoorBatch* batch, StatusReply done) {
    namenode::CreateRequest request;
    request.path = std::move(path);
    door_->operations().Create(
        slot.NextCall(batch), std::move(request),
        [this, &slot, done = std::move(done)](absl::StatusOr<namenode::CreatedFile> created) {
          if (!created.ok()) return done(created.status());
          in_flight_.Then([this, &slot, done, inode = created->inode](DoorBatch* next) {
            namenode::CompleteRequest complete;
            complete.inode = inode;
            door_->operations().Complete(slot.NextCall(next), std::move(complete), done);
          });
        });
  }

  // Rounds of the operation, each followed by one of the bare journal.
  absl::Status Mutations(const std::string& name, uint64_t count, const AsyncOperation& operation) {
    Rounds rounds;
    LockTimes worst;
    const uint64_t records_before = door_->journal().records();
    uint64_t bytes_before = door_->journal().bytes();
    for (int round = 0; round < kRounds; ++round) {
      const uint64_t first = count * round / kRounds;
      const uint64_t ops = count * (round + 1) / kRounds - first;
      if (ops == 0) continue;
      const uint64_t records = door_->journal().records();
      const uint64_t bytes = door_->journal().bytes();
      const double cpu_us = ProcessCpuMicros();
      LockWatch watch(&door_->namesystem(), &door_->metrics());
      ASSIGN_OR_RETURN(InFlightTimes measured,
                       in_flight_.Run(&door_->operations(), first, ops, operation));
      Merge(watch.Finish(), &worst);
      rounds.cpu_us += ProcessCpuMicros() - cpu_us;
      rounds.Add(ops, measured.seconds);
      rounds.latencies_us.insert(rounds.latencies_us.end(), measured.latencies_us.begin(),
                                 measured.latencies_us.end());
      const uint64_t appended = door_->journal().records() - records;
      ASSIGN_OR_RETURN(const double seconds,
                       BareJournal(appended, (door_->journal().bytes() - bytes) / appended));
      rounds.baseline_ops_per_s.push_back(static_cast<double>(ops) / seconds);
    }
    const uint64_t appended = door_->journal().records() - records_before;
    bytes_before = door_->journal().bytes() - bytes_before;
    nlohmann::ordered_json json = nlohmann::ordered_json::parse(RowJson(
        ToRow(name, fmt::format("files={} in_flight={}", options_.files, options_.in_flight),
              std::move(rounds))));
    json["records"] = appended;
    json["record_bytes"] = appended == 0 ? 0 : bytes_before / appended;
    json["lock_held_p99_us_at_most"] = OrNull(worst.held_p99_us_at_most);
    json["lock_held_max_us_at_most"] = OrNull(worst.held_max_us_at_most);
    json["reader_wait_p99_us"] = worst.reader_p99_us;
    json["reader_wait_max_us"] = worst.reader_max_us;
    Print(json);
    return absl::OkStatus();
  }

  static void Merge(const LockTimes& round, LockTimes* worst) {
    worst->held_p99_us_at_most = std::max(worst->held_p99_us_at_most, round.held_p99_us_at_most);
    worst->held_max_us_at_most = std::max(worst->held_max_us_at_most, round.held_max_us_at_most);
    worst->reader_p99_us = std::max(worst->reader_p99_us, round.reader_p99_us);
    worst->reader_max_us = std::max(worst->reader_max_us, round.reader_max_us);
  }

  static nlohmann::ordered_json OrNull(const std::optional<double>& value) {
    if (!value.has_value()) return nullptr;
    return *value;
  }

  // A journal alone, with as many records under way: the seconds until all are durable.
  absl::StatusOr<double> BareJournal(uint64_t records, uint64_t record_bytes) {
    const std::string dir = dir_ + "/bare";
    RETURN_IF_ERROR(env_->CreateDirs(dir));
    double seconds = 0;
    {
      namenode::FileJournalOptions options;
      options.dirs = {dir};
      namenode::FileJournal journal(env_, std::move(options));
      Mutex mu;
      CondVar advanced;
      TxId durable = 0;
      journal.OnDurable([&](TxId txid) {
        MutexLock lock(mu);
        durable = txid;
        advanced.Signal();
      });
      RETURN_IF_ERROR(journal.Start(1));
      const std::string record(record_bytes, 'x');
      const auto window = static_cast<uint64_t>(options_.in_flight);
      const auto began = std::chrono::steady_clock::now();
      for (uint64_t i = 0; i < records; ++i) {
        const TxId txid = journal.Append([&](std::string* out) { out->append(record); });
        const bool last = i + 1 == records;
        MutexLock lock(mu);
        while (txid - durable >= window || (last && durable < txid)) advanced.Wait(mu);
      }
      seconds = SecondsSince(began);
      journal.Stop();
    }
    std::filesystem::remove_all(dir);
    return seconds;
  }

  absl::Status Lookups() {
    const uint64_t lookups = options_.lookups > 0
                                 ? options_.lookups
                                 : std::clamp<uint64_t>(10 * options_.files, 100'000, 2'000'000);
    Rounds rounds;
    for (int round = 0; round < kRounds; ++round) {
      RETURN_IF_ERROR(LookUp(lookups / kRounds, &rounds));
    }
    Print(nlohmann::ordered_json::parse(RowJson(
        ToRow("getFileInfo", fmt::format("files={} readers={}", options_.files, options_.readers),
              std::move(rounds)))));
    return absl::OkStatus();
  }

  // One round, of every reader.
  absl::Status LookUp(uint64_t lookups, Rounds* rounds) {
    const auto readers = static_cast<uint64_t>(options_.readers);
    const uint64_t each = std::max<uint64_t>(1, lookups / readers);
    std::vector<std::vector<std::string>> paths(readers);
    for (std::vector<std::string>& own : paths) {
      for (int i = 0; i < 1 << 14; ++i) own.push_back(FilePath(RandomU64() % options_.files));
    }
    std::vector<std::vector<float>> latencies(readers);
    std::atomic<uint64_t> missing{0};
    std::vector<std::thread> threads;
    const double cpu_us = ProcessCpuMicros();
    const auto began = std::chrono::steady_clock::now();
    for (uint64_t reader = 0; reader < readers; ++reader) {
      threads.emplace_back([&, reader] {
        const Slot slot(1'000'000 + reader);
        const std::vector<std::string>& own = paths[reader];
        for (uint64_t i = 0; i < each; ++i) {
          const bool timed = i % 16 == 0;
          const auto begin =
              timed ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
          door_->operations().GetFileInfo(slot.call(), own[i % own.size()],
                                          [&](const absl::StatusOr<namenode::FileStatus>& found) {
                                            if (!found.ok()) ++missing;
                                          });
          if (timed) latencies[reader].push_back(MicrosSince(begin));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    rounds->Add(each * readers, SecondsSince(began));
    rounds->cpu_us += ProcessCpuMicros() - cpu_us;
    for (const std::vector<float>& own : latencies) {
      rounds->latencies_us.insert(rounds->latencies_us.end(), own.begin(), own.end());
    }
    if (missing == 0) return absl::OkStatus();
    return absl::InternalError(fmt::format("{} files were not found", missing.load()));
  }

  absl::Status CheckCounts(uint64_t mkdirs, uint64_t renames) {
    uint64_t files = 0;
    uint64_t directories = 0;
    uint64_t open_files = 0;
    bool renamed = false;
    door_->namesystem().Peek([&](const namenode::FsState& state) {
      files = state.files();
      directories = state.directories();
      open_files = state.open_files();
    });
    const Slot slot(2'000'000);
    door_->operations().GetFileInfo(
        slot.call(), FilePath(renames - 1, 'r'),
        [&](const absl::StatusOr<namenode::FileStatus>& found) { renamed = found.ok(); });
    // Beside those measured: the root, /files, /dirs, and one for each thousand of both.
    const uint64_t expected = 3 + mkdirs + (options_.files - 1) / kFilesPerDirectory + 1 +
                              (mkdirs - 1) / kFilesPerDirectory + 1;
    if (files == options_.files && directories == expected && open_files == 0 && renamed) {
      return absl::OkStatus();
    }
    return absl::InternalError(
        fmt::format("{} files of {}, {} directories of {}, {} open, renamed: {}", files,
                    options_.files, directories, expected, open_files, renamed));
  }

  static void Print(const nlohmann::ordered_json& json) {
    std::puts(json.dump().c_str());
    std::fflush(stdout);
  }

  const Options options_;
  Env* const env_;
  const std::string dir_;
  InFlight in_flight_;
  std::unique_ptr<DiskDoor> door_;
};

absl::Status Main(const Options& options) {
  if (options.files == 0) return UsageError("--files must be above 0");
  const std::unique_ptr<Env> env = NewPosixEnv();
  const std::string dir = fmt::format("{}/namesystem_bench-{}", options.dir, NewUuid());
  absl::Status status = NamesystemBench(options, env.get(), dir).Run();
  std::filesystem::remove_all(dir);
  return status;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  return cairn::bench::BenchMain<cairn::bench::Options>(
      "namesystem_bench", "Measures the namesystem over a journal, in one process.", argc, argv,
      cairn::bench::Main);
}
