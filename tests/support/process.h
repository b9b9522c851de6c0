// A program run by a test: started with arguments and an environment, its output in files, waited
// for with a deadline, and ended for sure.
//
// Why: integration tests drive the real programs, kill them in the middle of things, and must leave
// nothing behind: a Process ends its child when it is destroyed, and the kernel ends it when the
// test dies first. So a child also ends with the thread that started it: start daemons on the
// test's main thread. Not thread-safe; tests of several clients use one Process each.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/status.h"

namespace cairn::testing {

// Polls `condition` until it holds; false when `timeout_ms` passed before.
bool WaitUntil(int64_t timeout_ms, const std::function<bool()>& condition);

// How a program ended.
struct ExitState {
  int code = 0;    // its exit status; 128 + signal when a signal ended it, as a shell says it
  int signal = 0;  // that ended it; 0: it exited by itself

  friend bool operator==(const ExitState&, const ExitState&) = default;
};

class Process {
 public:
  struct Spec {
    std::vector<std::string> args;           // args[0] is the program's path
    std::map<std::string, std::string> env;  // beside this process's own, less its CAIRN_*
    std::string stdin_path = "/dev/null";
    std::string stdout_path = "/dev/null";  // appended to
    std::string stderr_path = "/dev/null";  // appended to; may be stdout_path
    std::string net_namespace;  // of `ip netns`, for root alone; empty: this process's own
  };

  static absl::StatusOr<std::unique_ptr<Process>> Start(const Spec& spec);
  ~Process();  // SIGKILL, unless it has ended, and reaped
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running() { return !Wait(0).has_value(); }
  void Signal(int signal);
  // nullopt when it still runs after `timeout_ms`. Once it has ended, every call gives its state.
  std::optional<ExitState> Wait(int64_t timeout_ms);
  // SIGKILL, and waits for the end.
  void Kill();

 private:
  Process(pid_t pid, int pid_fd) : pid_(pid), pid_fd_(pid_fd) {}

  const pid_t pid_;
  const int pid_fd_;
  std::optional<ExitState> exit_;
};

// A whole file as a string; empty when it cannot be read.
std::string ReadWholeFile(const std::string& path);

}  // namespace cairn::testing
