// To be preloaded (LD_PRELOAD) into a daemon under test: a disk that is slow, fails, or turns
// read-only, and is well again.
//
// Why: a disk that fails cannot be had on demand, and a running daemon must meet it. What is wrong
// stands in the file $CAIRN_TEST_SICK_DISK, read anew at each call; SickDisk (sick_disk_control.h)
// writes it: a directory, then words. No such file, or no words: all is well.
// Covers the calls that common/env_posix.cc makes. A sync that fails loses what was written since
// the one before, as Linux does: no later sync brings it back.
// Used by tests alone; a library of its own, which no program links.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

template <typename Fn>
Fn* Real(const char* name) {
  return reinterpret_cast<Fn*>(dlsym(RTLD_NEXT, name));
}

// What is wrong with one disk.
struct Sickness {
  std::string directory;
  long slow_syncs_ms = 0;
  bool fail_reads = false;
  bool fail_writes = false;
  bool fail_syncs = false;
  bool read_only = false;

  bool Has(std::string_view path) const {
    return !directory.empty() && path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
  }
  bool Has(int fd) const {
    char path[4096];
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t length = readlink(link.c_str(), path, sizeof(path));
    return length > 0 && Has(std::string_view(path, static_cast<size_t>(length)));
  }
  // What a change of it fails with; 0: it does not.
  int WriteError() const { return read_only ? EROFS : fail_writes ? EIO : 0; }
};

Sickness Now() {
  Sickness now;
  const char* const control = std::getenv("CAIRN_TEST_SICK_DISK");
  if (control == nullptr) return now;
  const int fd = Real<int(const char*, int, ...)>("open")(control, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return now;
  char text[4096];
  const ssize_t length = Real<ssize_t(int, void*, size_t, off_t)>("pread")(fd, text, 4096, 0);
  close(fd);
  std::string_view rest(text, length < 0 ? 0 : static_cast<size_t>(length));
  const auto next = [&rest] {
    const std::string word(rest.substr(0, rest.find(' ')));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    return word;
  };
  now.directory = next();
  while (!rest.empty()) {
    const std::string word = next();
    if (word.starts_with("slow-syncs=")) now.slow_syncs_ms = std::atol(word.c_str() + 11);
    if (word == "fail-reads") now.fail_reads = true;
    if (word == "fail-writes") now.fail_writes = true;
    if (word == "fail-syncs") now.fail_syncs = true;
    if (word == "read-only") now.read_only = true;
  }
  return now;
}

// What was written since each file's last sync.
class Unsynced {
 public:
  void Add(int fd, off_t offset, ssize_t bytes) {
    if (bytes <= 0) return;
    const std::lock_guard lock(mu_);
    ranges_[IdOf(fd)].push_back({offset, bytes});
  }
  // To be called before the sync: what is written beside it is not of it.
  std::vector<std::pair<off_t, off_t>> Take(int fd) {
    const std::lock_guard lock(mu_);
    auto taken = ranges_.extract(IdOf(fd));
    return taken.empty() ? std::vector<std::pair<off_t, off_t>>() : std::move(taken.mapped());
  }
  void Clear() {
    const std::lock_guard lock(mu_);
    ranges_.clear();
  }

 private:
  static std::pair<dev_t, ino_t> IdOf(int fd) {
    struct stat info = {};
    fstat(fd, &info);
    return {info.st_dev, info.st_ino};
  }

  std::mutex mu_;
  std::map<std::pair<dev_t, ino_t>, std::vector<std::pair<off_t, off_t>>> ranges_;
};

Unsynced& unsynced() {
  static auto* const unsynced = new Unsynced;  // never destroyed: threads write until the end
  return *unsynced;
}

int Fail(int error) {
  errno = error;
  return -1;
}

// Makes a change of the file, unless the disk takes none.
template <typename Result, typename Change>
Result Write(int fd, Change change) {
  const Sickness now = Now();
  const int error = now.WriteError();
  if (error != 0 && now.Has(fd)) return Fail(error);
  return change();
}

template <typename Change>
int ChangeName(std::initializer_list<const char*> paths, Change change) {
  const Sickness now = Now();
  for (const char* const path : paths) {
    if (now.read_only && now.Has(path)) return Fail(EROFS);
  }
  return change();
}

int Sync(const char* name, int fd) {
  const Sickness now = Now();
  const bool here = now.Has(fd);
  const auto written = unsynced().Take(fd);
  if (here && now.slow_syncs_ms > 0) {
    const timespec wait = {now.slow_syncs_ms / 1000, now.slow_syncs_ms % 1000 * 1'000'000};
    nanosleep(&wait, nullptr);
  }
  if (!here || !now.fail_syncs) return Real<int(int)>(name)(fd);
  for (const auto& [offset, bytes] : written) {
    Real<int(int, int, off_t, off_t)>("fallocate")(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                                   offset, bytes);
  }
  return Fail(EIO);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list args;
    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
  }
  if ((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0) {
    const Sickness now = Now();
    if (now.read_only && now.Has(path)) return Fail(EROFS);
  }
  return Real<int(const char*, int, ...)>("open")(path, flags, mode);
}

ssize_t pread(int fd, void* out, size_t bytes, off_t offset) {
  const Sickness now = Now();
  if (now.fail_reads && now.Has(fd)) return Fail(EIO);
  return Real<ssize_t(int, void*, size_t, off_t)>("pread")(fd, out, bytes, offset);
}

ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) {
  return Write<ssize_t>(fd, [&] {
    const ssize_t done =
        Real<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, data, bytes, offset);
    unsynced().Add(fd, offset, done);
    return done;
  });
}

ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  return Write<ssize_t>(fd, [&] {
    const ssize_t done =
        Real<ssize_t(int, const iovec*, int, off_t)>("pwritev")(fd, pieces, count, offset);
    unsynced().Add(fd, offset, done);
    return done;
  });
}

int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  return Write<int>(
      fd, [&] { return Real<int(int, int, off_t, off_t)>("fallocate")(fd, mode, offset, bytes); });
}

int ftruncate(int fd, off_t bytes) noexcept {
  return Write<int>(fd, [&] { return Real<int(int, off_t)>("ftruncate")(fd, bytes); });
}

int fdatasync(int fd) { return Sync("fdatasync", fd); }
int fsync(int fd) { return Sync("fsync", fd); }

int syncfs(int fd) noexcept {
  const Sickness now = Now();
  if (now.fail_syncs && now.Has(fd)) return Fail(EIO);
  const int done = Real<int(int)>("syncfs")(fd);
  if (done == 0) unsynced().Clear();
  return done;
}

int rename(const char* from, const char* to) noexcept {
  return ChangeName({from, to},
                    [&] { return Real<int(const char*, const char*)>("rename")(from, to); });
}

int unlink(const char* path) noexcept {
  return ChangeName({path}, [&] { return Real<int(const char*)>("unlink")(path); });
}

int rmdir(const char* path) noexcept {
  return ChangeName({path}, [&] { return Real<int(const char*)>("rmdir")(path); });
}

int mkdir(const char* path, mode_t mode) noexcept {
  return ChangeName({path}, [&] { return Real<int(const char*, mode_t)>("mkdir")(path, mode); });
}

}  // extern "C"
