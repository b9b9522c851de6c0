// The `cairn` program without its main: the commands, and how one of them is run.
//
// A group of commands is a function that adds them (commands.h); main puts the groups together. The
// options of a command live as long as the function that runs it. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/client_config.h"
#include "common/command_line.h"
#include "common/program.h"

namespace cairn::cli {

using Operands = std::vector<std::string>;

class Cli {
 public:
  // Runs a command. A status that is not OK is told as "cairn: COMMAND: message"; CANCELLED is
  // silent.
  using RunFn = std::function<absl::Status(Context&, const Operands&)>;

  Cli();

  // Operands as CommandLine::AddCommand.
  Command& Add(std::string name, std::string operands, size_t min_operands, size_t max_operands,
               std::string help, RunFn run);
  CommandLine& line() { return line_; }

  // Returns the exit status: 0 done; 1 failed; 2 wrong usage; 3 the cluster cannot be reached;
  // 128 + signal when interrupted. A closed standard output is no failure.
  int Run(int argc, const char* const* argv, TerminationSignals& signals);

 private:
  CommandLine line_;
  CommonFlags flags_;
  ClientConfig config_;
  std::map<std::string, RunFn> runs_;  // by command
};

}  // namespace cairn::cli
