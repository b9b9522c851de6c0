// What the programs' main functions share: allocator, signals, common flags, ready file, exit
// status.
//
// Why: the daemons, `cairn mini` and the tests must start and end alike. A daemon's main:
//     TuneProcess();
//     TerminationSignals signals;                       // before any thread starts
//     CommandLine line("cairn-namenode", "...");
//     CommonFlags flags;  flags.Declare(line);  options.Declare(line.globals());
//     ParsedCommand parsed;
//     if (auto status = BeginProgram(line, argc, argv, flags, &parsed)) return *status;
//     ... start;  WriteReadyFile(...);  signals.Wait();  stop
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/command_line.h"
#include "common/env.h"
#include "common/status.h"

namespace cairn {

// Settings of the libraries that everything runs on.
//  - Freed payload memory stays in the process (glibc gives it back at once, about 1,000 madvise
//    calls per 256 MiB moved; measured, the largest gain of all on the data path): trim threshold
//    1 GiB, top pad 1 MiB, mmap threshold 32 MiB.
//  - absl::Mutex, which gRPC locks everywhere, does not look for deadlocks: the packaged Abseil is
//    built with that check, which takes one lock of the whole process at every lock of a Mutex.
void TuneProcess();

// SIGTERM and SIGINT, as something to wait for. Blocks both in the calling thread and the threads
// that it starts later, and ignores SIGPIPE and SIGXFSZ (a file that grows beyond `ulimit -f` is an
// error like a full disk): make it first in main. A second SIGINT ends the process at once; a
// second SIGTERM is ignored. The mask survives exec: whoever starts another program unblocks both
// in the child. Thread-safe.
class TerminationSignals {
 public:
  TerminationSignals();
  ~TerminationSignals();
  TerminationSignals(const TerminationSignals&) = delete;
  TerminationSignals& operator=(const TerminationSignals&) = delete;

  // Waits for a signal or Trigger(); returns the signal's number, 0 for Trigger().
  int Wait();
  // The same for at most `timeout_ms`; nullopt when it passed.
  std::optional<int> WaitFor(int64_t timeout_ms);
  // Ends Wait() without a signal.
  void Trigger();

 private:
  int signal_fd_ = -1;
  int event_fd_ = -1;
};

// --log-level, --log-file, --config, --ready-file.
struct CommonFlags {
  std::string log_level = "info";
  std::string log_file;
  std::string ready_file;

  // `config_files` are tried in turn when --config is not given.
  void Declare(CommandLine& line, bool with_ready_file = true,
               std::vector<std::string> config_files = {});
};

// Parses the command line, prints --help or --version, opens the log, removes an old ready file
// unless a command is given: then a daemon with the same settings may be serving.
// Returns the exit status when the program is to end now.
std::optional<int> BeginProgram(CommandLine& line, int argc, const char* const* argv,
                                const CommonFlags& flags, ParsedCommand* parsed);

// 0 for OK, 2 for kUsage, 3 for kClusterUnreachable, else 1.
int ExitStatusOf(const absl::Status& status);
// Prints "PROGRAM: message" on stderr and returns ExitStatusOf.
int ReportFailure(std::string_view program, const absl::Status& status);

// Writes `json` and a newline to `path` atomically; an empty path does nothing.
absl::Status WriteReadyFile(Env& env, const std::string& path, std::string_view json);
// Removes it; fine when it is not there or `path` is empty.
absl::Status RemoveReadyFile(Env& env, const std::string& path);

// The login name of the process's user, or its number when it has none.
std::string OsUserName();

}  // namespace cairn
