// Paths as users write them, cut into names and checked (P7). Pure; used by plans.
#pragma once

#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

using PathNames = absl::InlinedVector<std::string_view, 8>;

// The names of an absolute path, as views of it; none for "/". Several slashes count as one, and
// one at the end as none. INVALID_ARGUMENT, with the rule that is broken, for anything else.
absl::StatusOr<PathNames> SplitPath(std::string_view path, const Limits& limits);

}  // namespace cairn::namenode
