// What a running command has: the clusters that its operands name, standard output, and the place
// where its failures are told.
//
// Why: every command over several paths goes on after a failure, prints one line for each, and
// ends with the exit status of the worst; that is written once, here. Fail and Continue are
// thread-safe, the rest belongs to the command's own thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/admin_client.h"
#include "client/cli/console.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/client_config.h"
#include "client/file_system.h"

namespace cairn::cli {

// A path in a cluster.
struct ClusterPath {
  FileSystem* fs = nullptr;
  std::string path;             // normalized
  std::string shown;            // in listings and messages: with cairn://NAME where that was given
  bool trailing_slash = false;  // of the operand

  ClusterPath Child(std::string_view name) const;
  // The same cluster, another normalized path.
  ClusterPath At(std::string path) const;
  std::string prefix() const { return shown.substr(0, shown.size() - path.size()); }
};

class Context {
 public:
  // `command` is for messages. All must outlive it.
  Context(std::string command, const ClientConfig& config, Interrupt& interrupt, Console& console,
          Output& out)
      : command_(std::move(command)),
        config_(config),
        interrupt_(interrupt),
        console_(console),
        out_(out) {}

  // Operands as paths; kUsage for one that is not absolute. Connects nowhere yet.
  absl::StatusOr<ClusterPath> Resolve(std::string_view operand);
  absl::StatusOr<std::vector<ClusterPath>> ResolveAll(const std::vector<std::string>& operands);
  // The same, with patterns replaced by what they match, in order. A path that exists is never a
  // pattern. What matches nothing is a failure of its own, already told.
  absl::StatusOr<std::vector<ClusterPath>> Expand(const std::vector<std::string>& operands);
  absl::StatusOr<AdminClient*> Admin();
  // Of the default cluster: for a command that connects by itself.
  absl::StatusOr<ClientOptions> Options() const { return config_.Resolve(); }
  // Of the operand's cluster.
  absl::StatusOr<ClientOptions> OptionsOf(std::string_view operand) const;

  // Tells a failure: "cairn: put: WHAT: message". CANCELLED is silent once Continue
  // fails. When the cluster cannot be reached, it is told once, without `what`, and Continue fails
  // from then on.
  void Fail(std::string_view what, const absl::Status& status);
  // Not OK when the command should end: interrupted, unreachable, or nobody reads the output.
  absl::Status Continue() const;

  const std::string& command() const { return command_; }
  Interrupt& interrupt() { return interrupt_; }
  Console& console() { return console_; }
  Output& out() { return out_; }
  // 0, 1, 2 or 3, for what was told to Fail.
  int exit_status() const { return exit_status_.load(); }
  // For commands whose answer is an exit status: test, fsck.
  void RaiseExitStatus(int status);

 private:
  const std::string command_;
  const ClientConfig& config_;
  Interrupt& interrupt_;
  Console& console_;
  Output& out_;
  std::map<std::string, std::unique_ptr<FileSystem>> file_systems_;  // by the cluster's name
  std::unique_ptr<AdminClient> admin_;
  std::atomic<int> exit_status_{0};
  std::atomic<bool> unreachable_{false};
};

}  // namespace cairn::cli
