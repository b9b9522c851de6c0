#include "client/bench/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <string_view>
#include <utility>

extern char** environ;

namespace cairn::bench {
namespace {

constexpr int64_t kKillMs = 10'000;  // a killed process is gone by then

std::vector<char*> Pointers(std::vector<std::string>& args) {
  std::vector<char*> pointers;
  for (std::string& arg : args) pointers.push_back(arg.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Flags of the daemons come from CAIRN_* too; these are to have what they are given alone.
std::vector<char*> Environment() {
  std::vector<char*> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("CAIRN_")) entries.push_back(*entry);
  }
  entries.push_back(nullptr);
  return entries;
}

// The child, between fork and exec: nothing here may allocate or lock.
[[noreturn]] void RunChild(pid_t parent, char* const* argv, char* const* env, int in, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(argv[0], argv, env);
  _exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(std::vector<std::string> args,
                                                                  const std::string& output_path) {
  if (access(args[0].c_str(), X_OK) != 0) return ErrnoStatus(args[0], errno);
  const Fd in(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd out(open(output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (in.get() < 0 || out.get() < 0) return ErrnoStatus(output_path, errno);
  const std::vector<char*> argv = Pointers(args);
  const std::vector<char*> env = Environment();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) RunChild(parent, argv.data(), env.data(), in.get(), out.get());
  if (pid < 0) return ErrnoStatus("cannot start another process", errno);
  Fd pid_fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, std::move(pid_fd)));
}

ChildProcess::~ChildProcess() {
  Signal(SIGKILL);
  Ended(kKillMs);
}

void ChildProcess::Terminate() { Signal(SIGTERM); }

void ChildProcess::Signal(int signal) {
  if (!ended_) kill(pid_, signal);
}

bool ChildProcess::Ended(int64_t timeout_ms) {
  if (ended_) return true;
  pollfd entry{pid_fd_.get(), POLLIN, 0};
  if (poll(&entry, 1, static_cast<int>(timeout_ms)) <= 0) return false;
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  ended_ = true;
  return true;
}

double ChildProcess::CpuMicros() const {
  clockid_t clock{};
  timespec used{};
  if (ended_ || clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    return 0;
  }
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
}

}  // namespace cairn::bench
