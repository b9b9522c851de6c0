// All replicas of this DataNode, over its data directories.
//
// Why: whether a replica is whole, being written, bad or going away is decided here and nowhere
// else, in memory and on disk (docs/formats/replica.md). Replicas are named by (id, generation);
// only finalized ones are read, and only they are reported. Thread-safe; a lock is never held
// across I/O. Used by the pipeline, the control sessions and the services.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "datanode/store/replica.h"

namespace cairn {
class DataDir;
}

namespace cairn::datanode {

class ReplicaMap;
class ReplicaReader;
class ReplicaWriter;
class SpacePromise;
class Volume;

class ReplicaStore {
 public:
  struct Options {
    std::vector<std::string> data_dirs;
    uint64_t capacity_bytes = 0;        // of each data directory; 0: the disk's
    uint64_t reserved_bytes = 1 << 30;  // of each disk
    int failed_volumes_tolerated = -1;  // -1: all but one
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

  // Starts a replica of at most block.length bytes on the volume with the most room. ALREADY_EXISTS
  // when this node has a good one or one that is being written; kNoSpace when no volume has room.
  // In the place of a bad replica a new one may be written: the bad one goes when it is whole. A
  // replica on a failed volume is as good as none.
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> Create(const Block& block);
  // NOT_FOUND when there is no finalized replica of this id and generation of at least block.length
  // bytes; DATA_LOSS with kChecksum when it is bad.
  absl::StatusOr<std::unique_ptr<ReplicaReader>> OpenReader(const Block& block);
  // Checks the replica against its checksums. A bad one is marked, on disk too, and the observer
  // told; it stays, never to be read. Returns whether it is good; NOT_FOUND when it is not here.
  absl::StatusOr<bool> Verify(const Block& block);
  // Deletes exactly the replica of this id and generation, whatever its state; a replica that is
  // being written goes when its writer notices. NOT_FOUND when it is not here.
  absl::Status Delete(const Block& block);
  // The same in two steps, for deletions that wait for their turn: from the mark on, the replicas
  // are neither served nor reported, so that nobody counts on what is about to go. Returns those
  // that were marked: not what is not here, nor what is marked already.
  std::vector<Block> MarkDeleting(const std::vector<Block>& blocks);
  // Removes what was marked. NOT_FOUND when no replica of this id and generation is marked.
  absl::Status RemoveMarked(const Block& block);
  // Takes the marks back; the observer is told of the good replicas as if they were new.
  void UnmarkDeleting(const std::vector<Block>& blocks);
  bool IsDeleting(const Block& block);

  std::vector<VolumeInfo> Volumes();
  // Finalized and open replicas of a volume; none when it failed.
  std::vector<ReplicaInfo> Replicas(size_t volume);
  std::vector<ReplicaInfo> BadReplicas();

  HighestSeen highest() const;
  // Keeps `epoch` on disk if it is the highest so far. Returns FAILED_PRECONDITION when a higher
  // one has been seen: who sent it is not to be obeyed.
  absl::Status NoteEpoch(uint64_t epoch) ABSL_LOCKS_EXCLUDED(mu_);
  // Fails when more volumes failed than are tolerated: the node cannot go on.
  absl::Status CheckVolumes() const;

 private:
  friend class ReplicaWriter;
  // What a writer tells of its end.
  bool IsDeleteRequested(const Block& block);
  absl::Status RemoveReplaced(const Block& block);
  absl::Status FinishFinalize(const Block& block);
  void FinishAbort(const Block& block);

  ReplicaStore(Env* env, Options options);
  absl::Status OpenDirs();
  absl::Status CheckIdentity(const DataDir& dir);
  void FormatDirs(const std::string& cluster_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LoadVolumes();
  absl::Status LoadReplicas(Volume* volume);
  void LoadReplica(Volume* volume, const Block& block, ReplicaState state);
  absl::Status LoadHighest(Volume* volume);
  absl::Status SaveHighest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteSeen(const Block& block);
  absl::Status CheckReady() const;
  absl::StatusOr<std::unique_ptr<SpacePromise>> ChooseVolume(uint64_t bytes, Volume** chosen);
  absl::Status Enter(const Block& block, Volume* volume);
  bool MarkOne(const Block& block);
  absl::Status CheckAllChunks(const Block& block);
  void MarkBad(const Block& block, const absl::Status& why);
  void Notify(void (ReplicaObserver::*event)(size_t, const Block&), const Volume& volume,
              const Block& block);

  Env* const env_;
  const Options options_;
  std::string node_id_;
  std::vector<std::unique_ptr<DataDir>> dirs_;  // those that could be opened
  std::atomic<ReplicaObserver*> observer_ = nullptr;
  const std::unique_ptr<ReplicaMap> replicas_;
  std::vector<std::unique_ptr<Volume>> volumes_;  // in the order of dirs_, without failed ones
  std::atomic<bool> ready_ = false;               // the cluster is known, replicas are loaded
  std::atomic<uint64_t> next_volume_ = 0;
  std::atomic<BlockId> highest_block_id_ = 0;
  std::atomic<GenerationStamp> highest_generation_ = 0;
  std::atomic<uint64_t> highest_epoch_ = 0;

  mutable Mutex mu_;  // of identity and of the files beside the replicas
  std::string cluster_id_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
