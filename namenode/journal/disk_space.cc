#include "namenode/journal/disk_space.h"

#include <fmt/format.h>

#include "common/units.h"

namespace cairn::namenode {

absl::Status CheckReserved(Env* env, const std::vector<std::string>& dirs,
                           uint64_t reserved_bytes) {
  for (const std::string& dir : dirs) {
    ASSIGN_OR_RETURN(const DiskSpace space, env->Space(dir));
    if (space.free_bytes >= reserved_bytes) continue;
    return WithKind(absl::ResourceExhaustedError(
                        fmt::format("{}: {} free, less than --reserved {}; free some space", dir,
                                    FormatSize(space.free_bytes), FormatSize(reserved_bytes))),
                    ErrorKind::kNoSpace);
  }
  return absl::OkStatus();
}

}  // namespace cairn::namenode
