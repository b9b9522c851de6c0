// Which DataNode a person means by a name: an id, the beginning of one, or an address.
//
// Why here: the NameNode resolves names for its own commands, clients for those that a DataNode
// answers itself, and both must mean the same node and say the same when there is none. Pure
// functions, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace cairn {

// Whether the node may be meant. One whose id is `name` is meant whatever others are.
bool MayBeNode(std::string_view name, std::string_view id,
               const std::vector<std::string>& addresses);

// For none or several that may be: NOT_FOUND or INVALID_ARGUMENT, for people. `ids`: theirs.
absl::Status NotOneNode(std::string_view name, const std::vector<std::string>& ids);

}  // namespace cairn
