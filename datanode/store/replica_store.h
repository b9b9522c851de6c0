// All replicas of this DataNode, over its data directories.
//
// Why: whether a replica is whole, being written, bad or going away is decided here and nowhere
// else, in memory and on disk (docs/formats/replica.md). A node has one replica of a block at most.
// Operations that change its files take turns: its writer, or one operation at a time that has
// claimed it (replica_map.h); a lock is never held across I/O. Thread-safe. Used by the pipeline,
// the control sessions and the services.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "datanode/store/replica.h"
#include "datanode/store/small_log.h"

namespace cairn {
class Clock;
class DataDir;
}  // namespace cairn

namespace cairn::datanode {

class AlignedBuffers;
class OpenFiles;
class OpenReplica;
class ReplicaClaim;
class ReplicaMap;
class ReplicaReader;
class ReplicaWriter;
class SlowDisks;
class SpacePromise;
class Volume;
enum class Place;
struct DataWriting;
struct FilesOfBlock;
struct FoundReplica;
struct Replica;

class ReplicaStore {
 public:
  struct Options {
    std::vector<std::string> data_dirs;
    uint64_t capacity_bytes = 0;        // of each data directory; 0: the disk's
    uint64_t reserved_bytes = 1 << 30;  // of each disk
    int failed_volumes_tolerated = -1;  // -1: all but one
    DiskWrites disk_writes = DiskWrites::kAuto;
    // Replicas of at most that many bytes (up to kMaxSmallReplicaBytes) become durable in a log of
    // their volume; 0: none.
    uint64_t small_replica_max_bytes = 0;
    uint64_t small_log_segment_bytes = 16 << 20;
    size_t small_log_segments = 16;  // the most of them, of each volume
  };

  // Takes the data directories and loads what they hold. Fails with a clear message on a directory
  // of another node or cluster, in use, damaged, or of another layout; a disk that fails is left
  // out as long as that many are tolerated.
  static absl::StatusOr<std::unique_ptr<ReplicaStore>> Open(Env* env, Options options);
  ~ReplicaStore();

  // This node's UUID: from VERSION, or a new one that AdoptCluster will write.
  const std::string& node_id() const { return node_id_; }
  // Empty until the node has joined a cluster.
  std::string cluster_id() const ABSL_LOCKS_EXCLUDED(mu_);
  // Formats new directories for this cluster; refuses (FAILED_PRECONDITION) when any belongs to
  // another one.
  absl::Status AdoptCluster(const std::string& cluster_id) ABSL_LOCKS_EXCLUDED(mu_);

  // Set before anything else happens to replicas; null: nobody.
  void SetObserver(ReplicaObserver* observer) { observer_.store(observer); }

  // --- writing (replica_create.cc, replica_reopen.cc) ---
  // Starts a client's replica of at most block.length bytes on the volume with the most room.
  // ALREADY_EXISTS when this node has one; kNoSpace when no volume has room. In the place of a bad
  // replica that was finalized a new one may be written: the bad one goes when it is whole. A
  // replica on a failed volume is as good as none.
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> Create(const Block& block);
  // The same for a copy of block.length bytes, of which nothing stays unless it is finalized. It
  // also takes the place of any bad replica, and of one with an older generation and no writer.
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> CreateCopy(const Block& block);
  // The same for the first block.length bytes of an open replica, for a node that joins its
  // pipeline; once sealed it stays open. It also takes the place of an open replica of this
  // generation without a writer.
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> CreateJoin(const Block& block);
  // Goes on with the replica that is here, open without a writer or finalized, which takes
  // block.generation, durably; block.length is the most that it may get. `min_length`: what all
  // members of the pipeline have acknowledged. NOT_FOUND when there is none, UNAVAILABLE when it
  // has a writer, FAILED_PRECONDITION with kStaleReplica when its generation is below
  // from_generation or not below the new one, when it is too short, or when a block recovery with
  // that or a higher stamp has begun.
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> Reopen(const Block& block,
                                                        GenerationStamp from_generation,
                                                        uint64_t min_length);
  // Until the block's replica has no writer (whose stream the caller has cancelled): false when
  // `timeout_ms` have passed.
  bool WaitForWriter(BlockId id, int64_t timeout_ms);
  // Makes durable what was finalized for later, and tells the observer; and the files of replicas
  // that only a log has. To be called every second, and when `wake` is.
  void SyncPending() ABSL_LOCKS_EXCLUDED(pending_mu_);

  // Of what calls SyncPending; set before anything is written.
  void SetSyncWaker(std::function<void()> wake) { wake_sync_ = std::move(wake); }
  // Of each volume with a log of small replicas.
  struct SmallLogInfo {
    std::string path;
    SmallLogStats stats;
    uint64_t replayed = 0;  // replicas that the start wrote again
  };
  std::vector<SmallLogInfo> SmallLogs();

  // --- reading (replica_read.cc) ---
  // A replica of at least block.generation of which at least block.length bytes may be read; of an
  // open one more than what its pipeline has acknowledged as far as the caller names it: then it
  // knows of it. NOT_FOUND when there is none or too little, FAILED_PRECONDITION with kStaleReplica
  // when it is older, DATA_LOSS with kChecksum when it is bad.
  absl::StatusOr<std::unique_ptr<ReplicaReader>> OpenReader(const Block& block,
                                                            ReadAs as = ReadAs::kVisible);
  // How much of a block may be read here; errors as above. UNAVAILABLE for an open replica that a
  // start found and that is not settled yet: nobody here knows what its pipeline acknowledged.
  absl::StatusOr<ReadableReplica> GetReplica(const Block& block);
  // CRC32C of the block's first block.length bytes, from the stored checksums.
  absl::StatusOr<uint32_t> Checksum(const Block& block);
  // Checks the replica of at least this generation against its checksums. A bad one is marked, on
  // disk too, and the observer told; it stays, never to be read (one that is being written: as soon
  // as its writer leaves, whose next call fails). Returns whether it is good; NOT_FOUND when it is
  // not here.
  absl::StatusOr<bool> Verify(const Block& block);
  // The same where the failure of a read casts doubt on the replica: its files are damaged, cut,
  // unreadable or gone.
  void VerifyIfDoubtful(const Block& block, const absl::Status& failure);

  // --- block recovery (replica_recovery.cc) ---
  // What is here of a block that is to be settled under the stamp `recovery`; from now on only
  // higher stamps reopen it. UNAVAILABLE when it has a writer (to be cancelled before);
  // FAILED_PRECONDITION with kStaleReplica when a recovery with that or a higher stamp has begun,
  // or the replica has such a stamp.
  absl::StatusOr<RecoveryAnswer> StartRecovery(const Block& block, GenerationStamp recovery);
  // `block` is the replica as StartRecovery told of it, its length the agreed one, at most the
  // replica's. Cuts it to that, stamps it, makes it durable and finalized. Doing it again is fine.
  // Returns the volume. FAILED_PRECONDITION with kStaleReplica when the replica is not that one any
  // more or a later recovery has begun; NOT_FOUND when it is gone.
  absl::StatusOr<size_t> FinishRecovery(const Block& block, GenerationStamp recovery);

  // --- deletion (replica_deletion.cc) ---
  // Deletes exactly the replica of this id and generation, whatever its state; a replica that is
  // being written goes when its writer notices. NOT_FOUND when it is not here.
  absl::Status Delete(const Block& block);
  // The same in two steps, for deletions that wait for their turn: from the mark on, the replicas
  // are neither served nor reported, so that nobody counts on what is about to go. Returns those
  // that were marked: not what is not here, nor what is marked already.
  std::vector<Block> MarkDeleting(const std::vector<Block>& blocks);
  // Removes what was marked. NOT_FOUND when no replica of this id and generation is marked. After
  // another error on a disk that works, the mark is taken back.
  absl::Status RemoveMarked(const Block& block);
  // Takes the marks back; the observer is told of the good replicas as if they were new.
  void UnmarkDeleting(const std::vector<Block>& blocks);
  bool IsDeleting(const Block& block);

  // --- memory and disk (replica_reconcile.cc) ---
  // Whether the replicas of this volume are loaded and its disk works.
  bool InUse(size_t volume) const;
  // f(block) for every replica of a volume that is finalized and durable, and that nobody changes
  // or removes at the moment. Called under a lock: it must be quick and must not call the store.
  void ForEachFinalized(size_t volume, const std::function<void(const Block&)>& f);
  // Compares one of the folders of a volume's finalized replicas with `known`, which
  // ForEachFinalized told of this folder. Changes nothing; what it finds is to be looked at again
  // by what follows.
  absl::StatusOr<FolderDifferences> CompareFolder(size_t volume, size_t folder,
                                                  const std::vector<Block>& known);
  // Forgets a finalized replica if its data file is not there any more, and tells the observer.
  // Returns whether that was so; NOT_FOUND when there is no such replica, or it is being changed.
  absl::StatusOr<bool> DropVanished(const Block& block);
  // Takes in a replica that somebody has put under finalized/: all its bytes are verified and made
  // durable, then the observer is told. ALREADY_EXISTS when the block has a replica in memory;
  // DATA_LOSS when it is not whole. After an error its files are left alone.
  absl::Status AddFound(size_t volume, const Block& block);
  // How far the scrubber has come on this volume, in bytes of its own; NOT_FOUND: nothing is known.
  absl::StatusOr<std::string> ReadScanFile(size_t volume);
  absl::Status WriteScanFile(size_t volume, std::string_view bytes);

  // --- volumes that come and go (replica_volumes.cc) ---
  // Takes the directory in while the node runs: opened or formatted as at the start, its replicas
  // loaded. It gets new ones once StartUsing names it. Refused, with nothing changed: a directory
  // that is in use, lies within another one or around it (ALREADY_EXISTS), or belongs to another
  // cluster or node, or is the copy of one that is here (FAILED_PRECONDITION). UNAVAILABLE while
  // another change is under way.
  absl::StatusOr<VolumeInfo> AddVolume(const std::string& path);
  // The NameNode has given numbers to these volumes (VolumeInfo::index).
  void StartUsing(const std::vector<VolumeInfo>& volumes);
  struct RemovedVolume {
    VolumeInfo info;        // as it was
    uint64_t replicas = 0;  // that this node has no more, open and bad ones among them
  };
  // Takes a volume out of use while the node runs: its replicas are forgotten, its files stay, its
  // lock is released. `name`: its path or storage id. `cancel_write` must end the stream that
  // writes the block; it is called again until that has ended.
  // NOT_FOUND; FAILED_PRECONDITION when no other volume works, or when a replica is being written
  // and not `force`, with nothing changed; UNAVAILABLE while another change is under way, or when
  // something on its disk does not end: then it has failed, and is to be removed again.
  absl::StatusOr<RemovedVolume> RemoveVolume(const std::string& name, bool force,
                                             const std::function<void(const Block&)>& cancel_write);

  // --- what there is ---
  std::vector<VolumeInfo> Volumes() const;
  // Compares the disks with each other (disk_meter.h); one that is slow is the last to get new
  // replicas. Called by one thread, every few seconds.
  void JudgeDisks(int64_t steady_ms);
  // Finalized and open replicas of a volume; none when it failed. One that is finalized and not yet
  // durable is open here.
  std::vector<ReplicaInfo> Replicas(size_t volume);
  std::vector<ReplicaInfo> BadReplicas();

  HighestSeen highest() const;
  // Keeps `epoch` on disk if it is the highest so far. Returns FAILED_PRECONDITION when a higher
  // one has been seen: who sent it is not to be obeyed.
  absl::Status NoteEpoch(uint64_t epoch) ABSL_LOCKS_EXCLUDED(mu_);
  // What was known when the NameNode was last heard of, kept on disk from the moment when it does
  // not answer until it does again: what comes after that tells nothing of its journal.
  absl::Status NoteContactLost(const HighestSeen& known) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status NoteContact() ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<HighestSeen> lost_contact() const ABSL_LOCKS_EXCLUDED(mu_);
  // Fails when more volumes failed than are tolerated: the node cannot go on.
  absl::Status CheckVolumes() const;

 private:
  friend class ReplicaWriter;

  // What a writer asks for and tells of (replica_create.cc). Its entry is in the map.
  absl::Status CheckWriter(const ReplicaWriter& writer);
  absl::Status CheckWhole(const ReplicaWriter& writer);
  bool IsCopy(BlockId id);
  absl::Status NameDurably(ReplicaWriter* writer);
  absl::Status FinalizeWritten(ReplicaWriter* writer, Durability durability);
  absl::Status SealWritten(ReplicaWriter* writer);
  void LeaveWritten(ReplicaWriter* writer);
  absl::Status MoveWritten(ReplicaWriter* writer, Place to);
  absl::Status RemoveReplaced(BlockId id);
  void RemoveOwned(BlockId id);
  Replica SetBusy(BlockId id, bool busy);

  // The logs of small replicas (replica_small.cc).
  void MakeSmallLog(Volume* volume);
  absl::Status ReplaySmall(Volume* volume);
  absl::StatusOr<SmallLog::Ticket> LogSmall(ReplicaWriter* writer);
  absl::StatusOr<SmallRecord> ReadSmall(const Replica& replica);
  absl::Status RetireLog(Volume* volume, bool all);
  void RetireLogs();
  void NameSettled(uint64_t sequence, const Block& block);
  absl::Status ForgetRecord(const Replica& replica);
  void CloseLogs();

  ReplicaStore(Env* env, Options options);
  absl::Status OpenDirs();
  absl::Status CheckIdentity(const DataDir& dir);
  void FormatDirs(const std::string& cluster_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status FormatDir(Volume* volume, const std::string& cluster_id);
  absl::Status LoadVolumes();
  absl::StatusOr<std::vector<FoundReplica>> ScanVolume(Volume* volume, bool at_start);
  void LearnDirectWrites(Volume* volume);
  void TakeReplicas(Volume* volume, const std::vector<FoundReplica>& found);
  void LoadReplica(Replica loaded);
  absl::Status LoadHighest(Volume* volume, bool at_start) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status SaveHighest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteSeen(const Block& block);
  absl::Status CheckReady() const;
  absl::StatusOr<std::unique_ptr<SpacePromise>> ChooseVolume(uint64_t bytes, Volume** chosen);
  // `may_replace`: whether a new replica may take the place of one that is not bad.
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> CreateIn(
      const Block& block, Place place, const std::function<bool(const Replica&)>& may_replace);
  DataWriting WritingTo(Volume& volume);
  absl::Status Enter(Replica fresh, const std::function<bool(const Replica&)>& may_replace);
  bool ManyPending() ABSL_LOCKS_EXCLUDED(pending_mu_);
  void AddPending(const Block& block) ABSL_LOCKS_EXCLUDED(pending_mu_);
  bool SyncOnePending(const Block& block);
  absl::Status NoteFailure(ReplicaClaim* claim, absl::Status status, bool lost);
  absl::Status MakeDurable(ReplicaClaim* claim);
  using LimitOf = std::function<absl::StatusOr<uint64_t>(const Replica&)>;
  absl::StatusOr<std::unique_ptr<ReplicaReader>> OpenAs(const Block& block,
                                                        const LimitOf& limit_of);
  absl::StatusOr<std::unique_ptr<ReplicaReader>> OpenFilesOf(const Replica& replica,
                                                             uint64_t limit);
  absl::Status CheckAllChunks(ReplicaReader& reader);
  absl::Status CheckOptimistically(const Block& block);
  void MarkBad(ReplicaClaim* claim, const absl::Status& why);
  absl::Status Settle(ReplicaClaim* claim, const Block& settled);
  absl::Status SettleOpen(ReplicaClaim* claim, const Block& settled);
  absl::Status ReplaceByShorter(ReplicaClaim* claim, const Block& settled);
  std::vector<Volume*> CurrentVolumes() const ABSL_LOCKS_EXCLUDED(volumes_mu_);
  void EnterVolume(std::unique_ptr<Volume> volume) ABSL_LOCKS_EXCLUDED(volumes_mu_);
  std::unique_ptr<Volume> MakeVolume(size_t index, const std::string& path,
                                     std::unique_ptr<DataDir> dir);
  // Of volumes that come and go (replica_volumes.cc).
  using CancelFn = std::function<void(const Block&)>;
  class Change;
  absl::Status CheckPlace(const std::string& path) const ABSL_LOCKS_EXCLUDED(volumes_mu_);
  absl::StatusOr<Volume*> FindRemovable(const std::string& name) ABSL_LOCKS_EXCLUDED(volumes_mu_);
  absl::StatusOr<uint64_t> TakeOut(Volume* volume, bool force, const CancelFn& cancel_write);
  absl::Status CheckNotWritten(Volume* volume);
  uint64_t ForgetReplicas(const Volume* volume, std::vector<Block>* written,
                          std::optional<BlockId>* owned);
  absl::StatusOr<uint64_t> ForgetAll(Volume* volume, const CancelFn& cancel_write);
  bool DropMissing(const std::string& path) ABSL_LOCKS_EXCLUDED(volumes_mu_);
  Volume* FindVolume(size_t index) const;
  absl::StatusOr<Volume*> FindUsable(size_t index) const;
  absl::StatusOr<uint64_t> DataBytes(const Volume& volume, BlockId id);
  absl::Status JudgeKnown(const Volume& volume, const Block& block, const FilesOfBlock& files,
                          FolderDifferences* out);
  absl::Status JudgeUnknown(Volume& volume, BlockId id, const FilesOfBlock& files,
                            FolderDifferences* out);
  absl::Status CheckFound(Volume& volume, const Replica& found);
  absl::Status SyncFound(Volume& volume, const Replica& found);
  absl::Status CheckIsMounted(Volume& volume);
  bool MarkOne(const Block& block);
  bool TakeBack(Replica* replica);
  void Notify(void (ReplicaObserver::*event)(size_t, const Block&), const Volume& volume,
              const Block& block);

  Env* const env_;
  const Options options_;
  std::string node_id_;
  std::atomic<ReplicaObserver*> observer_ = nullptr;
  const std::unique_ptr<AlignedBuffers> direct_buffers_;
  const std::unique_ptr<ReplicaMap> replicas_;
  std::function<void()> wake_sync_;
  std::unique_ptr<SlowDisks> slow_disks_;  // of the thread that judges
  std::atomic<bool> ready_ = false;        // the cluster is known, replicas are loaded
  std::atomic<uint64_t> next_volume_ = 0;
  std::atomic<BlockId> highest_block_id_ = 0;
  std::atomic<GenerationStamp> highest_generation_ = 0;
  std::atomic<uint64_t> highest_epoch_ = 0;
  std::optional<HighestSeen> lost_contact_ ABSL_GUARDED_BY(mu_);

  mutable Mutex volumes_mu_;
  // Also those that were removed: who was at one of their replicas may still look at it.
  std::vector<std::unique_ptr<Volume>> all_volumes_ ABSL_GUARDED_BY(volumes_mu_);
  std::vector<Volume*> volumes_ ABSL_GUARDED_BY(volumes_mu_);  // by index
  // Of --data-dir, could not be opened at the start, and neither added nor removed since.
  std::vector<std::string> missing_ ABSL_GUARDED_BY(volumes_mu_);
  size_t next_index_ ABSL_GUARDED_BY(volumes_mu_) = 0;
  bool changing_ ABSL_GUARDED_BY(volumes_mu_) = false;  // a volume comes or goes

  mutable Mutex mu_;  // of identity and of the files beside the replicas
  std::string cluster_id_ ABSL_GUARDED_BY(mu_);

  Mutex pending_mu_;
  std::deque<Block> pending_ ABSL_GUARDED_BY(pending_mu_);  // finalized, to be made durable
};

}  // namespace cairn::datanode
