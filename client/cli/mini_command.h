// cairn mini. Apart from the other commands: it links both daemons, and only the program itself
// does that.
#pragma once

#include "client/cli/cli.h"

namespace cairn::cli {

void AddMini(Cli& cli);

}  // namespace cairn::cli
