// One data directory: where its files are, how much room it has, whether it works.
//
// Why: space that is promised to open writes must be counted until they close, and a disk that
// fails, or is taken out, must stop being used at once without taking the others along. A Volume
// knows files and numbers, not the replicas' states (replica_store.h). Thread-safe, but for what is
// said to belong to whoever adds or removes it. Used by the store alone.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/data_dir.h"
#include "common/env.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "datanode/store/disk_meter.h"
#include "datanode/store/open_replica.h"
#include "datanode/store/replica.h"

namespace cairn::datanode {

class SmallLog;
class Volume;
struct FilesOfBlock;

// Room for one open write, given back when this is destroyed. `allocated` bytes of it are already
// taken from the disk (and so from the free space that the system states). Of one thread.
class SpacePromise {
 public:
  SpacePromise(Volume* volume, uint64_t bytes, uint64_t allocated = 0)
      : volume_(volume), bytes_(bytes), allocated_(allocated) {}
  ~SpacePromise();
  SpacePromise(const SpacePromise&) = delete;
  SpacePromise& operator=(const SpacePromise&) = delete;

  void SetAllocated(uint64_t bytes);

 private:
  Volume* const volume_;
  const uint64_t bytes_;
  uint64_t allocated_;
};

// Where the files of a replica are.
enum class Place {
  kRbw,        // rbw/: open, of a client's write
  kTmp,        // tmp/: a copy that is coming in; gone after a restart
  kFinalized,  // finalized/: whole and durable
  kUnsynced,   // finalized/: whole, to be synced; the checksum file's name says its length
};

// A replica as a scan found it.
struct FoundReplica {
  Block block;
  Place place = Place::kFinalized;
  bool bad = false;
  std::string reason;        // when bad
  OpenReplica::Extent kept;  // open: what is whole of it
  ChecksumSlot durable;      // open: the newest slot
};

class Volume {
 public:
  struct Limits {
    uint64_t capacity_bytes = 0;  // 0: the disk's
    uint64_t reserved_bytes = 0;  // of the disk, kept free for others
  };

  // `current_path` is the data directory's current/.
  Volume(Env* env, size_t index, std::string path, std::string storage_id, Limits limits);
  ~Volume();
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  size_t index() const { return index_; }
  const std::string& path() const { return path_; }
  const std::string& storage_id() const { return storage_id_; }
  // Its VERSION and its lock, held until they are released; null then. Of whoever adds or removes
  // the volume; the log of small replicas marks the layout in it.
  DataDir* dir() const { return dir_.get(); }
  void SetDir(std::unique_ptr<DataDir> dir) { dir_ = std::move(dir); }
  void ReleaseDir() { dir_.reset(); }
  // Whether its file system takes direct writes; set by the store's start.
  bool takes_direct_writes() const { return takes_direct_writes_.load(); }
  void SetTakesDirectWrites() { takes_direct_writes_.store(true); }

  // How its writes and syncs are measured, and what came of it; nullptr: it is not slow.
  DiskMeter& meter() { return meter_; }
  void SetSlow(const SlowDisks::Verdict* slow) ABSL_LOCKS_EXCLUDED(mu_);

  // Files. Generation and id are in decimal; finalized replicas are spread over 32 x 32 folders.
  std::string FolderOf(Place place, BlockId id) const;
  std::string DataFile(Place place, BlockId id) const;
  std::string ChecksumFile(Place place, const Block& block) const;  // kUnsynced: length as well
  std::string BadMark(Place place, const Block& block) const;  // the checksum file of a bad replica
  std::string HighestFile() const;
  std::string SmallLogFolder() const;
  std::string ScanFile() const;  // how far the scrubber has come

  // Makes the folders and removes the copies that were coming in when the last run ended.
  absl::Status Prepare();
  // Makes the folder of a finalized replica and sees to it that it outlives a power cut, also when
  // another thread, or a run that ended early, made it and did not get as far as that.
  absl::Status PrepareFinalizedDir(BlockId id) ABSL_LOCKS_EXCLUDED(mu_);
  // Finds all replicas, after Prepare. Open ones are verified and cut to what is whole of them;
  // moves between folders that were cut short are settled, and what was to be synced later is
  // synced or opened again. Removes checksum files without data (a cut creation or deletion); names
  // that are none of ours are logged and left alone.
  absl::StatusOr<std::vector<FoundReplica>> Scan();
  // Whether the checksum file of data under finalized/ that has block.length bytes is for those, by
  // its header and its size. DATA_LOSS with what is wrong.
  absl::Status CheckLengths(const Block& block);
  // Removes a replica's files, data first, so that a cut leaves no data without checksums. Files
  // that are not there are fine. An error when it is still there.
  absl::Status Remove(Place place, const Block& block);
  // Gives a replica's files other names, `to` being the block's and place's; with `durable`, for
  // good. After an error they have the old ones; a volume where that cannot be done fails.
  absl::Status Move(Place from, const Block& block, Place to, const Block& renamed, bool durable);
  // Puts the files of a shorter replica (in tmp/, synced) in the place of a finalized one, for
  // good. After an error the old one is there as before.
  absl::Status Replace(const Block& block, const Block& shorter);

  // Whether replicas may come, or go on: else nothing is promised. A volume that is added waits
  // until the NameNode has named it; one that is to go takes nothing any more. The latter returns
  // what was so before.
  void SetNamed(bool named) ABSL_LOCKS_EXCLUDED(mu_);
  bool SetTakesNew(bool takes_new) ABSL_LOCKS_EXCLUDED(mu_);
  // Promises that were not given back yet: of open writes, mostly.
  size_t promises() const ABSL_LOCKS_EXCLUDED(mu_);
  // Until there is none, at most `timeout_ms`.
  void WaitForPromises(int64_t timeout_ms) ABSL_LOCKS_EXCLUDED(mu_);

  // Promises room to an open write; null when less than `bytes` remain.
  std::unique_ptr<SpacePromise> Promise(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // The same for going on with a replica of `length` bytes, which are counted as used until now.
  std::unique_ptr<SpacePromise> PromiseMore(uint64_t bytes, uint64_t length)
      ABSL_LOCKS_EXCLUDED(mu_);
  void AddUsed(uint64_t length) ABSL_LOCKS_EXCLUDED(mu_);  // a replica of `length` bytes
  void SubtractUsed(uint64_t length) ABSL_LOCKS_EXCLUDED(mu_);
  void AddFinalized(int64_t count) ABSL_LOCKS_EXCLUDED(mu_);

  // The log of its small replicas; null: there is none. Set once, before anything is written.
  SmallLog* small_log() const { return small_log_.get(); }
  // Of it: replicas that the start, or the volume's addition, wrote again.
  uint64_t replayed() const { return replayed_.load(); }
  void SetReplayed(uint64_t replicas) { replayed_.store(replicas); }
  void SetSmallLog(std::unique_ptr<SmallLog> log);
  // Takes room for a segment of the log, which stays small beside what remains; false: there is
  // too little.
  bool TakeForLog(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  void GiveBackOfLog(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);

  VolumeInfo Info() ABSL_LOCKS_EXCLUDED(mu_);
  // Out of use: its disk failed, or it is being removed or was.
  bool failed() const ABSL_LOCKS_EXCLUDED(mu_);
  // Its disk failed.
  bool broken() const ABSL_LOCKS_EXCLUDED(mu_);
  // Takes the volume out of use for good without anything being wrong with it.
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);
  bool left() const ABSL_LOCKS_EXCLUDED(mu_);
  // Takes the volume out of use for good, unless `status` only says that something is exhausted
  // (disk space, file descriptors). Returns `status`.
  absl::Status NoteWriteFailure(absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  // Takes the volume out of use for good, whatever the reason.
  void Fail(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class SpacePromise;
  void ReturnPromise(uint64_t bytes, uint64_t allocated) ABSL_LOCKS_EXCLUDED(mu_);
  void AddAllocated(int64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether anything is promised at all.
  bool OpenLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !failed_ && !left_ && named_ && takes_new_;
  }
  uint64_t RemainingLocked(const DiskSpace& disk) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status NoteLeftOver(const Block& block, const absl::Status& removed);
  // Of the start (volume_scan.cc, rbw_scan.cc).
  absl::Status ScanRbw(std::vector<FoundReplica>* found);
  absl::Status SettleCutMove(BlockId id);
  absl::Status ExamineOpen(BlockId id, const FilesOfBlock& files, std::vector<FoundReplica>* found);
  absl::Status RemoveOpen(BlockId id, const FilesOfBlock& files);
  absl::StatusOr<FoundReplica> ProveOpen(Place place, const Block& block);
  absl::Status CutToKept(const FoundReplica& replica);
  absl::Status ScanFolder(const std::string& folder, std::vector<FoundReplica>* found);
  absl::Status ExamineWhole(BlockId id, const FilesOfBlock& files,
                            std::vector<FoundReplica>* found);
  absl::Status RemoveChecksums(const FilesOfBlock& files, const std::string& except);
  absl::Status ExamineUnsynced(const FilesOfBlock& files, std::vector<FoundReplica>* found);

  Env* const env_;
  const size_t index_;
  const std::string path_;
  const std::string current_;
  const std::string storage_id_;
  const Limits limits_;
  std::atomic<bool> takes_direct_writes_ = false;

  std::unique_ptr<DataDir> dir_;
  std::unique_ptr<SmallLog> small_log_;
  std::atomic<uint64_t> replayed_ = 0;
  DiskMeter meter_;

  mutable Mutex mu_;
  CondVar promise_returned_;
  size_t promises_ ABSL_GUARDED_BY(mu_) = 0;
  bool named_ ABSL_GUARDED_BY(mu_) = true;
  bool takes_new_ ABSL_GUARDED_BY(mu_) = true;
  bool left_ ABSL_GUARDED_BY(mu_) = false;
  SlowDisks::Verdict slow_ ABSL_GUARDED_BY(mu_);  // 0: it is not
  uint64_t log_bytes_ ABSL_GUARDED_BY(mu_) = 0;   // of the small-replica log's segments
  uint64_t used_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t finalized_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t promised_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t allocated_ ABSL_GUARDED_BY(mu_) = 0;  // of the promised: already on the disk
  DiskSpace last_space_ ABSL_GUARDED_BY(mu_);
  bool failed_ ABSL_GUARDED_BY(mu_) = false;
  // Folders of replicas whose names this run has made durable, by place among the 32 x 32.
  std::bitset<kFinalizedFolders> durable_folders_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
