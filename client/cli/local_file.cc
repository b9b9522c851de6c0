#include "client/cli/local_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "common/strings.h"

namespace cairn::cli {
namespace {

// ErrnoStatus without a context: the command puts the path before it.
absl::Status Errno(int error_number) {
  const absl::Status status = ErrnoStatus("", error_number);
  absl::Status plain(status.code(), std::strerror(error_number));
  return WithKind(std::move(plain), KindOf(status));
}

timespec TimeSpec(int64_t ms) {
  if (ms < 0) return {0, UTIME_NOW};
  return {static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000 * 1'000'000)};
}

}  // namespace

absl::StatusOr<struct stat> StatLocal(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return Errno(errno);
  return info;
}

int64_t ModifiedMs(const struct stat& info) {
  return info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

int64_t AccessedMs(const struct stat& info) {
  return info.st_atim.tv_sec * 1000 + info.st_atim.tv_nsec / 1'000'000;
}

absl::StatusOr<Target> LocalTargetOf(std::string_view operand) {
  Target target{.path = std::string(operand)};
  target.must_be_directory = operand.size() > 1 && operand.back() == '/';
  while (target.path.size() > 1 && target.path.back() == '/') target.path.pop_back();
  const absl::StatusOr<struct stat> info = StatLocal(target.path);
  if (info.ok()) {
    target.kind = S_ISDIR(info->st_mode) ? TargetKind::kDirectory : TargetKind::kFile;
  } else if (!absl::IsNotFound(info.status())) {
    return info.status();
  }
  return target;
}

std::string LocalName(const std::string& path) {
  std::string_view text = path;
  while (text.size() > 1 && text.back() == '/') text.remove_suffix(1);
  const std::string name = BaseName(text);
  if (name != "." && name != "..") return name;
  std::error_code error;
  return std::filesystem::canonical(path, error).filename().string();
}

absl::StatusOr<std::unique_ptr<LocalSource>> LocalSource::Open(const std::string& path) {
  const bool standard_input = path == "-";
  const int fd = standard_input ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) return Errno(errno);
  const off_t begin = S_ISREG(info.st_mode) ? lseek(fd, 0, SEEK_CUR) : 0;
  auto source = std::unique_ptr<LocalSource>(
      new LocalSource(fd, !standard_input, info, static_cast<uint64_t>(std::max<off_t>(begin, 0))));
  if (S_ISDIR(info.st_mode)) return Errno(EISDIR);
  if (S_ISREG(info.st_mode)) posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return source;
}

LocalSource::~LocalSource() {
  if (owned_) close(fd_);
}

absl::StatusOr<size_t> LocalSource::Read(std::span<char> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t bytes = read(fd_, out.data() + filled, out.size() - filled);
    if (bytes == 0) break;
    if (bytes > 0) {
      filled += static_cast<size_t>(bytes);
      // What a pipe has is passed on at once.
      if (!is_regular()) break;
    } else if (errno != EINTR) {
      return Errno(errno);
    }
  }
  return filled;
}

absl::StatusOr<size_t> LocalSource::ReadAt(uint64_t offset, std::span<char> out) const {
  size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t bytes = pread(fd_, out.data() + filled, out.size() - filled,
                                static_cast<off_t>(begin_ + offset + filled));
    if (bytes == 0) break;
    if (bytes > 0) {
      filled += static_cast<size_t>(bytes);
    } else if (errno != EINTR) {
      return Errno(errno);
    }
  }
  return filled;
}

uint64_t LocalSource::length() const {
  const auto size = static_cast<uint64_t>(info_.st_size);
  return size - std::min(size, begin_);
}

absl::StatusOr<std::unique_ptr<LocalTarget>> LocalTarget::Create(
    const std::string& path, const LocalTargetOptions& options) {
  std::string final_path = path;
  struct stat info;
  if (lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) {
    // What a link points to is written, as cp(1) does.
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    if (!error) final_path = real.string();
  }
  const bool exists = lstat(final_path.c_str(), &info) == 0;
  const bool in_place =
      exists && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode) && !S_ISLNK(info.st_mode);
  if (exists && !in_place && !options.overwrite) return Errno(EEXIST);
  if (exists && S_ISDIR(info.st_mode)) return Errno(EISDIR);

  auto target = std::unique_ptr<LocalTarget>(new LocalTarget(final_path, options));
  if (in_place) {
    target->fd_ = open(final_path.c_str(), O_WRONLY | O_CLOEXEC);
    if (target->fd_ < 0) return Errno(errno);
    return target;
  }
  const std::filesystem::path full(final_path);
  // Cut, so that a long name and its ending fit into a name's 255 bytes.
  const std::string temporary = fmt::format(".{:.200}._COPYING_.{}", full.filename().string(),
                                            HexEncode(RandomBytes16()).substr(0, 12));
  const std::string temporary_path = (full.parent_path() / temporary).string();
  const mode_t mode = options.mode ? 0600 : 0666;  // less the umask
  target->fd_ = open(temporary_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (target->fd_ < 0) return Errno(errno);
  target->temporary_ = temporary_path;
  return target;
}

LocalTarget::~LocalTarget() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status LocalTarget::Write(std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(fd_, data.data(), data.size());
    if (written >= 0) {
      data.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      return Errno(errno);
    }
  }
  return absl::OkStatus();
}

absl::Status LocalTarget::WriteAt(uint64_t offset, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
    if (written >= 0) {
      data.remove_prefix(static_cast<size_t>(written));
      offset += static_cast<uint64_t>(written);
    } else if (errno != EINTR) {
      return Errno(errno);
    }
  }
  return absl::OkStatus();
}

absl::Status LocalTarget::SetAttributes() {
  if (options_.mode && fchmod(fd_, *options_.mode) != 0) return Errno(errno);
  if (options_.mtime_ms < 0 && options_.atime_ms < 0) return absl::OkStatus();
  const timespec times[2] = {TimeSpec(options_.atime_ms), TimeSpec(options_.mtime_ms)};
  return futimens(fd_, times) == 0 ? absl::OkStatus() : Errno(errno);
}

absl::Status LocalTarget::Publish() {
  const unsigned flags = options_.overwrite ? 0 : RENAME_NOREPLACE;
  if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), flags) == 0) {
    temporary_.clear();
    return absl::OkStatus();
  }
  if (errno != EINVAL && errno != ENOSYS) return Errno(errno);
  // A file system without RENAME_NOREPLACE; link(2) does not replace either, and the destructor
  // removes the first name.
  return link(temporary_.c_str(), path_.c_str()) == 0 ? absl::OkStatus() : Errno(errno);
}

absl::Status LocalTarget::Commit() {
  if (temporary_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(SetAttributes());
  if (fsync(fd_) != 0) return Errno(errno);
  RETURN_IF_ERROR(Publish());
  const std::string directory = std::filesystem::path(path_).parent_path().string();
  const int fd =
      open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Errno(errno);
  const int failed = fsync(fd) != 0 ? errno : 0;
  close(fd);
  return failed == 0 ? absl::OkStatus() : Errno(failed);
}

absl::Status SetLocalAttributes(const std::string& path, uint32_t mode, int64_t mtime_ms,
                                int64_t atime_ms) {
  if (chmod(path.c_str(), mode) != 0) return Errno(errno);
  const timespec times[2] = {TimeSpec(atime_ms), TimeSpec(mtime_ms)};
  return utimensat(AT_FDCWD, path.c_str(), times, 0) == 0 ? absl::OkStatus() : Errno(errno);
}

}  // namespace cairn::cli
