// The operating system's files, injected so that tests can crash, tear, fill and fail them.
//
// Everything that Cairn keeps on disk goes through an Env; the posix one is used by the programs,
// the fault Env (tests/support) by the crash tests. All calls are blocking. Paths are the operating
// system's. Errors carry the path and strerror in their message (ErrnoStatus). Thread-safe; a File
// is safe for concurrent reads and for writes to ranges that do not overlap.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace cairn {

class File {
 public:
  virtual ~File() = default;  // closes

  // Reads up to out.size() bytes at `offset`; fewer only at the end of the file. Returns the bytes
  // read.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) = 0;
  // Writes all of `data` at `offset` (grows the file as needed).
  virtual absl::Status WriteAt(uint64_t offset, std::string_view data) = 0;
  // Writes the pieces one after another from `offset`, in one system call where possible.
  virtual absl::Status WriteVAt(uint64_t offset, std::span<const std::string_view> pieces) = 0;
  // Makes data and size durable (fdatasync).
  virtual absl::Status Sync() = 0;
  // Makes all files and folders of the file system that this file is on durable (syncfs). Fails,
  // too, when a write to that file system has failed since this file was opened (Linux 5.8 and
  // later).
  virtual absl::Status SyncFileSystem() = 0;
  // Reserves disk space for [0, bytes). With keep_size the file's size stays (FALLOC_FL_KEEP_SIZE),
  // else it becomes at least `bytes`, zero-filled. A file system without fallocate is not an error;
  // a full disk is (kNoSpace).
  virtual absl::Status Preallocate(uint64_t bytes, bool keep_size) = 0;
  virtual absl::Status Truncate(uint64_t bytes) = 0;
  virtual absl::StatusOr<uint64_t> Size() = 0;
  // Starts write-back of [offset, offset+bytes) without waiting (sync_file_range); a hint.
  virtual void StartWriteback(uint64_t offset, uint64_t bytes) {}
  // Takes what is clean of it out of the page cache (POSIX_FADV_DONTNEED); a hint.
  virtual void DropFromCache() {}
  // The file descriptor, or -1 where there is none.
  virtual int fd() const { return -1; }
};

// Of direct writes and reads: offset, size and memory are multiples of it.
inline constexpr size_t kDirectAlignment = 4096;

enum class OpenMode {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // read-write, must not exist (O_EXCL)
  kTruncate,   // read-write, created or emptied
  // Read-write past the page cache (O_DIRECT), must exist. UNIMPLEMENTED where the file system has
  // none, or is in memory and needs none; a write that it does not take either.
  kDirect,
};

// An exclusive lock on a file (flock); released when destroyed or when the process ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct DiskSpace {
  uint64_t capacity_bytes = 0;
  uint64_t free_bytes = 0;  // available to this user
};

class Env {
 public:
  virtual ~Env() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  // Whole small files (VERSION, ready files). Fails over 64 MiB.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path) = 0;
  // Replaces `path` atomically and durably: tmp file, fdatasync, rename, fsync of the directory.
  virtual absl::Status WriteFileAtomically(const std::string& path, std::string_view content) = 0;

  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;  // replaces
  virtual absl::Status Remove(const std::string& path) = 0;                         // a file
  virtual absl::Status RemoveDir(const std::string& path) = 0;                      // an empty one
  virtual absl::Status CreateDirs(
      const std::string& path) = 0;  // with parents, each made durable; fine if there
  virtual absl::Status SyncDir(const std::string& path) = 0;
  virtual absl::StatusOr<std::vector<std::string>> List(
      const std::string& dir) = 0;  // names, sorted
  virtual absl::StatusOr<bool> Exists(const std::string& path) = 0;
  virtual absl::StatusOr<DiskSpace> Space(const std::string& path) = 0;
  // Fails with FAILED_PRECONDITION when another process (or this one) holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

std::unique_ptr<Env> NewPosixEnv();

}  // namespace cairn
