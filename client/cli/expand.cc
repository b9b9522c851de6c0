#include "client/cli/expand.h"

#include <string>
#include <string_view>

#include "client/cli/glob.h"
#include "client/cli/paths.h"

namespace cairn::cli {
namespace {

// Appends the entries of `directory` whose names match. What is no directory has none.
absl::Status MatchEntries(const ClusterPath& directory, std::string_view pattern,
                          bool directories_only, std::vector<ClusterPath>* matches) {
  absl::StatusOr<FileStatus> status = directory.fs->GetFileInfo(directory.path);
  if (absl::IsNotFound(status.status())) return absl::OkStatus();
  if (!status.ok()) return status.status();
  if (!status->is_directory()) return absl::OkStatus();
  return directory.fs->ForEachEntry(directory.path, [&](const FileStatus& entry) {
    if (GlobMatch(pattern, entry.name) && (!directories_only || entry.is_directory())) {
      matches->push_back(directory.Child(entry.name));
    }
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<std::vector<ClusterPath>> ExpandPattern(const ClusterPath& pattern) {
  if (!HasGlob(pattern.path)) return std::vector<ClusterPath>{pattern};
  const absl::StatusOr<FileStatus> literal = pattern.fs->GetFileInfo(pattern.path);
  if (literal.ok()) return std::vector<ClusterPath>{pattern};
  if (!absl::IsNotFound(literal.status())) return literal.status();

  std::vector<ClusterPath> found{pattern.At("/")};
  std::string_view rest = std::string_view(pattern.path).substr(1);
  bool last = false;
  while (!last) {
    const size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    last = slash == std::string_view::npos;
    if (!last) rest.remove_prefix(slash + 1);
    std::vector<ClusterPath> next;
    for (const ClusterPath& directory : found) {
      if (HasGlob(component)) {
        RETURN_IF_ERROR(MatchEntries(directory, component, !last, &next));
      } else {
        next.push_back(directory.Child(Unescape(component)));
      }
    }
    found = std::move(next);
    // A literal end after a pattern names only what is there: /a/*/x.
    if (last && !HasGlob(component)) {
      std::erase_if(found, [](const ClusterPath& path) {
        return absl::IsNotFound(path.fs->GetFileInfo(path.path).status());
      });
    }
  }
  if (found.empty()) return absl::NotFoundError("No such file or directory");
  return found;
}

}  // namespace cairn::cli
