#include "client/cli/arguments.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace cairn::cli {
namespace {

constexpr std::string_view kFindTests[] = {"-name",  "-iname",    "-type",    "-size",
                                           "-mtime", "-maxdepth", "-mindepth"};

// The index of the command; arguments.size() when there is none.
size_t CommandIndex(const std::vector<std::string>& arguments, OptionTable& globals) {
  size_t i = 0;
  while (i < arguments.size() && arguments[i].starts_with("--")) {
    const std::string_view name = std::string_view(arguments[i]).substr(2);
    const Option* option = globals.Find(name);
    i += option != nullptr && !option->is_flag() ? 2 : 1;
  }
  return std::min(i, arguments.size());
}

bool IsRemovingMode(std::string_view text) {
  return text.size() > 1 && text[0] == '-' &&
         text.find_first_not_of("rwxXt,+=-ugoa", 1) == std::string_view::npos && text[1] != '-';
}

}  // namespace

std::vector<std::string> RewriteArguments(std::vector<std::string> arguments,
                                          OptionTable& globals) {
  const size_t command = CommandIndex(arguments, globals);
  if (command == arguments.size()) return arguments;
  const std::string name = arguments[command];
  for (size_t i = command + 1; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (name == "find" && std::find(std::begin(kFindTests), std::end(kFindTests), arguments[i]) !=
                              std::end(kFindTests)) {
      arguments[i].insert(0, "-");
      ++i;  // its value
    } else if (name == "chmod" && IsRemovingMode(arguments[i])) {
      arguments[i].insert(0, "a");
      break;
    } else if (name == "chmod" && !arguments[i].starts_with('-')) {
      break;  // the mode
    }
  }
  return arguments;
}

}  // namespace cairn::cli
