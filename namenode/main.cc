// cairn-namenode: the daemon, and the commands that work on its files.
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>

#include "common/clock.h"
#include "common/env.h"
#include "common/logging.h"
#include "common/program.h"
#include "namenode/dump.h"
#include "namenode/namenode.h"
#include "namenode/verify.h"

namespace cairn::namenode {
namespace {

constexpr char kProgram[] = "cairn-namenode";

int Serve(const NameNodeOptions& options, const CommonFlags& flags, TerminationSignals& signals) {
  const std::unique_ptr<Env> env = NewPosixEnv();
  const std::unique_ptr<Clock> clock = NewSystemClock();
  absl::StatusOr<std::unique_ptr<NameNode>> namenode =
      NameNode::Start(options, env.get(), clock.get());
  if (!namenode.ok()) return ReportFailure(kProgram, namenode.status());
  const absl::Status ready = WriteReadyFile(
      *env, flags.ready_file,
      fmt::format(R"({{"role":"namenode","pid":{},"rpc":"{}","http":"{}"}})", getpid(),
                  (*namenode)->rpc_address().ToString(), (*namenode)->http_address().ToString()));
  if (!ready.ok()) return ReportFailure(kProgram, ready);
  const int signal = signals.Wait();
  LogInfo("signal {}: stopping", signal);
  (*namenode)->Stop();
  LogInfo("stopped");
  return 0;
}

int Report(const absl::Status& status) {
  return status.ok() || absl::IsCancelled(status) ? 0 : ReportFailure(kProgram, status);
}

// The checkpoint's child: ends with its parent, whose locks it works under.
int Checkpoint(const NameNodeOptions& options, int64_t through, int64_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {  // it ended before the line above
    return ReportFailure(kProgram, absl::CancelledError("the NameNode has ended"));
  }
  const std::unique_ptr<Env> env = NewPosixEnv();
  return Report(WriteCheckpoint(env.get(), options.data_dirs, static_cast<uint64_t>(through)));
}

// Damage is told in the lines and by the exit status.
int Verify(Env* env, const NameNodeOptions& options) {
  if (options.data_dirs.empty()) {
    return ReportFailure(kProgram, UsageError("verify needs --data-dir: the NameNode's own"));
  }
  const absl::StatusOr<VerifySummary> summary =
      VerifyDataDirs(env, options.data_dirs, PrintJsonLine);
  if (!summary.ok()) return Report(summary.status());
  if (absl::Status flushed = FlushJsonLines(); !flushed.ok()) return Report(flushed);
  return summary->damaged == 0 && summary->starts ? 0 : 1;
}

int Main(int argc, char** argv) {
  TuneProcess();
  TerminationSignals signals;
  CommandLine line(kProgram, "The NameNode of a Cairn cluster: namespace, block map, edit log");
  line.CommandMayBeMissing();
  CommonFlags flags;
  NameNodeOptions options;
  int64_t through = 0;
  int64_t parent = 0;
  flags.Declare(line);
  options.Declare(line.globals());
  Command& checkpoint = line.AddCommand("checkpoint", "", 0, 0,
                                        "write the image of an edit (run by the NameNode itself)");
  checkpoint.options().AddInt("through", &through, 1, INT64_MAX, "the last edit to include");
  checkpoint.options().AddInt("parent", &parent, 1, INT32_MAX, "the NameNode's process id");
  Command& dump_edits = line.AddCommand("dump-edits", "FILE", 1, 1,
                                        "print a journal segment, a line of JSON an edit");
  Command& dump_image =
      line.AddCommand("dump-image", "FILE", 1, 1, "print an fsimage, a line of JSON an entity");
  Command& verify = line.AddCommand(
      "verify", "", 0, 0, "check all files of --data-dir, a line of JSON a file; exit 1 on damage");
  ParsedCommand parsed;
  if (auto status = BeginProgram(line, argc, argv, flags, &parsed)) return *status;
  if (parsed.command == &checkpoint) return Checkpoint(options, through, parent);
  const std::unique_ptr<Env> env = NewPosixEnv();
  if (parsed.command == &dump_edits) return Report(DumpEdits(env.get(), parsed.operands[0]));
  if (parsed.command == &dump_image) return Report(DumpImageFile(env.get(), parsed.operands[0]));
  if (parsed.command == &verify) return Verify(env.get(), options);
  return Serve(options, flags, signals);
}

}  // namespace
}  // namespace cairn::namenode

int main(int argc, char** argv) { return cairn::namenode::Main(argc, argv); }
