#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/env.h"

namespace cairn {
namespace {

// Calls `call` again as long as a signal interrupts it.
template <typename Call>
auto Retry(Call&& call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd& operator=(Fd&&) = delete;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

class PosixFile final : public File {
 public:
  PosixFile(std::string path, Fd fd, bool direct)
      : path_(std::move(path)), fd_(std::move(fd)), direct_(direct) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = Retry([&] {
        return pread(fd(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      });
      if (n < 0) return ErrnoStatus(path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    while (!data.empty()) {
      const ssize_t n =
          Retry([&] { return pwrite(fd(), data.data(), data.size(), static_cast<off_t>(offset)); });
      if (n < 0) return WriteError(errno);
      data.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return absl::OkStatus();
  }

  absl::Status WriteVAt(uint64_t offset, std::span<const std::string_view> pieces) override {
    constexpr size_t kMaxPieces = 256;  // a call; the kernel's own limit is 1024
    std::array<iovec, kMaxPieces> vectors;
    while (!pieces.empty()) {
      const size_t count = std::min(pieces.size(), kMaxPieces);
      size_t total = 0;
      for (size_t i = 0; i < count; ++i) {
        vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
        total += pieces[i].size();
      }
      const ssize_t n = Retry([&] {
        return pwritev(fd(), vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
      });
      if (n < 0) return WriteError(errno);
      if (static_cast<size_t>(n) < total) {
        RETURN_IF_ERROR(FinishWriteV(offset, pieces.first(count), static_cast<size_t>(n)));
      }
      offset += total;
      pieces = pieces.subspan(count);
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (Retry([&] { return fdatasync(fd()); }) < 0) return ErrnoStatus(path_, errno);
    return absl::OkStatus();
  }

  absl::Status SyncFileSystem() override {
    if (Retry([&] { return syncfs(fd()); }) < 0) return ErrnoStatus(path_, errno);
    return absl::OkStatus();
  }

  absl::Status Preallocate(uint64_t bytes, bool keep_size) override {
    if (bytes == 0) return absl::OkStatus();
    const int mode = keep_size ? FALLOC_FL_KEEP_SIZE : 0;
    if (Retry([&] { return fallocate(fd(), mode, 0, static_cast<off_t>(bytes)); }) == 0) {
      return absl::OkStatus();
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) return ErrnoStatus(path_, errno);
    if (keep_size) return absl::OkStatus();
    ASSIGN_OR_RETURN(const uint64_t size, Size());
    return size < bytes ? Truncate(bytes) : absl::OkStatus();
  }

  absl::Status Truncate(uint64_t bytes) override {
    if (Retry([&] { return ftruncate(fd(), static_cast<off_t>(bytes)); }) < 0) {
      return ErrnoStatus(path_, errno);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override {
    struct stat info;
    if (fstat(fd(), &info) < 0) return ErrnoStatus(path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

  void StartWriteback(uint64_t offset, uint64_t bytes) override {
    sync_file_range(fd(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                    SYNC_FILE_RANGE_WRITE);
  }

  void DropFromCache() override { posix_fadvise(fd(), 0, 0, POSIX_FADV_DONTNEED); }

  int fd() const override { return fd_.get(); }

 private:
  absl::Status WriteError(int error_number) const {
    if (!direct_ || error_number != EINVAL) return ErrnoStatus(path_, error_number);
    return absl::UnimplementedError(
        fmt::format("{}: the file system takes no direct write of this", path_));
  }

  // Writes what is left of `pieces` after a write of `done` bytes of them at `offset`.
  absl::Status FinishWriteV(uint64_t offset, std::span<const std::string_view> pieces,
                            size_t done) {
    for (std::string_view piece : pieces) {
      const size_t written = std::min(done, piece.size());
      RETURN_IF_ERROR(WriteAt(offset + written, piece.substr(written)));
      done -= written;
      offset += piece.size();
    }
    return absl::OkStatus();
  }

  const std::string path_;
  const Fd fd_;
  const bool direct_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  const Fd fd_;  // closing it releases the lock
};

int OpenFlags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY | O_CLOEXEC;
    case OpenMode::kReadWrite:
      return O_RDWR | O_CLOEXEC;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    case OpenMode::kTruncate:
      return O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
    case OpenMode::kDirect:
      return O_RDWR | O_DIRECT | O_CLOEXEC;
  }
  return O_RDONLY | O_CLOEXEC;
}

// tmpfs takes O_DIRECT from Linux 6.6 on, and copies all the same.
bool IsInMemory(const Fd& fd) {
  struct statfs info;
  return fstatfs(fd.get(), &info) == 0 && info.f_type == TMPFS_MAGIC;
}

std::string ParentOf(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(slash, 1)));
}

class PosixEnv final : public Env {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    Fd fd(Retry([&] { return open(path.c_str(), OpenFlags(mode), 0644); }));
    const bool direct = mode == OpenMode::kDirect;
    if ((!fd.valid() && direct && errno == EINVAL) || (fd.valid() && direct && IsInMemory(fd))) {
      return absl::UnimplementedError(
          fmt::format("{}: its file system has no direct writes", path));
    }
    if (!fd.valid()) return ErrnoStatus(path, errno);
    return std::make_unique<PosixFile>(path, std::move(fd), direct);
  }

  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    constexpr uint64_t kMaxBytes = 64 << 20;
    ASSIGN_OR_RETURN(const std::unique_ptr<File> file, Open(path, OpenMode::kRead));
    // Read to the end rather than by size: files of /proc have none.
    std::string content;
    constexpr size_t kPiece = 64 << 10;
    while (true) {
      const size_t before = content.size();
      content.resize(before + kPiece);
      ASSIGN_OR_RETURN(const size_t n, file->ReadAt(before, {content.data() + before, kPiece}));
      content.resize(before + n);
      if (content.size() > kMaxBytes) {
        return absl::FailedPreconditionError(fmt::format("{}: larger than 64 MiB", path));
      }
      if (n < kPiece) return content;
    }
  }

  absl::Status WriteFileAtomically(const std::string& path, std::string_view content) override {
    const std::string temporary = path + ".tmp";
    RETURN_IF_ERROR(WriteWhole(temporary, content));
    if (absl::Status renamed = Rename(temporary, path); !renamed.ok()) {
      unlink(temporary.c_str());
      return renamed;
    }
    return SyncDir(ParentOf(path));
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) < 0) {
      return ErrnoStatus(fmt::format("{} -> {}", from, to), errno);
    }
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    if (unlink(path.c_str()) < 0) return ErrnoStatus(path, errno);
    return absl::OkStatus();
  }

  absl::Status RemoveDir(const std::string& path) override {
    if (rmdir(path.c_str()) < 0) return ErrnoStatus(path, errno);
    return absl::OkStatus();
  }

  absl::Status CreateDirs(const std::string& path) override {
    struct stat info;
    if (stat(path.c_str(), &info) == 0) {
      return S_ISDIR(info.st_mode) ? absl::OkStatus() : ErrnoStatus(path, ENOTDIR);
    }
    if (errno != ENOENT) return ErrnoStatus(path, errno);
    const std::string parent = ParentOf(path);
    if (parent == path) return ErrnoStatus(path, ENOENT);
    RETURN_IF_ERROR(CreateDirs(parent));
    if (mkdir(path.c_str(), 0755) < 0 && errno != EEXIST) return ErrnoStatus(path, errno);
    return SyncDir(parent);
  }

  absl::Status SyncDir(const std::string& path) override {
    const Fd fd(Retry([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!fd.valid()) return ErrnoStatus(path, errno);
    if (Retry([&] { return fsync(fd.get()); }) < 0) return ErrnoStatus(path, errno);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
    if (dir == nullptr) return ErrnoStatus(path, errno);
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* entry = readdir(dir.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return ErrnoStatus(path, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<bool> Exists(const std::string& path) override {
    struct stat info;
    if (stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return ErrnoStatus(path, errno);
  }

  absl::StatusOr<DiskSpace> Space(const std::string& path) override {
    struct statvfs info;
    if (Retry([&] { return statvfs(path.c_str(), &info); }) < 0) return ErrnoStatus(path, errno);
    return DiskSpace{.capacity_bytes = uint64_t{info.f_blocks} * info.f_frsize,
                     .free_bytes = uint64_t{info.f_bavail} * info.f_frsize};
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    Fd fd(Retry([&] { return open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); }));
    if (!fd.valid()) return ErrnoStatus(path, errno);
    // flock, not fcntl: it also holds against this very process, and closing another descriptor
    // does not release it.
    if (Retry([&] { return flock(fd.get(), LOCK_EX | LOCK_NB); }) < 0) {
      if (errno != EWOULDBLOCK) return ErrnoStatus(path, errno);
      return absl::FailedPreconditionError(
          fmt::format("{}: locked by a running process{}", path, HolderOf(fd.get())));
    }
    // The holder's pid is for people alone: the lock counts, not the content.
    const std::string pid = fmt::format("{}\n", getpid());
    if (ftruncate(fd.get(), 0) < 0 || pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
      return ErrnoStatus(path, errno);
    }
    return std::make_unique<PosixFileLock>(std::move(fd));
  }

 private:
  absl::Status WriteWhole(const std::string& path, std::string_view content) {
    absl::StatusOr<std::unique_ptr<File>> file = Open(path, OpenMode::kTruncate);
    if (!file.ok()) return file.status();
    absl::Status written = (*file)->WriteAt(0, content);
    if (written.ok()) written = (*file)->Sync();
    if (!written.ok()) unlink(path.c_str());
    return written;
  }

  static std::string HolderOf(int lock_fd) {
    char text[24] = {};
    const ssize_t n = pread(lock_fd, text, sizeof(text) - 1, 0);
    std::string pid(text, static_cast<size_t>(std::max<ssize_t>(n, 0)));
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return pid.empty() ? "" : fmt::format(" (pid {})", pid);
  }
};

}  // namespace

std::unique_ptr<Env> NewPosixEnv() { return std::make_unique<PosixEnv>(); }

}  // namespace cairn
