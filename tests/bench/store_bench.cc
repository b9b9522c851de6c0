// What it costs a DataNode to take small replicas in durably, without network and NameNode: threads
// write replicas into one store on this disk, with the small-replica log and without, next to a
// bare create, write, fdatasync, rename of as many files. All that was written is checked in the
// end. docs/performance.md says how it is run.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/cord.h"
#include "common/crc32c.h"
#include "common/env.h"
#include "common/mutex.h"
#include "common/strings.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/replica_writer.h"

namespace cairn::datanode {
namespace {

struct Load {
  std::string dir;
  int64_t files = 0;
  int64_t threads = 0;
  std::string content = {};
  std::vector<uint32_t> crcs = {};
};

// Runs write(i) for all files; files a second.
double Measure(const Load& load, const std::function<absl::Status(int64_t)>& write,
               absl::Status* failure) {
  std::atomic<int64_t> next = 0;
  std::atomic<bool> failed = false;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < load.threads; ++t) {
    threads.emplace_back([&] {
      for (int64_t i = next++; i < load.files && !failed.load(); i = next++) {
        const absl::Status status = write(i);
        if (!status.ok() && !failed.exchange(true)) *failure = status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return static_cast<double>(load.files) / seconds.count();
}

absl::StatusOr<double> MeasureBare(Env* env, const Load& load) {
  RETURN_IF_ERROR(env->CreateDirs(load.dir + "/bare"));
  absl::Status failure;
  const double rate = Measure(
      load,
      [&](int64_t i) -> absl::Status {
        const std::string name = fmt::format("{}/bare/{}", load.dir, i);
        ASSIGN_OR_RETURN(const auto file, env->Open(name + ".tmp", OpenMode::kTruncate));
        RETURN_IF_ERROR(file->WriteAt(0, load.content));
        RETURN_IF_ERROR(file->Sync());
        return env->Rename(name + ".tmp", name);
      },
      &failure);
  RETURN_IF_ERROR(failure);
  for (int64_t i = 0; i < load.files; ++i) {
    RETURN_IF_ERROR(env->Remove(fmt::format("{}/bare/{}", load.dir, i)));
  }
  return rate;
}

absl::StatusOr<double> MeasureStore(Env* env, const Load& load, uint64_t small_max) {
  ReplicaStore::Options options;
  options.data_dirs = {fmt::format("{}/store{}", load.dir, small_max)};
  options.small_replica_max_bytes = small_max;
  ASSIGN_OR_RETURN(const auto store, ReplicaStore::Open(env, options));
  RETURN_IF_ERROR(store->AdoptCluster("store-bench"));
  std::atomic<bool> ended = false;
  Mutex mu;
  CondVar wake;
  std::thread sync([&] {
    while (!ended.load()) {
      store->SyncPending();
      MutexLock lock(mu);
      if (!ended.load()) wake.WaitFor(mu, std::chrono::seconds(1));
    }
  });
  store->SetSyncWaker([&] { wake.SignalAll(); });
  absl::Status failure;
  const double rate = Measure(
      load,
      [&](int64_t i) -> absl::Status {
        const Block block{static_cast<BlockId>(i + 1), 1, load.content.size()};
        ASSIGN_OR_RETURN(const auto writer, store->Create(block));
        RETURN_IF_ERROR(writer->Append(0, absl::Cord(ToAbsl(load.content)), load.crcs));
        return writer->Finalize();
      },
      &failure);
  {
    MutexLock lock(mu);
    ended = true;
  }
  wake.SignalAll();
  sync.join();
  RETURN_IF_ERROR(failure);
  for (int64_t i = 0; i < load.files; ++i) {
    const Block block{static_cast<BlockId>(i + 1), 1, load.content.size()};
    ASSIGN_OR_RETURN(const bool good, store->Verify(block));
    if (!good) return absl::DataLossError(fmt::format("replica {} is bad", block.id));
    RETURN_IF_ERROR(store->Delete(block));
  }
  return rate;
}

absl::Status Run(Load load, uint64_t size, int64_t rounds) {
  load.content.resize(size);
  for (size_t i = 0; i < size; ++i) load.content[i] = static_cast<char>(i * 2'654'435'761u >> 13);
  for (size_t at = 0; at < size; at += kChunkBytes) {
    load.crcs.push_back(Crc32c(std::string_view(load.content).substr(at, kChunkBytes)));
  }
  const auto env = NewPosixEnv();
  fmt::print("{:>12} {:>12} {:>12} {:>10} {:>10}\n", "bare/s", "synced/s", "logged/s", "synced",
             "logged");
  for (int64_t round = 0; round < rounds; ++round) {
    ASSIGN_OR_RETURN(const double bare, MeasureBare(env.get(), load));
    ASSIGN_OR_RETURN(const double synced, MeasureStore(env.get(), load, 0));
    ASSIGN_OR_RETURN(const double logged, MeasureStore(env.get(), load, 1 << 20));
    fmt::print("{:>12.0f} {:>12.0f} {:>12.0f} {:>10.2f} {:>10.2f}\n", bare, synced, logged,
               synced / bare, logged / bare);
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace cairn::datanode

// store_bench [--files N] [--threads N] [--size BYTES] [--rounds N] [--dir DIR]
int main(int argc, char** argv) {
  const auto text = [&](const char* name, std::string value) {
    for (int i = 1; i + 1 < argc; i += 2) {
      if (std::strcmp(argv[i], name) == 0) value = argv[i + 1];
    }
    return value;
  };
  const auto number = [&](const char* name, int64_t value) {
    return std::strtoll(text(name, std::to_string(value)).c_str(), nullptr, 10);
  };
  std::string dir = text("--dir", "/var/tmp") + "/store-bench-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) {
    fmt::print(stderr, "store_bench: {}: {}\n", dir, std::strerror(errno));
    return 1;
  }
  const absl::Status status = cairn::datanode::Run(
      {.dir = dir, .files = number("--files", 2'000), .threads = number("--threads", 16)},
      static_cast<uint64_t>(number("--size", 100 << 10)), number("--rounds", 5));
  std::filesystem::remove_all(dir);
  if (status.ok()) return 0;
  fmt::print(stderr, "store_bench: {}\n", cairn::MessageOf(status));
  return 1;
}
