// A cluster of real processes for a test: one NameNode and some DataNodes on free ports of
// 127.0.0.1, in a temporary folder that goes with it.
//
//     auto started = Cluster::Start({.datanodes = 3});
//     ASSERT_TRUE(started.ok()) << started.status();
//     Cluster& cluster = **started;
//     EXPECT_EQ(cluster.Cairn({"mkdir", "/a"}).code, 0);
//     cluster.datanode(0).Kill();
//
// Its daemons' logs are printed when the test has failed. Programs are taken from $CAIRN_BIN_DIR.
// Only Cairn() and StartCairn() are thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "tests/support/process.h"

namespace cairn::testing {

// The folder of the programs under test.
std::string BinDir();

// A new folder, removed with all that is in it.
class TempDir {
 public:
  TempDir();
  // A folder of the caller's, which stays.
  explicit TempDir(std::string kept) : path_(std::move(kept)), kept_(true) {}
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
  const bool kept_ = false;
};

// Where a process of a cluster runs.
struct Place {
  std::string address = "127.0.0.1";  // at which a daemon listens
  std::string net_namespace;          // see Process::Spec
  std::map<std::string, std::string> env;
};

// A daemon: a program with a ready file. It can be ended and started again on the same data, at the
// same addresses.
class Daemon {
 public:
  // Files are `dir`/`name`.log, .ready and, for its data, `dir`/`name`.
  Daemon(std::string dir, std::string name, std::string program, std::vector<std::string> flags,
         Place place = {})
      : dir_(std::move(dir)),
        name_(std::move(name)),
        program_(std::move(program)),
        flags_(std::move(flags)),
        place_(std::move(place)) {}

  // Starts it and waits for its ready file. From the second time on it listens where it did before.
  absl::Status Start();
  // The same without the wait; AwaitReady must follow.
  absl::Status Launch();
  absl::Status AwaitReady(int64_t timeout_ms = 60'000);

  void Kill();  // SIGKILL
  // SIGTERM; its exit status, or an error when it has not ended after 60 s.
  absl::StatusOr<ExitState> Stop();
  void Signal(int signal);  // SIGSTOP, SIGCONT
  bool running() { return process_ != nullptr && process_->running(); }

  const std::string& name() const { return name_; }
  std::string data_dir() const { return dir_ + "/" + name_; }
  std::string log_path() const { return dir_ + "/" + name_ + ".log"; }
  std::vector<std::string>& flags() { return flags_; }
  Place& place() { return place_; }  // counts from the next start on
  // A field of its ready file: rpc, http, data, id.
  std::string Field(const std::string& name) const;
  pid_t pid() const { return process_ == nullptr ? -1 : process_->pid(); }

 private:
  const std::string dir_;
  const std::string name_;
  const std::string program_;
  std::vector<std::string> flags_;
  Place place_;
  std::map<std::string, std::string> ready_;  // of the last start
  std::unique_ptr<Process> process_;
};

struct CommandResult {
  int code = -1;  // -1: it did not end in time
  std::string out;
  std::string err;
};

struct CommandOptions {
  std::map<std::string, std::string> env;  // beside CAIRN_NAMENODE and HOME
  std::string input;                       // given as stdin
  int64_t timeout_ms = 120'000;
};

class Cluster {
 public:
  struct Options {
    int datanodes = 3;
    std::vector<std::string> namenode_flags;  // beside --data-dir, --listen, --http, --ready-file
    std::vector<std::string> datanode_flags;
    // Of "nn", "dn0", "dn1", ... and, for Cairn() and StartCairn(), "client".
    std::function<Place(const std::string& name)> place = [](const std::string&) {
      return Place{};
    };
    std::string dir;  // that is there and stays; empty: a temporary one
  };

  // Everything is up and registered when it returns.
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const Options& options);
  ~Cluster();  // ends every daemon
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const TempDir& dir() const { return dir_; }
  Daemon& namenode() { return *namenode_; }
  Daemon& datanode(size_t index) { return *datanodes_[index]; }
  size_t datanodes() const { return datanodes_.size(); }
  // Starts one more.
  absl::Status AddDataNode(std::vector<std::string> flags = {});
  std::string rpc_address() const { return namenode_->Field("rpc"); }

  // Runs `cairn ARGS...` against this cluster and waits for its end.
  CommandResult Cairn(std::vector<std::string> args, const CommandOptions& options = {});
  // Starts it and returns; its output is in `stdout_path` and `stderr_path`.
  absl::StatusOr<std::unique_ptr<Process>> StartCairn(std::vector<std::string> args,
                                                      const std::string& stdout_path = "/dev/null",
                                                      const std::string& stderr_path = "/dev/null");

  // Polls `cairn admin safe-mode get` until it says off.
  absl::Status AwaitSafeModeOff(int64_t timeout_ms = 60'000);

 private:
  explicit Cluster(const Options& options)
      : dir_(options.dir.empty() ? TempDir() : TempDir(options.dir)),
        datanode_flags_(options.datanode_flags),
        place_(options.place) {}
  Process::Spec CairnSpec(std::vector<std::string> args) const;
  std::unique_ptr<Daemon> NewDataNode(std::vector<std::string> flags);

  const TempDir dir_;
  const std::vector<std::string> datanode_flags_;
  const std::function<Place(const std::string&)> place_;
  std::unique_ptr<Daemon> namenode_;
  std::vector<std::unique_ptr<Daemon>> datanodes_;
  std::atomic<int> commands_{0};
};

}  // namespace cairn::testing
