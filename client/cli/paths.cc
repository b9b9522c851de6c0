#include "client/cli/paths.h"

#include <vector>

namespace cairn::cli {

std::string NormalizePath(std::string_view path) {
  std::vector<std::string_view> kept;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (component.empty() || component == ".") continue;
    if (component != "..") {
      kept.push_back(component);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  std::string result;
  for (const std::string_view component : kept) {
    result += '/';
    result += component;
  }
  return result.empty() ? "/" : result;
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string result(directory);
  if (result.empty() || result.back() != '/') result += '/';
  result += name;
  return result;
}

std::string BaseName(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string ParentPath(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == 0 || slash == std::string_view::npos) return "/";
  return std::string(path.substr(0, slash));
}

bool IsWithin(std::string_view path, std::string_view ancestor) {
  if (ancestor == "/") return true;
  return path.starts_with(ancestor) &&
         (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

absl::StatusOr<std::string> PlaceInTarget(const Target& target, std::string_view name,
                                          size_t sources) {
  if (target.kind == TargetKind::kDirectory) {
    if (name.empty()) return absl::InvalidArgumentError("the source has no name to copy it under");
    return JoinPath(target.path, name);
  }
  if (sources > 1 || target.must_be_directory) {
    if (target.kind == TargetKind::kMissing) {
      return absl::NotFoundError("No such file or directory");
    }
    return absl::FailedPreconditionError("Not a directory");
  }
  return target.path;
}

bool IsSafeLocalName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace cairn::cli
