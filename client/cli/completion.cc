#include "client/cli/completion.h"

#include <fmt/format.h>

#include <memory>
#include <set>
#include <vector>

#include "client/cli/commands.h"

namespace cairn::cli {
namespace {

// "--force -f --help".
std::string OptionWords(const OptionTable& table) {
  std::vector<std::string> words;
  for (const Option& option : table.all()) {
    if (option.is_hidden()) continue;
    words.push_back("--" + option.name());
    if (option.short_name() != 0) words.push_back(std::string("-") + option.short_name());
  }
  return fmt::format("{}", fmt::join(words, " "));
}

// "report health ...": the second words of commands in two; empty for the others.
std::string SecondWords(CommandLine& line, const std::string& first) {
  std::vector<std::string> words;
  for (const Command& command : line.commands()) {
    if (command.name().starts_with(first + " ")) {
      words.push_back(command.name().substr(first.size() + 1));
    }
  }
  return fmt::format("{}", fmt::join(words, " "));
}

std::set<std::string> FirstWords(CommandLine& line) {
  std::set<std::string> words;
  for (const Command& command : line.commands()) {
    words.insert(command.name().substr(0, command.name().find(' ')));
  }
  return words;
}

// A function that prints the words that may come: after `cairn` and the words of a command.
std::string WordsFunction(CommandLine& line) {
  const std::set<std::string> first_words = FirstWords(line);
  std::string text = "_cairn_words() {\n  case \"$1\" in\n";
  text += fmt::format("    '') echo '{} {}' ;;\n", fmt::join(first_words, " "),
                      OptionWords(line.globals()));
  for (const std::string& word : first_words) {
    const std::string seconds = SecondWords(line, word);
    if (!seconds.empty()) text += fmt::format("    '{}') echo '{}' ;;\n", word, seconds);
  }
  for (Command& command : line.commands()) {
    // Operands that are words of a choice: get|enter|leave|wait.
    const std::string& operands = command.operands();
    std::string choices;
    if (operands.find('|') != std::string::npos && operands.find(' ') == std::string::npos) {
      for (const char c : operands) choices += c == '|' ? ' ' : c;
    }
    text += fmt::format("    '{}') echo '{} {} {}' ;;\n", command.name(), choices,
                        OptionWords(command.options()), OptionWords(line.globals()));
  }
  return text + "  esac\n}\n";
}

constexpr std::string_view kPathsFunction =
    R"sh(# Paths in the cluster, directories with a / at the end.
_cairn_paths() {
  cairn --timeout 2s ls -l -d "$1*" 2>/dev/null |
    sed -E -e 's/^(.)([^ ]+ +){7}/\1/' -e 's/^d(.*)$/\1\//' -e 's/^-//'
}
)sh";

}  // namespace

std::string BashCompletion(CommandLine& line) {
  std::string text = "# cairn completion for bash: eval \"$(cairn completion bash)\"\n";
  text += WordsFunction(line);
  text += kPathsFunction;
  text += R"sh(_cairn() {
  local current=${COMP_WORDS[COMP_CWORD]} command='' word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      -*) ;;
      *)
        if [ -z "$command" ] && [ -n "$(_cairn_words "$word")" ]; then
          command=$word
        elif [ "$command" = admin ] || [ "$command" = bench ]; then
          command="$command $word"
        fi
        ;;
    esac
  done
  local IFS=$' \n'
  case $current in
    /*)
      IFS=$'\n'
      COMPREPLY=($(_cairn_paths "$current"))
      if [ "$command" = put ] || [ "$command" = get ] || [ "$command" = append ]; then
        COMPREPLY+=($(compgen -f -- "$current"))
      fi
      compopt -o nospace 2>/dev/null
      ;;
    *)
      COMPREPLY=($(compgen -W "$(_cairn_words "$command")" -- "$current"))
      if [ "$command" = put ] || [ "$command" = get ] || [ "$command" = append ]; then
        compopt -o default 2>/dev/null
        COMPREPLY+=($(compgen -f -- "$current"))
      fi
      ;;
  esac
}
complete -F _cairn cairn
)sh";
  return text;
}

std::string ZshCompletion(CommandLine& line) {
  std::string text = "#compdef cairn\n# cairn completion for zsh: put this as _cairn into $fpath\n";
  text += WordsFunction(line);
  text += kPathsFunction;
  text += R"sh(_cairn() {
  local command='' word
  for word in "${(@)words[2,CURRENT-1]}"; do
    case $word in
      -*) ;;
      *)
        if [[ -z $command && -n "$(_cairn_words "$word")" ]]; then
          command=$word
        elif [[ $command == admin || $command == bench ]]; then
          command="$command $word"
        fi
        ;;
    esac
  done
  if [[ $PREFIX == /* ]]; then
    compadd -S '' -f -- ${(f)"$(_cairn_paths "$PREFIX")"}
  else
    compadd -- ${=$(_cairn_words "$command")}
  fi
  if [[ $command == put || $command == get || $command == append ]]; then _files; fi
}
if [ "$funcstack[1]" = _cairn ]; then _cairn "$@"; else compdef _cairn cairn; fi
)sh";
  return text;
}

void AddCompletion(Cli& cli) {
  cli.Add("completion", "bash|zsh", 1, 1, "print a completion script for a shell",
          [&cli](Context& context, const Operands& operands) -> absl::Status {
            if (operands.front() == "bash") {
              context.out().Write(BashCompletion(cli.line()));
            } else if (operands.front() == "zsh") {
              context.out().Write(ZshCompletion(cli.line()));
            } else {
              return UsageError(fmt::format("'{}' is not one of bash|zsh", operands.front()));
            }
            return absl::OkStatus();
          })
      .Example("eval \"$(cairn completion bash)\"    # in ~/.bashrc");
}

}  // namespace cairn::cli
