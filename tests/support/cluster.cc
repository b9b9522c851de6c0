#include "tests/support/cluster.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include <nlohmann/json.hpp>

namespace cairn::testing {
namespace {

// The end of a daemon's log, for a message.
std::string Tail(const std::string& path, size_t bytes) {
  const std::string text = ReadWholeFile(path);
  return text.size() <= bytes ? text : "..." + text.substr(text.size() - bytes);
}

}  // namespace

std::string BinDir() {
  if (const char* dir = std::getenv("CAIRN_BIN_DIR"); dir != nullptr) return dir;
  // Test programs lie in BUILD/tests, the programs in BUILD/bin.
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
}

TempDir::TempDir() {
  path_ = ::testing::TempDir() + "cairn_test.XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) path_.clear();
}

TempDir::~TempDir() {
  if (path_.empty() || kept_) return;
  if (std::getenv("CAIRN_KEEP_FAILED") != nullptr && ::testing::Test::HasFailure()) {
    std::fprintf(stderr, "kept: %s\n", path_.c_str());
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::Status Daemon::Start() {
  RETURN_IF_ERROR(Launch());
  return AwaitReady();
}

absl::Status Daemon::Launch() {
  const bool again = !ready_.empty();
  const std::string ready_file = dir_ + "/" + name_ + ".ready";
  std::filesystem::remove(ready_file);
  const std::string anywhere = place_.address + ":0";
  const std::string listen = !again                   ? anywhere
                             : ready_.contains("rpc") ? ready_["rpc"]
                                                      : ready_["data"];
  Process::Spec spec{
      .args = {BinDir() + "/" + program_, "--data-dir", data_dir(), "--ready-file", ready_file,
               "--listen", listen, "--http", again ? ready_["http"] : anywhere},
      .env = place_.env,
      .stdout_path = log_path(),
      .stderr_path = log_path(),
      .net_namespace = place_.net_namespace};
  spec.args.insert(spec.args.end(), flags_.begin(), flags_.end());
  ASSIGN_OR_RETURN(process_, Process::Start(spec));
  return absl::OkStatus();
}

absl::Status Daemon::AwaitReady(int64_t timeout_ms) {
  std::string text;
  const bool there = WaitUntil(timeout_ms, [&] {
    text = ReadWholeFile(dir_ + "/" + name_ + ".ready");
    return !text.empty() || !process_->running();
  });
  if (!there || text.empty()) {
    return absl::DeadlineExceededError(fmt::format("{} is not ready ({}); its log ends with:\n{}",
                                                   name_, there ? "it ended" : "it runs on",
                                                   Tail(log_path(), 2000)));
  }
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return absl::InternalError("not a ready file: " + text);
  for (const auto& [key, value] : json.items()) {
    ready_[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return absl::OkStatus();
}

void Daemon::Kill() {
  if (process_ != nullptr) process_->Kill();
}

absl::StatusOr<ExitState> Daemon::Stop() {
  if (process_ == nullptr) return absl::FailedPreconditionError(name_ + " was never started");
  process_->Signal(SIGTERM);
  const auto state = process_->Wait(60'000);  // it syncs, beside others that write
  if (!state) return absl::DeadlineExceededError(name_ + " did not stop within 60 s");
  return *state;
}

void Daemon::Signal(int signal) {
  if (process_ != nullptr) process_->Signal(signal);
}

std::string Daemon::Field(const std::string& name) const {
  const auto it = ready_.find(name);
  return it == ready_.end() ? "" : it->second;
}

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const Options& options) {
  auto cluster = std::unique_ptr<Cluster>(new Cluster(options));
  cluster->namenode_ = std::make_unique<Daemon>(cluster->dir_.path(), "nn", "cairn-namenode",
                                                options.namenode_flags, options.place("nn"));
  RETURN_IF_ERROR(cluster->namenode_->Start());
  for (int i = 0; i < options.datanodes; ++i) {
    cluster->datanodes_.push_back(cluster->NewDataNode({}));
    RETURN_IF_ERROR(cluster->datanodes_.back()->Launch());
  }
  for (const auto& datanode : cluster->datanodes_) RETURN_IF_ERROR(datanode->AwaitReady());
  return cluster;
}

Cluster::~Cluster() {
  // DataNodes first, so that the NameNode's log does not fill with their complaints.
  datanodes_.clear();
  if (!::testing::Test::HasFailure() || namenode_ == nullptr) return;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    if (entry.path().extension() != ".log") continue;
    fmt::print("--- the end of {} ---\n{}\n", entry.path().filename().string(),
               Tail(entry.path(), 4000));
  }
}

std::unique_ptr<Daemon> Cluster::NewDataNode(std::vector<std::string> flags) {
  std::vector<std::string> all = {"--namenode", rpc_address()};
  all.insert(all.end(), datanode_flags_.begin(), datanode_flags_.end());
  all.insert(all.end(), flags.begin(), flags.end());
  const std::string name = fmt::format("dn{}", datanodes_.size());
  return std::make_unique<Daemon>(dir_.path(), name, "cairn-datanode", std::move(all),
                                  place_(name));
}

absl::Status Cluster::AddDataNode(std::vector<std::string> flags) {
  datanodes_.push_back(NewDataNode(std::move(flags)));
  return datanodes_.back()->Start();
}

Process::Spec Cluster::CairnSpec(std::vector<std::string> args) const {
  const Place place = place_("client");
  Process::Spec spec{
      .args = std::move(args), .env = place.env, .net_namespace = place.net_namespace};
  spec.env["CAIRN_NAMENODE"] = rpc_address();
  spec.env["HOME"] = dir_.path();
  spec.args.insert(spec.args.begin(), BinDir() + "/cairn");
  return spec;
}

absl::StatusOr<std::unique_ptr<Process>> Cluster::StartCairn(std::vector<std::string> args,
                                                             const std::string& stdout_path,
                                                             const std::string& stderr_path) {
  Process::Spec spec = CairnSpec(std::move(args));
  spec.stdout_path = stdout_path;
  spec.stderr_path = stderr_path;
  return Process::Start(spec);
}

CommandResult Cluster::Cairn(std::vector<std::string> args, const CommandOptions& options) {
  const std::string base = dir_ / fmt::format("command{}", commands_.fetch_add(1));
  Process::Spec spec = CairnSpec(std::move(args));
  for (const auto& [name, value] : options.env) spec.env[name] = value;
  spec.stdout_path = base + ".out";
  spec.stderr_path = base + ".err";
  if (!options.input.empty()) {
    spec.stdin_path = base + ".in";
    std::ofstream(spec.stdin_path, std::ios::binary) << options.input;
  }
  CommandResult result;
  absl::StatusOr<std::unique_ptr<Process>> process = Process::Start(spec);
  if (!process.ok()) {
    result.err = MessageOf(process.status());
    return result;
  }
  if (const auto state = (*process)->Wait(options.timeout_ms)) result.code = state->code;
  result.out = ReadWholeFile(spec.stdout_path);
  result.err = ReadWholeFile(spec.stderr_path);
  for (const char* suffix : {".in", ".out", ".err"}) std::filesystem::remove(base + suffix);
  return result;
}

absl::Status Cluster::AwaitSafeModeOff(int64_t timeout_ms) {
  const bool off = WaitUntil(timeout_ms, [&] {
    return Cairn({"admin", "safe-mode", "get"}).out.starts_with("off");
  });
  if (!off) return absl::DeadlineExceededError("the NameNode did not leave safe mode");
  return absl::OkStatus();
}

}  // namespace cairn::testing
