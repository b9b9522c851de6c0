// What plans ask before a tree grows: would a quota be exceeded?
//
// Only plans ask. Apply never does, so a replay cannot fail for a quota, and usage above a quota
// (it was set below usage) stays and is only kept from growing. Where there is no quota at all,
// asking costs one comparison. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "namenode/namespace/lookup.h"

namespace cairn::namenode {

// What an operation adds to a tree; below 0 it takes away.
struct Growth {
  int64_t names = 0;
  int64_t space = 0;  // bytes times replication

  Growth& operator-=(const Growth& other) {
    names -= other.names;
    space -= other.space;
    return *this;
  }
};

// What linking a tree with these totals adds to the directories above it.
Growth GrowthOf(const Totals& totals);

// What so many bytes of a block take.
inline int64_t SpaceOf(uint64_t bytes, uint32_t replication) {
  return static_cast<int64_t>(bytes * replication);
}

// RESOURCE_EXHAUSTED (kQuotaExceeded) when `dir`, or a directory above it and below `common`
// (nullptr: all up to the root), would exceed a quota by this growth. The message names the quota
// that has least left.
absl::Status CheckQuotaAbove(Lookup& lookup, const INode& dir, const Growth& growth,
                             const INode* common);
inline absl::Status CheckQuota(Lookup& lookup, const INode& dir, const Growth& growth) {
  if (lookup.state().quotas().empty()) return absl::OkStatus();
  return CheckQuotaAbove(lookup, dir, growth, nullptr);
}

// The same for what moves from `from_parent` to `to_parent`: what is above both holds it already.
absl::Status CheckQuotaOfMove(Lookup& lookup, const INode& from_parent, const INode& to_parent,
                              const Growth& growth);

// What a file takes once it is closed with these blocks finished, none open any more.
Growth GrowthOfClosed(const FsState& state, const INode& inode,
                      const std::vector<FinishedBlock>& finished);

}  // namespace cairn::namenode
