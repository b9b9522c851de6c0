#include "client/cli/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "client/cli/arguments.h"

namespace cairn::cli {

Cli::Cli() : line_("cairn", "Files in a Cairn cluster, and its administration.") {
  // Lines of the library would come between those of the commands.
  flags_.log_level = "error";
  flags_.Declare(line_, false);
  config_.Declare(line_);
}

Command& Cli::Add(std::string name, std::string operands, size_t min_operands, size_t max_operands,
                  std::string help, RunFn run) {
  runs_[name] = std::move(run);
  return line_.AddCommand(std::move(name), std::move(operands), min_operands, max_operands,
                          std::move(help));
}

int Cli::Run(int argc, const char* const* argv, TerminationSignals& signals) {
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  arguments = RewriteArguments(std::move(arguments), line_.globals());
  std::vector<const char*> pointers{"cairn"};
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());

  ParsedCommand parsed;
  if (const std::optional<int> status = BeginProgram(line_, static_cast<int>(pointers.size()),
                                                     pointers.data(), flags_, &parsed)) {
    return *status;
  }
  const std::string& name = parsed.command->name();
  Interrupt interrupt(signals);
  Console console;
  Output out(STDOUT_FILENO);
  Context context(name, config_, interrupt, console, out);
  absl::Status status = runs_.at(name)(context, parsed.operands);
  out.Flush();
  if (status.ok()) status = out.status();
  if (KindOf(status) == ErrorKind::kUsage) {
    status = UsageError(fmt::format("{}; see cairn {} --help", MessageOf(status), name));
  }
  if (!status.ok()) context.Fail("", status);
  if (absl::IsCancelled(status) && interrupt.raised()) return 128 + interrupt.signal();
  return context.exit_status();
}

}  // namespace cairn::cli
