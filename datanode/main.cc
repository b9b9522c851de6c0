// The program cairn-datanode.
#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>

#include "common/logging.h"
#include "common/mutex.h"
#include "common/program.h"
#include "datanode/datanode.h"
#include "datanode/flags.h"

namespace cairn::datanode {
namespace {

// Why the DataNode gave up by itself, from its threads to main.
class FatalCell {
 public:
  void Set(absl::Status status) {
    MutexLock lock(mu_);
    status_ = std::move(status);
  }
  absl::Status Get() {
    MutexLock lock(mu_);
    return status_;
  }

 private:
  Mutex mu_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

std::string ReadyJson(const DataNode& node) {
  return fmt::format(R"({{"role":"datanode","pid":{},"id":"{}","data":"{}","http":"{}"}})",
                     getpid(), node.id(), node.data_address().ToString(),
                     node.http_address().ToString());
}

// Waits for the registration, or for the end.
bool WaitUntilReady(DataNode& node, TerminationSignals& signals) {
  while (!node.registered()) {
    if (signals.WaitFor(20)) return false;
  }
  return true;
}

int Run(DataNodeOptions options, const std::string& ready_file, TerminationSignals& signals) {
  const std::unique_ptr<Env> env = NewPosixEnv();
  const std::unique_ptr<Clock> clock = NewSystemClock();
  FatalCell fatal;
  options.on_fatal = [&](absl::Status status) {
    fatal.Set(std::move(status));
    signals.Trigger();
  };
  auto node = DataNode::Start(std::move(options), env.get(), clock.get());
  if (!node.ok()) return ReportFailure("cairn-datanode", node.status());
  if (WaitUntilReady(**node, signals)) {
    const absl::Status ready = WriteReadyFile(*env, ready_file, ReadyJson(**node));
    if (!ready.ok()) return ReportFailure("cairn-datanode", ready);
    signals.Wait();
  }
  LogInfo("stopping");
  (*node)->Stop();
  RemoveReadyFile(*env, ready_file).IgnoreError();  // its addresses are not served any more
  const absl::Status why = fatal.Get();
  return why.ok() ? 0 : ReportFailure("cairn-datanode", why);
}

int Main(int argc, char** argv) {
  TuneProcess();
  TerminationSignals signals;
  CommandLine line("cairn-datanode", "Keeps blocks of a Cairn cluster on local disks");
  line.CommandMayBeMissing();
  CommonFlags common;
  common.Declare(line);
  DataNodeFlags flags;
  flags.Declare(line.globals());
  ParsedCommand parsed;
  if (const auto status = BeginProgram(line, argc, argv, common, &parsed)) return *status;
  auto options = flags.ToOptions();
  if (!options.ok()) return ReportFailure("cairn-datanode", options.status());
  return Run(*std::move(options), common.ready_file, signals);
}

}  // namespace
}  // namespace cairn::datanode

int main(int argc, char** argv) { return cairn::datanode::Main(argc, argv); }
