// Completion scripts for shells, made from the command line's own tables, so that they never lack a
// command or an option. Pure functions, thread-safe.
#pragma once

#include <string>

#include "common/command_line.h"

namespace cairn::cli {

std::string BashCompletion(CommandLine& line);
std::string ZshCompletion(CommandLine& line);

}  // namespace cairn::cli
