// Patterns over paths in the cluster: what they match. Thread-safe: functions. Used by Context.
#pragma once

#include <vector>

#include "client/cli/context.h"

namespace cairn::cli {

// The paths that `pattern` names, sorted by bytes; the path itself where it holds no pattern, or
// where a file has that very name. NOT_FOUND when nothing matches.
absl::StatusOr<std::vector<ClusterPath>> ExpandPattern(const ClusterPath& pattern);

}  // namespace cairn::cli
