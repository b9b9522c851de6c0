// Two habits of users that the command line's own rules would refuse: `find -name X`, long options
// with one dash, and `chmod -x FILE`, a mode that looks like an option.
//
// Pure function, thread-safe. Used by Cli.
#pragma once

#include <string>
#include <vector>

#include "common/options.h"

namespace cairn::cli {

// The arguments with find's tests written as --name and a chmod mode like -x as a-x. `globals`
// tells which words before the command are values of options.
std::vector<std::string> RewriteArguments(std::vector<std::string> arguments, OptionTable& globals);

}  // namespace cairn::cli
