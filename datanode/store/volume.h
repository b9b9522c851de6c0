// One data directory: where its files are, how much room it has, whether it works.
//
// Why: space that is promised to open writes must be counted until they close, and a disk that
// fails must stop being used at once without taking the others along. A Volume knows files and
// numbers, not the replicas' states (replica_store.h). Thread-safe. Used by the store alone.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "datanode/store/replica.h"

namespace cairn::datanode {

class Volume;

// Room for one open write, given back when this is destroyed. `allocated` bytes of it are already
// taken from the disk (and so from the free space that the system states). Of one thread.
class SpacePromise {
 public:
  SpacePromise(Volume* volume, uint64_t bytes) : volume_(volume), bytes_(bytes) {}
  ~SpacePromise();
  SpacePromise(const SpacePromise&) = delete;
  SpacePromise& operator=(const SpacePromise&) = delete;

  void SetAllocated(uint64_t bytes);

 private:
  Volume* const volume_;
  const uint64_t bytes_;
  uint64_t allocated_ = 0;
};

// Files of one block as a scan found them.
struct FoundReplica {
  Block block;
  bool bad = false;
  std::string reason;  // when bad
};

class Volume {
 public:
  struct Limits {
    uint64_t capacity_bytes = 0;  // 0: the disk's
    uint64_t reserved_bytes = 0;  // of the disk, kept free for others
  };

  // `current_path` is the data directory's current/.
  Volume(Env* env, size_t index, std::string path, std::string storage_id, Limits limits);
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  size_t index() const { return index_; }
  const std::string& path() const { return path_; }
  const std::string& storage_id() const { return storage_id_; }

  // Files. Generation and id are in decimal; replicas are spread over 32 x 32 folders.
  std::string RbwDir() const;
  std::string RbwData(const Block& block) const;
  std::string RbwChecksums(const Block& block) const;
  std::string FinalizedDir(BlockId id) const;
  std::string FinalizedData(BlockId id) const;
  std::string FinalizedChecksums(const Block& block) const;
  std::string BadChecksums(const Block& block) const;  // the mark of a bad replica
  std::string HighestFile() const;

  // Makes the folders and removes what was being written when the last run ended: it was never
  // acknowledged as durable.
  absl::Status Prepare();
  // Makes FinalizedDir(id) and sees to it that it outlives a power cut, also when another thread,
  // or a run that ended early, made it and did not get as far as that.
  absl::Status PrepareFinalizedDir(BlockId id) ABSL_LOCKS_EXCLUDED(mu_);
  // Finds all replicas under finalized/. Removes checksum files without data (a cut creation or
  // deletion); names that are none of ours are logged and left alone.
  absl::StatusOr<std::vector<FoundReplica>> Scan();
  // Removes a replica's files, data first, so that a cut leaves no data without checksums. Files
  // that are not there are fine.
  absl::Status RemoveFinalized(const Block& block);
  absl::Status RemoveRbw(const Block& block);

  // Promises room to an open write; null when less than `bytes` remain.
  std::unique_ptr<SpacePromise> Promise(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  void AddUsed(uint64_t length) ABSL_LOCKS_EXCLUDED(mu_);  // a replica of `length` bytes
  void SubtractUsed(uint64_t length) ABSL_LOCKS_EXCLUDED(mu_);
  void AddFinalized(int64_t count) ABSL_LOCKS_EXCLUDED(mu_);

  VolumeInfo Info() ABSL_LOCKS_EXCLUDED(mu_);
  bool failed() const ABSL_LOCKS_EXCLUDED(mu_);
  // Takes the volume out of use for good, unless `status` only says that something is exhausted
  // (disk space, file descriptors). Returns `status`.
  absl::Status NoteWriteFailure(absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  // Takes the volume out of use for good, whatever the reason.
  void Fail(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class SpacePromise;
  void ReturnPromise(uint64_t bytes, uint64_t allocated) ABSL_LOCKS_EXCLUDED(mu_);
  void AddAllocated(int64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  uint64_t RemainingLocked(const DiskSpace& disk) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ScanFolder(const std::string& folder, std::vector<FoundReplica>* found);
  FoundReplica Examine(BlockId id, const std::vector<GenerationStamp>& checksums,
                       const std::vector<GenerationStamp>& marks);
  absl::StatusOr<uint64_t> CheckLengths(const Block& block);

  Env* const env_;
  const size_t index_;
  const std::string path_;
  const std::string current_;
  const std::string storage_id_;
  const Limits limits_;

  mutable Mutex mu_;
  uint64_t used_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t finalized_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t promised_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t allocated_ ABSL_GUARDED_BY(mu_) = 0;  // of the promised: already on the disk
  DiskSpace last_space_ ABSL_GUARDED_BY(mu_);
  bool failed_ ABSL_GUARDED_BY(mu_) = false;
  // Folders of replicas whose names this run has made durable, by place among the 32 x 32.
  std::bitset<1024> durable_folders_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
