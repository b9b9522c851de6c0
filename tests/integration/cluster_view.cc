#include "tests/integration/cluster_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr int64_t kFeedMs = 60'000;

bool IsDataFile(std::string_view name) {
  return name.starts_with("blk_") && name.find('.') == std::string_view::npos;
}

}  // namespace

nlohmann::json CairnJson(Cluster& cluster, std::vector<std::string> args) {
  args.push_back("--json");
  return nlohmann::json::parse(cluster.Cairn(std::move(args)).out, nullptr,
                               /*allow_exceptions=*/false);
}

int64_t ReportNumber(Cluster& cluster, const std::string& key) {
  const nlohmann::json report = CairnJson(cluster, {"admin", "report"});
  return report.is_discarded() ? -1 : report.at("cluster").at(key).get<int64_t>();
}

bool IsHealthy(Cluster& cluster) {
  const nlohmann::json health = CairnJson(cluster, {"admin", "health"});
  if (health.is_discarded() || health.at("replication_health_score") != 100) return false;
  return health.at("over_replicated_blocks").empty();
}

std::vector<std::string> FinalizedFiles(const std::string& data_dir) {
  return FilesBelow(data_dir + "/current/finalized", IsDataFile);
}

std::vector<std::string> FinalizedFiles(const Daemon& datanode) {
  return FinalizedFiles(datanode.data_dir());
}

std::vector<std::string> FinalizedFiles(const Daemon& datanode, uint64_t block_id) {
  return FilesBelow(datanode.data_dir() + "/current/finalized",
                    [&](std::string_view name) { return name == fmt::format("blk_{}", block_id); });
}

std::vector<std::string> OpenFiles(const std::string& data_dir) {
  return FilesBelow(data_dir + "/current/rbw",
                    [](std::string_view name) { return name.starts_with("blk_"); });
}

std::vector<std::string> OpenFiles(const Daemon& datanode) {
  return OpenFiles(datanode.data_dir());
}

size_t CountFinalized(Cluster& cluster) {
  size_t count = 0;
  for (size_t i = 0; i < cluster.datanodes(); ++i) {
    count += FinalizedFiles(cluster.datanode(i)).size();
  }
  return count;
}

SlowPut::SlowPut(Cluster* cluster, std::vector<std::string> flags, const std::string& destination)
    : base_(cluster->dir() / fmt::format("slow_put{}", reinterpret_cast<uintptr_t>(this))) {
  // Opened for both, so that nobody waits for the other end; what is written counts as one piece.
  if (mkfifo(base_.c_str(), 0600) != 0) throw std::runtime_error("cannot make " + base_);
  fd_ = open(base_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  flags.insert(flags.begin(), "put");
  flags.insert(flags.end(), {base_, destination});
  auto process = cluster->StartCairn(std::move(flags), base_ + ".out", base_ + ".err");
  if (!process.ok()) throw std::runtime_error(std::string(MessageOf(process.status())));
  process_ = *std::move(process);
}

SlowPut::~SlowPut() {
  if (fd_ >= 0) close(fd_);
}

bool SlowPut::Feed(std::string_view bytes) {
  // WaitUntil polls too slowly for a pipe; poll(2) waits for room in it.
  WaitUntil(kFeedMs, [&] {
    pollfd fd{fd_, POLLOUT, 0};
    while (!bytes.empty() && process_->running() && poll(&fd, 1, 100) > 0) {
      const ssize_t taken = write(fd_, bytes.data(), bytes.size());
      if (taken > 0) bytes.remove_prefix(static_cast<size_t>(taken));
    }
    return bytes.empty() || !process_->running();
  });
  return bytes.empty();
}

CommandResult SlowPut::Finish() {
  // The command's own end must be open before ours goes, or it would wait for a writer for ever.
  WaitUntil(kFeedMs, [&] {
    pollfd fd{fd_, POLLIN, 0};
    return poll(&fd, 1, 0) == 0 || !process_->running();
  });
  close(std::exchange(fd_, -1));
  CommandResult result;
  if (const auto state = process_->Wait(120'000)) result.code = state->code;
  result.out = ReadWholeFile(base_ + ".out");
  result.err = ReadWholeFile(base_ + ".err");
  return result;
}

}  // namespace cairn::testing
