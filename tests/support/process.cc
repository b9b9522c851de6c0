#include "tests/support/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

extern char** environ;

namespace cairn::testing {
namespace {

std::vector<std::string> Environment(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string name(text.substr(0, text.find('=')));
    if (name.starts_with("CAIRN_") || extra.count(name) > 0) continue;
    result.emplace_back(text);
  }
  for (const auto& [name, value] : extra) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The child, between fork and exec: nothing here may allocate or lock. `net`: the namespace that it
// enters, unless negative.
[[noreturn]] void RunChild(char* const* argv, char* const* env, const int (&fds)[3], int net) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (net >= 0 && setns(net, CLONE_NEWNET) != 0) _exit(126);
  for (int target = 0; target < 3; ++target) dup2(fds[target], target);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  execve(argv[0], argv, env);
  _exit(127);
}

}  // namespace

bool WaitUntil(int64_t timeout_ms, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(const Spec& spec) {
  std::vector<std::string> args = spec.args;
  std::vector<std::string> env = Environment(spec.env);
  const std::vector<char*> argv = Pointers(args);
  const std::vector<char*> envp = Pointers(env);
  if (access(argv[0], X_OK) != 0) return ErrnoStatus(args[0], errno);

  constexpr int kWrite = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  const int fds[3] = {open(spec.stdin_path.c_str(), O_RDONLY | O_CLOEXEC),
                      open(spec.stdout_path.c_str(), kWrite, 0644),
                      open(spec.stderr_path.c_str(), kWrite, 0644)};
  int net = -1;
  pid_t pid = -1;
  absl::Status status;
  if (!spec.net_namespace.empty()) {
    net = open(("/run/netns/" + spec.net_namespace).c_str(), O_RDONLY | O_CLOEXEC);
    if (net < 0) status = ErrnoStatus("network namespace " + spec.net_namespace, errno);
  }
  if (!status.ok()) {
    // Said already.
  } else if (std::min({fds[0], fds[1], fds[2]}) < 0) {
    status = ErrnoStatus(fmt::format("cannot redirect {}", args[0]), errno);
  } else {
    pid = fork();
    if (pid == 0) RunChild(argv.data(), envp.data(), fds, net);
    if (pid < 0) status = ErrnoStatus("fork", errno);
  }
  for (const int fd : fds) {
    if (fd >= 0) close(fd);
  }
  if (net >= 0) close(net);
  if (!status.ok()) return status;
  const int pid_fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return std::unique_ptr<Process>(new Process(pid, pid_fd));
}

Process::~Process() {
  Kill();
  if (pid_fd_ >= 0) close(pid_fd_);
}

void Process::Signal(int signal) {
  if (!exit_) kill(pid_, signal);
}

std::optional<ExitState> Process::Wait(int64_t timeout_ms) {
  if (exit_) return exit_;
  pollfd fd{pid_fd_, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&fd, 1, static_cast<int>(timeout_ms));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return std::nullopt;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    exit_ = ExitState{128 + WTERMSIG(status), WTERMSIG(status)};
  } else {
    exit_ = ExitState{WEXITSTATUS(status), 0};
  }
  return exit_;
}

void Process::Kill() {
  Signal(SIGKILL);
  Wait(60'000);
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  return std::move(text).str();
}

}  // namespace cairn::testing
