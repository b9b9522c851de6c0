#include "common/command_line.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <utility>

namespace cairn {

absl::Status Command::CheckOperands(size_t count) const {
  if (count < min_operands_) {
    return UsageError(fmt::format("missing operand: {} {}", name_, operands_));
  }
  if (count > max_operands_) {
    return UsageError(max_operands_ == 0
                          ? std::string("takes no operands")
                          : fmt::format("too many operands: {} {}", name_, operands_));
  }
  return absl::OkStatus();
}

struct CommandLine::Scan {
  // What the command line says of an option; taken after the file and the environment.
  struct Setting {
    Option* option;
    std::string value;
    std::string origin;
  };

  explicit Scan(const std::vector<std::string>& arguments) : args(arguments) {}

  const std::vector<std::string>& args;
  size_t next = 0;
  bool options_ended = false;
  std::string first_word;  // of a command in two words
  ParsedCommand parsed;
  std::vector<Setting> settings;

  Option* Find(OptionTable& globals, std::string_view name) const {
    Option* option = parsed.command != nullptr ? parsed.command->options().Find(name) : nullptr;
    return option != nullptr ? option : globals.Find(name);
  }
  Option* FindShort(OptionTable& globals, char letter) const {
    Option* option =
        parsed.command != nullptr ? parsed.command->options().FindShort(letter) : nullptr;
    return option != nullptr ? option : globals.FindShort(letter);
  }
  // The next argument as an option's value. One that looks like an option is a forgotten value:
  // --name=--x says it.
  const std::string* TakeValue() {
    if (next == args.size() || args[next].starts_with("--")) return nullptr;
    return &args[next++];
  }
};

CommandLine::CommandLine(std::string program, std::string summary)
    : program_(std::move(program)), summary_(std::move(summary)) {
  globals_.AddBool("help", &help_, "show this and exit").CommandLineOnly();
  globals_.AddBool("version", &version_, "show the version and exit").CommandLineOnly();
}

Command& CommandLine::AddCommand(std::string name, std::string operands, size_t min_operands,
                                 size_t max_operands, std::string help) {
  return commands_.emplace_back(std::move(name), std::move(operands), min_operands, max_operands,
                                std::move(help));
}

void CommandLine::AddConfigOption(std::vector<std::string> default_files) {
  default_config_files_ = std::move(default_files);
  const std::string tried = fmt::format("{}", fmt::join(default_config_files_, ", "));
  Option* option = globals_.Find("config");
  if (option == nullptr) {
    option =
        &globals_.AddString("config", &config_file_, "TOML file with any of these options as keys")
             .Value("FILE")
             .CommandLineOnly();
  }
  option->Default(tried);
}

absl::StatusOr<ParsedCommand> CommandLine::Parse(int argc, const char* const* argv) {
  return Parse(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
               [](const char* name) -> const char* { return std::getenv(name); });
}

absl::StatusOr<ParsedCommand> CommandLine::Parse(const std::vector<std::string>& args,
                                                 const OptionTable::GetEnv& get_env) {
  Scan scan(args);
  absl::Status status = ReadArguments(scan);
  if (status.ok() && !help_ && !version_) status = CheckComplete(scan);
  if (!status.ok()) {
    const Command* command = scan.parsed.command;
    const std::string page = command == nullptr ? program_ : program_ + " " + command->name();
    const std::string message = fmt::format("{}; see {} --help", MessageOf(status), page);
    return UsageError(command == nullptr ? message : command->name() + ": " + message);
  }
  scan.parsed.help = help_;
  scan.parsed.version = version_;
  if (help_ || version_) return std::move(scan.parsed);

  RETURN_IF_ERROR(ReadConfig(get_env));
  RETURN_IF_ERROR(globals_.ReadEnvironment(get_env));
  for (Scan::Setting& setting : scan.settings) {
    RETURN_IF_ERROR(
        setting.option->Set(setting.value, OptionSource::kCommandLine, std::move(setting.origin)));
  }
  RETURN_IF_ERROR(globals_.Validate());
  if (scan.parsed.command != nullptr) RETURN_IF_ERROR(scan.parsed.command->options().Validate());
  return std::move(scan.parsed);
}

absl::Status CommandLine::ReadArguments(Scan& scan) {
  while (scan.next < scan.args.size()) {
    const std::string& token = scan.args[scan.next++];
    if (scan.options_ended || token.size() < 2 || token[0] != '-') {
      RETURN_IF_ERROR(TakeWord(scan, token));
    } else if (token == "--") {
      scan.options_ended = true;
    } else if (token[1] == '-') {
      RETURN_IF_ERROR(ReadLong(scan, std::string_view(token).substr(2)));
    } else {
      RETURN_IF_ERROR(ReadShort(scan, std::string_view(token).substr(1)));
    }
  }
  return absl::OkStatus();
}

absl::Status CommandLine::ReadLong(Scan& scan, std::string_view token) {
  const size_t equals = token.find('=');
  const std::string_view name = token.substr(0, equals);
  Option* option = scan.Find(globals_, name);
  if (option == nullptr) return UsageError(fmt::format("unknown option --{}", name));
  std::string origin = fmt::format("--{}", name);
  if (equals != std::string_view::npos) {
    return Found(scan, option, token.substr(equals + 1), std::move(origin));
  }
  if (option->is_flag()) return Found(scan, option, "true", std::move(origin));
  const std::string* value = scan.TakeValue();
  if (value == nullptr) return UsageError(fmt::format("--{} needs a value", name));
  return Found(scan, option, *value, std::move(origin));
}

absl::Status CommandLine::ReadShort(Scan& scan, std::string_view token) {
  while (!token.empty()) {
    const char letter = token.front();
    token.remove_prefix(1);
    Option* option = scan.FindShort(globals_, letter);
    if (option == nullptr) return UsageError(fmt::format("unknown option -{}", letter));
    std::string origin = fmt::format("-{}", letter);
    if (option->is_flag()) {
      RETURN_IF_ERROR(Found(scan, option, "true", std::move(origin)));
      continue;
    }
    if (!token.empty()) return Found(scan, option, token, std::move(origin));
    const std::string* value = scan.TakeValue();
    if (value == nullptr) return UsageError(fmt::format("-{} needs a value", letter));
    return Found(scan, option, *value, std::move(origin));
  }
  return absl::OkStatus();
}

absl::Status CommandLine::Found(Scan& scan, Option* option, std::string_view value,
                                std::string origin) {
  // These decide what happens next; all others wait for the file and the environment.
  if (option->name() == "help" || option->name() == "version" || option->name() == "config") {
    return option->Set(value, OptionSource::kCommandLine, std::move(origin));
  }
  scan.settings.push_back({option, std::string(value), std::move(origin)});
  return absl::OkStatus();
}

absl::Status CommandLine::TakeWord(Scan& scan, const std::string& word) {
  if (scan.parsed.command != nullptr) {
    scan.parsed.operands.push_back(word);
    return absl::OkStatus();
  }
  if (commands_.empty()) return UsageError(fmt::format("unexpected operand '{}'", word));
  const std::string name = scan.first_word.empty() ? word : scan.first_word + " " + word;
  for (Command& command : commands_) {
    if (command.name() == name) {
      scan.parsed.command = &command;
      return absl::OkStatus();
    }
  }
  if (scan.first_word.empty() && !CommandNames(word).empty()) {
    scan.first_word = word;
    return absl::OkStatus();
  }
  if (!scan.first_word.empty()) {
    return UsageError(fmt::format("unknown command '{}'; {} needs one of {}", name, scan.first_word,
                                  CommandNames(scan.first_word)));
  }
  return UsageError(fmt::format("unknown command '{}'", name));
}

absl::Status CommandLine::CheckComplete(const Scan& scan) {
  if (scan.parsed.command != nullptr) {
    return scan.parsed.command->CheckOperands(scan.parsed.operands.size());
  }
  if (!scan.first_word.empty()) {
    return UsageError(
        fmt::format("{} needs one of {}", scan.first_word, CommandNames(scan.first_word)));
  }
  if (!commands_.empty() && !command_may_be_missing_) return UsageError("no command given");
  return absl::OkStatus();
}

absl::Status CommandLine::ReadConfig(const OptionTable::GetEnv& get_env) {
  if (config_file_.empty() && globals_.Find("config") != nullptr) {
    if (const char* path = get_env("CAIRN_CONFIG"); path != nullptr) config_file_ = path;
  }
  if (!config_file_.empty()) return globals_.ReadFile(config_file_);
  for (const std::string& path : default_config_files_) {
    struct stat info;
    if (stat(path.c_str(), &info) == 0) return globals_.ReadFile(path);
  }
  return absl::OkStatus();
}

// "report, health": the second words of the commands whose first is `prefix`.
std::string CommandLine::CommandNames(std::string_view prefix) const {
  std::string names;
  for (const Command& command : commands_) {
    const std::string& name = command.name();
    if (name.size() <= prefix.size() + 1 || !name.starts_with(prefix) ||
        name[prefix.size()] != ' ') {
      continue;
    }
    names += (names.empty() ? "" : ", ") + name.substr(prefix.size() + 1);
  }
  return names;
}

std::string CommandLine::Help(Command* command) {
  std::string text;
  if (command != nullptr) {
    text = fmt::format("usage: {} {} [options] {}\n{}\n", program_, command->name(),
                       command->operands(), command->help());
    if (!command->examples().empty()) {
      text += fmt::format("\nexamples:\n  {}\n", fmt::join(command->examples(), "\n  "));
    }
    const std::string own = command->options().Help();
    if (!own.empty()) text += fmt::format("\noptions:\n{}", own);
    text += fmt::format("\nglobal options:\n{}", globals_.Help());
  } else {
    text = fmt::format("usage: {} [options]{}\n{}\n", program_,
                       commands_.empty() ? "" : " COMMAND [options] [operands]", summary_);
    if (!commands_.empty()) text += "\ncommands:\n";
    for (const Command& entry : commands_) {
      text += fmt::format("  {:<44}  {}\n", fmt::format("{} {}", entry.name(), entry.operands()),
                          entry.help());
    }
    text += fmt::format("\noptions:\n{}", globals_.Help());
  }
  text +=
      "\nSIZE: bytes, or with K, M, G or T (powers of 1024). TIME: a number with ms, s, m, h or "
      "d.\n"
      "An option of the program is also CAIRN_<OPTION> in the environment and a key in the config\n"
      "file; the command line beats the environment, which beats the file.\n";
  return text;
}

std::string CommandLine::Version() const { return fmt::format("{} {}", program_, CAIRN_VERSION); }

}  // namespace cairn
