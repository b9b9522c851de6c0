// Path rules of the command line: what an operand names, and where a copy of it goes.
//
// Why apart: put, get, cp and mv share one set of rules, those of cp(1), and they are worth tests
// of their own. Pure functions, thread-safe. Used by the commands.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace cairn::cli {

// An absolute path without empty and "." components and with ".." taken away: "/a//b/../c/" is
// "/a/c". ".." at the root stays there.
std::string NormalizePath(std::string_view path);

// "/a" + "b" is "/a/b"; "/" + "b" is "/b".
std::string JoinPath(std::string_view directory, std::string_view name);
// The last component of a normalized path; empty for "/".
std::string BaseName(std::string_view path);
// "/a" of "/a/b", "/" of "/a" and of "/".
std::string ParentPath(std::string_view path);
// Whether `path` is `ancestor` or lies below it. Both normalized.
bool IsWithin(std::string_view path, std::string_view ancestor);

enum class TargetKind { kMissing, kFile, kDirectory };

// Where things are copied to, as the user gave it.
struct Target {
  std::string path;
  TargetKind kind = TargetKind::kMissing;
  bool must_be_directory = false;  // it ended in '/'
};

// The path that the source called `name` becomes: inside of a directory, else the target itself.
// Fails when a directory is needed (several sources, or a '/' at the end) and there is none.
absl::StatusOr<std::string> PlaceInTarget(const Target& target, std::string_view name,
                                          size_t sources);

// Whether a name from the cluster may become a local file: not one that would leave the directory.
bool IsSafeLocalName(std::string_view name);

}  // namespace cairn::cli
