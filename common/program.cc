#include "common/program.h"

#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/logging.h"
#include "common/steady_time.h"

namespace cairn {
namespace {

sigset_t TerminationSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void TuneProcess() {
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 1 << 20);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

TerminationSignals::TerminationSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond `ulimit -f` fails with EFBIG instead
  const sigset_t set = TerminationSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

TerminationSignals::~TerminationSignals() {
  // A repeated signal that nobody waits for any more must not turn a clean end into a kill.
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
  }
  close(signal_fd_);
  close(event_fd_);
  const sigset_t set = TerminationSet();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int TerminationSignals::Wait() {
  while (true) {
    if (const std::optional<int> signal = WaitFor(60'000)) return *signal;
  }
}

std::optional<int> TerminationSignals::WaitFor(int64_t timeout_ms) {
  const int64_t deadline_ms = SteadyNowMs() + timeout_ms;
  while (true) {
    const int64_t left_ms = std::max<int64_t>(deadline_ms - SteadyNowMs(), 0);
    pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {event_fd_, POLLIN, 0}};
    const int ready = poll(fds, 2, static_cast<int>(std::min<int64_t>(left_ms, 60'000)));
    if (ready < 0 && errno != EINTR) return 0;
    if (ready > 0 && (fds[1].revents & POLLIN) != 0) return 0;
    signalfd_siginfo info;
    if (ready > 0 && read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo == SIGINT) {  // whoever presses Ctrl-C twice means it
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
      }
      return static_cast<int>(info.ssi_signo);
    }
    if (left_ms == 0) return std::nullopt;
  }
}

void TerminationSignals::Trigger() { eventfd_write(event_fd_, 1); }

void CommonFlags::Declare(CommandLine& line, bool with_ready_file,
                          std::vector<std::string> config_files) {
  OptionTable& globals = line.globals();
  globals.AddChoice("log-level", &log_level, {"trace", "debug", "info", "warn", "error"},
                    "least important lines to log");
  globals.AddString("log-file", &log_file, "append the log to this file")
      .Value("FILE")
      .Default("standard error");
  if (with_ready_file) {
    globals.AddString("ready-file", &ready_file, "write addresses here as JSON once serving")
        .Value("FILE");
  }
  line.AddConfigOption(std::move(config_files));
}

std::optional<int> BeginProgram(CommandLine& line, int argc, const char* const* argv,
                                const CommonFlags& flags, ParsedCommand* parsed) {
  absl::StatusOr<ParsedCommand> result = line.Parse(argc, argv);
  if (!result.ok()) return ReportFailure(line.program(), result.status());
  *parsed = *std::move(result);
  if (parsed->help || parsed->version) {
    const std::string text = parsed->help ? line.Help(parsed->command) : line.Version() + "\n";
    std::fputs(text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  const absl::StatusOr<LogLevel> level = ParseLogLevel(flags.log_level);
  absl::Status status = level.status();
  if (status.ok()) status = InitLogging(*level, flags.log_file);
  // The daemon's alone: a command beside it, with the same environment or file, serves nothing.
  if (status.ok() && parsed->command == nullptr) {
    status = RemoveReadyFile(*NewPosixEnv(), flags.ready_file);
  }
  if (!status.ok()) return ReportFailure(line.program(), status);
  return std::nullopt;
}

int ExitStatusOf(const absl::Status& status) {
  if (status.ok()) return 0;
  switch (KindOf(status)) {
    case ErrorKind::kUsage:
      return 2;
    case ErrorKind::kClusterUnreachable:
      return 3;
    default:
      return 1;
  }
}

int ReportFailure(std::string_view program, const absl::Status& status) {
  fmt::print(stderr, "{}: {}\n", program, MessageOf(status));
  return ExitStatusOf(status);
}

absl::Status WriteReadyFile(Env& env, const std::string& path, std::string_view json) {
  if (path.empty()) return absl::OkStatus();
  return Annotate(env.WriteFileAtomically(path, fmt::format("{}\n", json)),
                  "cannot write the ready file");
}

absl::Status RemoveReadyFile(Env& env, const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  const absl::Status removed = env.Remove(path);
  if (absl::IsNotFound(removed)) return absl::OkStatus();
  return Annotate(removed, "cannot remove the old ready file");
}

std::string OsUserName() {
  std::vector<char> buffer(16 << 10);
  passwd entry;
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr) {
    return found->pw_name;
  }
  return std::to_string(geteuid());
}

}  // namespace cairn
