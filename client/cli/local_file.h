// Files on this machine: what put reads and get writes.
//
// A LocalTarget appears under its name in one step, whole and durable, or not at all. Errors are in
// strerror's words, without the path. Not thread-safe; each belongs to one copy.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "client/cli/paths.h"
#include "common/status.h"

namespace cairn::cli {

// As stat(2), following links.
absl::StatusOr<struct stat> StatLocal(const std::string& path);
int64_t ModifiedMs(const struct stat& info);
int64_t AccessedMs(const struct stat& info);

// What is there now, for PlaceInTarget.
absl::StatusOr<Target> LocalTargetOf(std::string_view operand);
// The name that a copy of `path` gets: its last component, and for "." and ".." that of the
// directory they stand for. Empty for "/".
std::string LocalName(const std::string& path);

class LocalSource {
 public:
  // A regular file, a pipe or a device; "-" is standard input.
  static absl::StatusOr<std::unique_ptr<LocalSource>> Open(const std::string& path);
  ~LocalSource();
  LocalSource(const LocalSource&) = delete;
  LocalSource& operator=(const LocalSource&) = delete;

  // Fills `out`; fewer bytes only at the end.
  absl::StatusOr<size_t> Read(std::span<char> out);
  // Of a regular file: the same, `offset` bytes behind where it was when it was opened (standard
  // input may be within it), and how many bytes it had from there on. Thread-safe.
  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) const;
  uint64_t length() const;
  int fd() const { return fd_; }
  const struct stat& info() const { return info_; }
  bool is_regular() const { return S_ISREG(info_.st_mode); }

 private:
  LocalSource(int fd, bool owned, const struct stat& info, uint64_t begin)
      : fd_(fd), owned_(owned), info_(info), begin_(begin) {}

  const int fd_;
  const bool owned_;
  const struct stat info_;
  const uint64_t begin_;
};

struct LocalTargetOptions {
  bool overwrite = false;
  std::optional<uint32_t> mode;  // else 0666 less the umask
  int64_t mtime_ms = -1;         // -1: now
  int64_t atime_ms = -1;
};

class LocalTarget {
 public:
  // Opens a temporary file beside `path`. "File exists" where it does, unless `overwrite`; a pipe
  // or a device is written to as it is.
  static absl::StatusOr<std::unique_ptr<LocalTarget>> Create(const std::string& path,
                                                             const LocalTargetOptions& options);
  ~LocalTarget();  // removes the temporary file unless it was committed
  LocalTarget(const LocalTarget&) = delete;
  LocalTarget& operator=(const LocalTarget&) = delete;

  // A new file, which takes bytes in any order: not a pipe or a device.
  bool takes_any_order() const { return !temporary_.empty(); }
  absl::Status Write(std::string_view data);
  // As pwrite(2). Thread-safe.
  absl::Status WriteAt(uint64_t offset, std::string_view data);
  // Makes it durable and gives it its name.
  absl::Status Commit();

 private:
  LocalTarget(std::string path, LocalTargetOptions options)
      : path_(std::move(path)), options_(options) {}
  absl::Status SetAttributes();
  absl::Status Publish();

  const std::string path_;
  const LocalTargetOptions options_;
  std::string temporary_;  // empty: writes to path_ itself
  int fd_ = -1;
};

// Times and mode of a directory, after everything in it was written.
absl::Status SetLocalAttributes(const std::string& path, uint32_t mode, int64_t mtime_ms,
                                int64_t atime_ms);

}  // namespace cairn::cli
