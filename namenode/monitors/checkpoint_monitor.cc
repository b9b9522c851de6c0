#include "namenode/monitors/checkpoint_monitor.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/metrics.h"

namespace cairn::namenode {
namespace {

constexpr int kPollMs = 100;  // how often a running child is asked whether it must end

// Starts `arguments` with no inherited descriptors but stderr and no blocked signals.
absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(arguments[0], error);
  return pid;
}

}  // namespace

CheckpointMonitor::CheckpointMonitor(Clock* clock, Namesystem* namesystem, StateStore* store,
                                     CheckpointOptions options, TxId image_txid, Metrics* metrics)
    : clock_(clock),
      namesystem_(namesystem),
      store_(store),
      options_(std::move(options)),
      last_txid_(metrics->AddGauge("cairn_namenode_checkpoint_txid",
                                   "The last edit that the newest image holds")),
      image_txid_(image_txid),
      last_ms_(clock->SteadyMs()) {
  last_txid_->Set(static_cast<double>(image_txid));
}

absl::Status CheckpointMonitor::RunOnce() {
  MutexLock lock(mu_);
  const uint64_t edits = namesystem_->Durable() - image_txid_;
  const bool due = edits >= options_.every_edits ||
                   (edits > 0 && clock_->SteadyMs() - last_ms_ >= options_.every_ms);
  return due ? CheckpointLocked().status() : absl::OkStatus();
}

absl::StatusOr<TxId> CheckpointMonitor::Checkpoint() {
  MutexLock lock(mu_);
  return CheckpointLocked();
}

absl::StatusOr<TxId> CheckpointMonitor::CheckpointLocked() {
  ASSIGN_OR_RETURN(const TxId through, namesystem_->Roll());
  RETURN_IF_ERROR(RunChild(through));
  ASSIGN_OR_RETURN(const TxId oldest_image, store_->RemoveOldImages());
  RETURN_IF_ERROR(namesystem_->DropEditsBefore(oldest_image + 1));
  image_txid_ = through;
  last_ms_ = clock_->SteadyMs();
  last_txid_->Set(static_cast<double>(through));
  LogInfo("checkpoint at txid {}", through);
  return through;
}

absl::Status CheckpointMonitor::RunChild(TxId through) {
  std::string dirs;
  for (const std::string& dir : options_.data_dirs) dirs += (dirs.empty() ? "" : ",") + dir;
  ASSIGN_OR_RETURN(
      const pid_t pid,
      Spawn({options_.program, "checkpoint", "--data-dir=" + dirs,
             fmt::format("--through={}", through), fmt::format("--parent={}", getpid()),
             "--log-level=warn", "--ready-file="}));  // ours, should the environment name one
  const int pid_fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  bool killed = false;
  while (pid_fd >= 0) {
    pollfd poll_fd{pid_fd, POLLIN, 0};
    if (poll(&poll_fd, 1, kPollMs) > 0) break;
    if (stopping_.load() && !killed) {
      kill(pid, SIGKILL);
      killed = true;
    }
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (pid_fd >= 0) close(pid_fd);
  if (killed) return absl::CancelledError("checkpoint given up: the NameNode is stopping");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(
      WIFSIGNALED(status)
          ? fmt::format("the checkpoint's child was ended by signal {}", WTERMSIG(status))
          : fmt::format("the checkpoint's child failed with status {}; its message is above",
                        WEXITSTATUS(status)));
}

}  // namespace cairn::namenode
