// The command line of a program: global options, commands with options of their own, operands.
//
// Why one of our own: the rules are few, public and must hold exactly, where CLI11 2.1.2 takes an
// operand named like a command for that command and splits operands like "[a,b]". The rules:
// `--name value` and `--name=value`, `-rf`, `-n 5` and `-n5`, global options before or after the
// command, `--` ends options, `-` is an operand, help is `--help` alone. A command's own options
// come from the command line only. Every error is one line, ErrorKind::kUsage, hence exit status 2.
// Commands are declared as they are typed, also in two words ("admin report"). Not thread-safe.
//
//     CommandLine line("cairn", "Files in a Cairn cluster");
//     line.globals().AddString("user", &user, "act as this user");
//     Command& put = line.AddCommand("put", "SRC... DST", 2, Command::kAnyNumber, "copy files into
//     the cluster"); put.options().AddBool("force", &force, "replace what exists").Short('f');
//     ASSIGN_OR_RETURN(ParsedCommand parsed, line.Parse(argc, argv));
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/options.h"
#include "common/status.h"

namespace cairn {

class Command {
 public:
  static constexpr size_t kAnyNumber = static_cast<size_t>(-1);

  Command(std::string name, std::string operands, size_t min_operands, size_t max_operands,
          std::string help)
      : name_(std::move(name)),
        operands_(std::move(operands)),
        min_operands_(min_operands),
        max_operands_(max_operands),
        help_(std::move(help)) {}

  OptionTable& options() { return options_; }
  const std::string& name() const { return name_; }
  const std::string& operands() const { return operands_; }
  const std::string& help() const { return help_; }
  // Lines that show it in use, for --help; two spaces are put before each.
  Command& Example(std::string_view line) {
    examples_.emplace_back(line);
    return *this;
  }
  const std::vector<std::string>& examples() const { return examples_; }
  absl::Status CheckOperands(size_t count) const;

 private:
  const std::string name_;
  const std::string operands_;  // as help shows them: "SRC... DST"
  const size_t min_operands_;
  const size_t max_operands_;
  const std::string help_;
  std::vector<std::string> examples_;
  OptionTable options_;
};

struct ParsedCommand {
  Command* command = nullptr;  // null: none was given (only where it may be missing)
  std::vector<std::string> operands;
  bool help = false;     // --help: print CommandLine::Help(command)
  bool version = false;  // --version
};

class CommandLine {
 public:
  // `summary` is one line for --help. --help and --version are always there.
  CommandLine(std::string program, std::string summary);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  const std::string& program() const { return program_; }
  OptionTable& globals() { return globals_; }
  Command& AddCommand(std::string name, std::string operands, size_t min_operands,
                      size_t max_operands, std::string help);
  // A daemon runs without a command; without this, a missing command is a usage error.
  void CommandMayBeMissing() { command_may_be_missing_ = true; }
  // Adds --config FILE, and files to try in turn when it is not given (the first that exists is
  // read). A second call sets the files anew.
  void AddConfigOption(std::vector<std::string> default_files = {});

  // Reads the command line, then the environment, then the config file, then checks the values.
  // With --help or --version it stops after the command line.
  absl::StatusOr<ParsedCommand> Parse(int argc, const char* const* argv);
  absl::StatusOr<ParsedCommand> Parse(const std::vector<std::string>& args,
                                      const OptionTable::GetEnv& get_env);

  // The whole page, or that of one command.
  std::string Help(Command* command);
  std::string Version() const;  // "cairn 0.1.0"

  std::deque<Command>& commands() { return commands_; }

 private:
  struct Scan;  // one walk over the arguments
  absl::Status ReadArguments(Scan& scan);
  absl::Status ReadLong(Scan& scan, std::string_view token);
  absl::Status ReadShort(Scan& scan, std::string_view token);
  absl::Status TakeWord(Scan& scan, const std::string& word);
  absl::Status Found(Scan& scan, Option* option, std::string_view value, std::string origin);
  absl::Status CheckComplete(const Scan& scan);
  absl::Status ReadConfig(const OptionTable::GetEnv& get_env);
  std::string CommandNames(std::string_view prefix) const;

  const std::string program_;
  const std::string summary_;
  OptionTable globals_;
  std::deque<Command> commands_;  // addresses are stable
  bool command_may_be_missing_ = false;
  bool help_ = false;
  bool version_ = false;
  std::string config_file_;
  std::vector<std::string> default_config_files_;
};

}  // namespace cairn
