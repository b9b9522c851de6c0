// A file system in memory that loses power, tears writes, fills up and fails on demand.
//
// Why: what a crash leaves is the part of a storage system that is hardest to meet by chance. Here
// it is deterministic. Every file knows what was synced, every folder which of its changes were:
//   - a write counts after the file's Sync; creating, renaming and removing count after the
//     folder's SyncDir (changes of folders reach the disk in their order, as on ext4 and xfs, so a
//     SyncDir also takes along what happened before). CreateDirs and RemoveDir count at once.
//   - Crash drops everything else, or with a seed keeps a random part of it: any 512-byte sector of
//     an unsynced write, any prefix of the unsynced changes of folders.
//   - a write to a disk that gets full writes what fits.
//   - a direct write (OpenMode::kDirect) reaches the disk by itself, but counts after a Sync too,
//   as
//     the disk's own memory and the file's size do. One that is not aligned fails, and so does one
//     over bytes that were written through the page cache and not synced: Linux would bring both
//     together, or fail when a reader comes between, so nobody is to rely on it.
//   - SyncFileSystem takes along everything. One that fails does nothing: whoever calls it must not
//     go on with the disk.
//   - a Sync that fails loses what it was to write, as Linux does: a later one that succeeds does
//     not bring it back.
// Thread-safe. Used by tests alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "common/mutex.h"

namespace cairn {

enum class FaultOp {
  kOpen,
  kRead,
  kWrite,
  kSync,
  kSyncFileSystem,
  kPreallocate,
  kTruncate,
  kRename,
  kRemove,
  kSyncDir,
  kList
};

class FaultEnv final : public Env {
 public:
  FaultEnv();
  ~FaultEnv() override;

  // --- Faults ---
  // Asked before every operation; what it returns other than OK is the operation's result, and
  // nothing is done. It must not call the Env. Empty: none.
  using Hook = std::function<absl::Status(FaultOp op, const std::string& path)>;
  void SetHook(Hook hook);
  // Operations that change something, so far: writes, syncs, renames, ...
  uint64_t changes() const;
  // The power goes after `changes` more of these: every operation after that fails, until Crash.
  void CutPowerAfter(uint64_t changes);
  // Loses what is not synced, and closes: files opened and locks taken before are dead. With a
  // seed, a random part of it survives.
  void Crash(std::optional<uint32_t> keep_some_by_seed = std::nullopt);
  // The process is killed: nothing is lost, but files opened and locks taken before are dead.
  void Kill();
  // All files together may take this much (with preallocation); then the disk is full.
  void SetCapacity(uint64_t bytes);
  // Whether its file system has direct writes (it does).
  void SetDirect(bool has_direct);
  // Direct writes that succeeded.
  uint64_t direct_writes() const;
  // Flips bits of a byte that is on the disk.
  void Flip(const std::string& path, uint64_t offset, uint8_t mask);

  // --- Env ---
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  absl::StatusOr<std::string> ReadFile(const std::string& path) override;
  absl::Status WriteFileAtomically(const std::string& path, std::string_view content) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveDir(const std::string& path) override;
  absl::Status CreateDirs(const std::string& path) override;
  absl::Status SyncDir(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override;
  absl::StatusOr<bool> Exists(const std::string& path) override;
  absl::StatusOr<DiskSpace> Space(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  class MemoryFile;
  class MemoryLock;

  // A change of a file that is not synced yet: a write, or with `resize` a new size.
  struct Change {
    uint64_t offset = 0;
    std::string bytes;
    bool resize = false;
    bool direct = false;
  };
  struct INode {
    std::string data;     // what readers see
    std::string durable;  // what was synced
    std::vector<Change> unsynced;
    uint64_t reserved = 0;  // preallocated
    uint64_t used() const { return std::max<uint64_t>(data.size(), reserved); }
  };
  using INodePtr = std::shared_ptr<INode>;
  using Names = std::map<std::string, INodePtr>;  // path -> file
  // A change of folders that is not synced yet: `path` goes, or becomes `inode`, or moves to `to`.
  struct DirChange {
    std::string path;
    std::string to;
    INodePtr inode;
  };

  static void Apply(const DirChange& change, Names& names);
  static void Apply(const Change& change, std::string& data);
  static void KeepSome(const Change& change, uint32_t* random, std::string& data);
  absl::Status Begin(FaultOp op, const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<INodePtr> Find(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ChangeDir(DirChange change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // How far the file can grow before the disk is full.
  uint64_t FitsUpTo(const INode& inode) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool PowerIsOff() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return power_until_ && changes_ >= *power_until_;
  }
  uint64_t UsedBytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  Hook hook_ ABSL_GUARDED_BY(mu_);
  uint64_t life_ ABSL_GUARDED_BY(mu_) = 0;  // crashes so far
  uint64_t changes_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<uint64_t> power_until_ ABSL_GUARDED_BY(mu_);  // a value of changes_
  uint64_t capacity_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> dirs_ ABSL_GUARDED_BY(mu_);
  Names names_ ABSL_GUARDED_BY(mu_);
  Names durable_names_ ABSL_GUARDED_BY(mu_);
  std::vector<DirChange> unsynced_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> locked_ ABSL_GUARDED_BY(mu_);
  bool has_direct_ ABSL_GUARDED_BY(mu_) = true;
  uint64_t direct_writes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace cairn
