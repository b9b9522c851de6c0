// The trash, as HDFS's TrashPolicyDefault: FileSystem's calls for it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/client_core.h"
#include "client/file_system.h"
#include "common/status.h"
#include "common/trash_names.h"

namespace cairn {
namespace {

constexpr uint32_t kHomesMode = 01777;  // as a fresh root: anybody may have a home
constexpr int kMaxTries = 100;

bool IsWithin(std::string_view path, std::string_view ancestor) {
  return path.starts_with(ancestor) &&
         (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

// "/a/b" of "//a/b/": as the NameNode takes it.
std::string Plain(std::string_view path) {
  std::string plain;
  for (const char c : path) {
    if (c != '/' || plain.empty() || plain.back() != '/') plain += c;
  }
  if (plain.ends_with('/')) plain.pop_back();  // "/" becomes "", which contains everything
  return plain;
}

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

std::string FileSystem::TrashRoot() const { return TrashRootOf(core_->options().user); }

// Makes the user's trash where there is none. One that somebody else has put there would show him
// what this user removes.
absl::Status FileSystem::EnsureTrash() {
  const std::string root = TrashRoot();
  const std::string current = fmt::format("{}/{}", root, kTrashCurrent);
  absl::StatusOr<FileStatus> status = GetFileInfo(root);
  if (absl::IsNotFound(status.status())) {
    const absl::Status homes = Mkdirs(kHomes, false, kHomesMode);
    if (!homes.ok() && !absl::IsAlreadyExists(homes)) return homes;
    RETURN_IF_ERROR(Mkdirs(current, true, kTrashMode));
    status = GetFileInfo(root);
  }
  RETURN_IF_ERROR(status.status());
  if (!status->is_directory()) return absl::FailedPreconditionError(root + " is not a directory");
  if (status->owner == core_->options().user) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("Permission denied: {} belongs to {}", root, status->owner));
}

// Makes the directories down to `directory`, which is in the trash. Where a file that was removed
// earlier is in the way, they get another name from there on.
absl::StatusOr<std::string> FileSystem::MakeTrashDirs(std::string directory) {
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const absl::Status made = Mkdirs(directory, true, kTrashMode);
    if (made.ok()) return directory;
    if (!absl::IsFailedPrecondition(made) && !absl::IsAlreadyExists(made)) return made;
    const std::string suffix = std::to_string(core_->clock().WallMs() + tries);
    bool renamed = false;
    for (size_t end = TrashRoot().size(); end != std::string::npos && !renamed;) {
      end = directory.find('/', end + 1);
      const absl::StatusOr<FileStatus> status = GetFileInfo(directory.substr(0, end));
      if (!status.ok()) break;  // gone meanwhile: try again
      if (status->is_directory()) continue;
      directory.insert(std::min(end, directory.size()), suffix);
      renamed = true;
    }
    if (!renamed && tries > 1) return made;
  }
  return absl::AbortedError("the trash changes all the time; try again");
}

absl::StatusOr<std::string> FileSystem::MoveToTrash(std::string_view path) {
  const std::string from = Plain(path);
  const std::string root = TrashRoot();
  if (IsWithin(from, root)) {
    return absl::InvalidArgumentError("is in the trash already; delete it there");
  }
  if (IsWithin(root, from)) {
    return absl::InvalidArgumentError(fmt::format("it contains the trash, {}", root));
  }
  RETURN_IF_ERROR(GetFileInfo(from).status());
  RETURN_IF_ERROR(EnsureTrash());
  const std::string wanted = fmt::format("{}/{}{}", root, kTrashCurrent, from);
  const std::string name = wanted.substr(wanted.rfind('/') + 1);
  absl::Status moved;
  std::string suffix;
  // Again where the name is taken, or the directory became a checkpoint after it was made.
  for (int tries = 0; tries < kMaxTries; ++tries) {
    ASSIGN_OR_RETURN(const std::string parent, MakeTrashDirs(ParentOf(wanted)));
    const std::string to = fmt::format("{}/{}{}", parent, name, suffix);
    moved = Rename(from, to);
    if (moved.ok()) return to;
    if (absl::IsAlreadyExists(moved)) {
      suffix = std::to_string(core_->clock().WallMs() + tries);
    } else if (!absl::IsNotFound(moved) || tries > 1) {
      return moved;
    }
  }
  return moved;
}

absl::Status FileSystem::CheckpointTrash() {
  const std::string current = fmt::format("{}/{}", TrashRoot(), kTrashCurrent);
  const absl::StatusOr<FileStatus> there = GetFileInfo(current);
  if (absl::IsNotFound(there.status())) return absl::OkStatus();
  RETURN_IF_ERROR(there.status());
  const std::string name =
      fmt::format("{}/{}", TrashRoot(), TrashCheckpointName(core_->clock().WallMs()));
  absl::Status renamed = Rename(current, name);
  for (int attempt = 1; attempt <= kMaxTries && absl::IsAlreadyExists(renamed); ++attempt) {
    renamed = Rename(current, fmt::format("{}-{}", name, attempt));
  }
  return renamed;
}

absl::Status FileSystem::DeleteTrashCheckpoints(int64_t older_than_ms) {
  const std::string root = TrashRoot();
  std::vector<std::string> names;
  const absl::Status listed = ForEachEntry(root, [&](const FileStatus& entry) {
    const std::optional<int64_t> time_ms = ParseTrashCheckpoint(entry.name);
    if (time_ms && *time_ms < older_than_ms) names.push_back(entry.name);
    return absl::OkStatus();
  });
  if (absl::IsNotFound(listed)) return absl::OkStatus();
  RETURN_IF_ERROR(listed);
  for (const std::string& name : names) {
    const absl::Status deleted = Delete(fmt::format("{}/{}", root, name), /*recursive=*/true);
    if (!deleted.ok() && !absl::IsNotFound(deleted)) return deleted;
  }
  return absl::OkStatus();
}

absl::Status FileSystem::ExpungeTrash(bool immediate) {
  if (immediate) {
    RETURN_IF_ERROR(CheckpointTrash());
    return DeleteTrashCheckpoints(INT64_MAX);
  }
  ASSIGN_OR_RETURN(const ServerDefaults defaults, GetServerDefaults());
  RETURN_IF_ERROR(DeleteTrashCheckpoints(core_->clock().WallMs() - defaults.trash_interval_ms));
  return CheckpointTrash();
}

}  // namespace cairn
