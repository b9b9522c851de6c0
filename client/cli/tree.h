// Walking a tree of the cluster, each directory before what is in it, by name in byte order.
//
// One page of a listing is in memory per level, never a whole directory. Thread-safe: a function.
// Used by ls -R, find, get, cp, chmod -R, setrep -R and fsck.
#pragma once

#include <functional>

#include "client/cli/context.h"

namespace cairn::cli {

struct TreeVisitor {
  // `depth` is 0 for the root. Returns whether to go into a directory.
  std::function<bool(const ClusterPath&, const FileStatus&, int depth)> enter;
  // Of a directory that was gone into, after all that is in it. May be empty.
  std::function<void(const ClusterPath&, const FileStatus&)> leave;
};

// A directory that cannot be listed is a failure of its own, told to the context, and the walk goes
// on. Ends early when Context::Continue says so.
absl::Status WalkTree(Context& context, const ClusterPath& root, const TreeVisitor& visitor);

}  // namespace cairn::cli
