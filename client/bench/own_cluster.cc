#include "client/bench/own_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/fd.h"
#include "common/strings.h"

namespace cairn::bench {
namespace {

namespace stdfs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kStartTime = std::chrono::seconds(60);
constexpr auto kStopTime = std::chrono::seconds(10);     // what daemons need at most
constexpr auto kRemovalTime = std::chrono::seconds(30);  // heartbeats carry the orders
constexpr int64_t kTurnMs = 20;
constexpr uint64_t kStatBlockBytes = 512;
constexpr int kMostWalks = 10;  // through folders that change meanwhile

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  return std::move(text).str();
}

// What a daemon said last.
std::string LastLine(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

absl::StatusOr<std::string> OwnFolder() {
  std::error_code error;
  const stdfs::path self = stdfs::read_symlink("/proc/self/exe", error);
  if (error) return ErrnoStatus("/proc/self/exe", error.value());
  return self.parent_path().string();
}

absl::StatusOr<std::unique_ptr<OwnCluster>> OwnCluster::Start(const OwnClusterOptions& options,
                                                              const Stopped& stopped) {
  // Daemons see their folders from elsewhere.
  std::error_code error;
  const std::string parent = stdfs::absolute(options.dir, error).string();
  const std::string dir = parent + "/cairn-bench-" + NewUuid();
  if (mkdir(dir.c_str(), 0700) != 0) return ErrnoStatus(options.dir, errno);
  std::unique_ptr<OwnCluster> cluster(new OwnCluster(dir));
  RETURN_IF_ERROR(cluster->StartAll(options, stopped));
  return cluster;
}

absl::Status OwnCluster::StartAll(const OwnClusterOptions& options, const Stopped& stopped) {
  RETURN_IF_ERROR(Launch(options.programs + "/cairn-namenode", "namenode", {}));
  ASSIGN_OR_RETURN(const std::string text, AwaitReady(0, stopped));
  const nlohmann::json ready = nlohmann::json::parse(text, nullptr, false);
  if (!ready.is_object() || !ready["rpc"].is_string()) {
    return absl::InternalError("not the ready file of a NameNode: " + text);
  }
  address_ = ready["rpc"].get<std::string>();
  for (int i = 0; i < options.datanodes; ++i) {
    RETURN_IF_ERROR(Launch(options.programs + "/cairn-datanode", fmt::format("datanode{}", i),
                           {"--namenode", address_, "--reserved", "0"}));
  }
  for (size_t i = 1; i < processes_.size(); ++i) {
    RETURN_IF_ERROR(AwaitReady(i, stopped).status());
  }
  return absl::OkStatus();
}

absl::Status OwnCluster::Launch(const std::string& program, const std::string& name,
                                const std::vector<std::string>& flags) {
  std::vector<std::string> args = {
      program,       "--data-dir", PathOf(name, ""), "--ready-file", PathOf(name, ".ready"),
      "--log-level", "warn",       "--listen",       "127.0.0.1:0",  "--http",
      "127.0.0.1:0"};
  args.insert(args.end(), flags.begin(), flags.end());
  ASSIGN_OR_RETURN(std::unique_ptr<ChildProcess> process,
                   ChildProcess::Start(std::move(args), PathOf(name, ".log")));
  names_.push_back(name);
  processes_.push_back(std::move(process));
  return absl::OkStatus();
}

absl::StatusOr<std::string> OwnCluster::AwaitReady(size_t index, const Stopped& stopped) {
  const std::string& name = names_[index];
  const Clock::time_point deadline = Clock::now() + kStartTime;
  while (true) {
    // Written whole: it is there or not.
    std::string text = ReadText(PathOf(name, ".ready"));
    if (!text.empty()) return text;
    if (stopped()) return absl::CancelledError("interrupted");
    const bool ended = processes_[index]->Ended(kTurnMs);
    if (!ended && Clock::now() < deadline) continue;
    return absl::UnavailableError(fmt::format(
        "the benchmark's own cluster: {} {}; its log ends with: {}", name,
        ended ? "has ended" : "is not ready after 60 s", LastLine(ReadText(PathOf(name, ".log")))));
  }
}

std::string OwnCluster::PathOf(const std::string& name, const std::string& suffix) const {
  return fmt::format("{}/{}{}", dir_, name, suffix);
}

double OwnCluster::CpuMicros() const {
  double sum = 0;
  for (const auto& process : processes_) sum += process->CpuMicros();
  return sum;
}

// Calls `visit` for all that is below the folder. One that goes meanwhile ends a walk before all
// was seen: then it begins again.
absl::Status OwnCluster::ForEachFile(
    const std::function<absl::Status(const std::string&)>& visit) const {
  std::error_code error;
  for (int walk = 0; walk < kMostWalks; ++walk) {
    for (stdfs::recursive_directory_iterator it(dir_, error), end; !error && it != end;
         it.increment(error)) {
      RETURN_IF_ERROR(visit(it->path().string()));
    }
    if (!error) return absl::OkStatus();
    if (error != std::errc::no_such_file_or_directory) break;
  }
  return ErrnoStatus(dir_, error.value());
}

absl::Status OwnCluster::DropCaches() const {
  return ForEachFile([](const std::string& path) -> absl::Status {
    const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) return absl::OkStatus();  // gone meanwhile, or a socket
    if (const int failed = posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED); failed != 0) {
      return ErrnoStatus(path, failed);
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<uint64_t> OwnCluster::StoredBytes() const {
  std::map<ino_t, uint64_t> files;  // a walk may see one twice
  RETURN_IF_ERROR(ForEachFile([&files](const std::string& path) {
    struct stat file {};
    if (lstat(path.c_str(), &file) == 0) {
      files[file.st_ino] = static_cast<uint64_t>(file.st_blocks) * kStatBlockBytes;
    }
    return absl::OkStatus();
  }));
  uint64_t bytes = 0;
  for (const auto& [inode, stored] : files) bytes += stored;
  return bytes;
}

absl::Status OwnCluster::AwaitStored(uint64_t most, const Stopped& stopped) const {
  const Clock::time_point deadline = Clock::now() + kRemovalTime;
  while (!stopped() && Clock::now() < deadline) {
    ASSIGN_OR_RETURN(const uint64_t stored, StoredBytes());
    if (stored <= most) break;
    if (processes_.front()->Ended(kTurnMs)) return absl::UnavailableError("the NameNode has ended");
  }
  return absl::OkStatus();
}

OwnCluster::~OwnCluster() {
  for (const auto& process : processes_) process->Terminate();
  const Clock::time_point deadline = Clock::now() + kStopTime;
  for (const auto& process : processes_) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    process->Ended(std::max<int64_t>(0, left.count()));
  }
  processes_.clear();  // kills what is left
  std::error_code ignored;
  stdfs::remove_all(dir_, ignored);
}

}  // namespace cairn::bench
