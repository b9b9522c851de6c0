#include "namenode/namespace/paths.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/status.h"
#include "common/strings.h"

namespace cairn::namenode {
namespace {

absl::Status CheckName(std::string_view name, const Limits& limits) {
  if (name == "." || name == "..") {
    return absl::InvalidArgumentError(fmt::format("a path may not contain \"{}\"", name));
  }
  if (name.size() > limits.max_name_bytes) {
    return absl::InvalidArgumentError(fmt::format("File name too long: {} bytes, at most {}",
                                                  name.size(), limits.max_name_bytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PathNames> SplitPath(std::string_view path, const Limits& limits) {
  if (path.empty() || path.front() != '/') {
    return absl::InvalidArgumentError("a path must be absolute: it starts with \"/\"");
  }
  if (path.size() > limits.max_path_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("path too long: {} bytes, at most {}", path.size(), limits.max_path_bytes));
  }
  if (path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("a path may not contain a NUL byte");
  }
  if (!IsValidUtf8(path)) return absl::InvalidArgumentError("a path must be valid UTF-8");
  PathNames names;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) {
      names.push_back(path.substr(begin, end - begin));
      RETURN_IF_ERROR(CheckName(names.back(), limits));
    }
    begin = end + 1;
  }
  if (names.size() > limits.max_path_depth) {
    return absl::InvalidArgumentError(
        fmt::format("path too deep: {} names, at most {}", names.size(), limits.max_path_depth));
  }
  return names;
}

}  // namespace cairn::namenode
