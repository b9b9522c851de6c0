#include "common/node_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {

bool MayBeNode(std::string_view name, std::string_view id,
               const std::vector<std::string>& addresses) {
  return (!name.empty() && id.starts_with(name)) ||
         std::find(addresses.begin(), addresses.end(), name) != addresses.end();
}

absl::Status NotOneNode(std::string_view name, const std::vector<std::string>& ids) {
  if (ids.empty()) {
    return absl::NotFoundError(
        fmt::format("no DataNode is called '{}'; `cairn admin nodes` lists them", name));
  }
  return absl::InvalidArgumentError(
      fmt::format("'{}' may be {} DataNodes, {} and {} among them; give more of the id", name,
                  ids.size(), ids[0], ids[1]));
}

}  // namespace cairn
