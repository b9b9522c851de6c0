// A program started by a benchmark: its output in a file, ended for sure.
//
// Why: the daemons of a benchmark's own cluster must go with it. They are in process groups of
// their own, so that Ctrl-C is for the benchmark alone, and the kernel ends them when the thread
// that started them dies. Not thread-safe, but for CpuMicros.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/status.h"

namespace cairn::bench {

class ChildProcess {
 public:
  // args[0] is the program's path. Standard output and error go to `output_path`, a new file. The
  // child has this process's environment without its CAIRN_*.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(std::vector<std::string> args,
                                                             const std::string& output_path);
  ~ChildProcess();  // SIGKILL, unless it has ended
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void Terminate();  // SIGTERM
  // True once it has ended; waits for that, at most so long.
  bool Ended(int64_t timeout_ms);
  // The CPU that it has used, in microseconds; 0 after its end.
  double CpuMicros() const;

 private:
  ChildProcess(pid_t pid, Fd pid_fd) : pid_(pid), pid_fd_(std::move(pid_fd)) {}
  void Signal(int signal);

  const pid_t pid_;
  const Fd pid_fd_;
  bool ended_ = false;
};

}  // namespace cairn::bench
