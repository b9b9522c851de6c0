#include "client/cli/copy.h"

#include <algorithm>
#include <memory>

namespace cairn::cli {

absl::Status CopyBytes(const Context& context, const ReadFn& read, const WriteFn& write,
                       Progress* progress, std::optional<uint64_t> limit) {
  const std::unique_ptr<char[]> buffer(new char[kCopyBytes]);  // not zeroed
  while (!limit || *limit > 0) {
    RETURN_IF_ERROR(context.Continue());
    const size_t wanted = std::min<uint64_t>(kCopyBytes, limit.value_or(kCopyBytes));
    ASSIGN_OR_RETURN(const size_t bytes, read(std::span(buffer.get(), wanted)));
    if (bytes == 0) break;
    RETURN_IF_ERROR(write(std::string_view(buffer.get(), bytes)));
    if (limit) *limit -= bytes;
    if (progress != nullptr) progress->Moved(bytes);
  }
  return absl::OkStatus();
}

absl::StatusOr<Target> ClusterTargetOf(const ClusterPath& path) {
  Target target{.path = path.path, .must_be_directory = path.trailing_slash};
  const absl::StatusOr<FileStatus> status = path.fs->GetFileInfo(path.path);
  if (status.ok()) {
    target.kind = status->is_directory() ? TargetKind::kDirectory : TargetKind::kFile;
  } else if (!absl::IsNotFound(status.status())) {
    return status.status();
  }
  return target;
}

absl::Status MakeDirectory(const ClusterPath& path, bool merge, std::optional<uint32_t> mode) {
  absl::Status made = path.fs->Mkdirs(path.path, false, mode);
  if (!absl::IsAlreadyExists(made) || !merge) return made;
  ASSIGN_OR_RETURN(const FileStatus status, path.fs->GetFileInfo(path.path));
  return status.is_directory() ? absl::OkStatus() : made;
}

}  // namespace cairn::cli
