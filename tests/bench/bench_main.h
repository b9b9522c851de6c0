// The main function of a benchmark in tests/bench: flags, --help, errors as the programs have them.
#pragma once

#include <cstdio>
#include <string>

#include "common/command_line.h"
#include "common/logging.h"
#include "common/program.h"
#include "common/status.h"

namespace cairn::bench {

// `Options` declares its flags: Declare(OptionTable&). Returns the exit status.
template <typename Options, typename Run>
int BenchMain(const std::string& name, const std::string& what, int argc, char** argv, Run&& run) {
  TuneProcess();
  const auto parse_and_run = [&]() -> absl::Status {
    Options options;
    CommandLine line(name, what);
    options.Declare(line.globals());
    ASSIGN_OR_RETURN(const ParsedCommand parsed, line.Parse(argc, argv));
    if (parsed.help) {
      std::fputs(line.Help(nullptr).c_str(), stdout);
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(InitLogging(LogLevel::kWarn, ""));
    return run(options);
  };
  const absl::Status status = parse_and_run();
  return status.ok() ? 0 : ReportFailure(name, status);
}

}  // namespace cairn::bench
