// What the store says about replicas and volumes to the rest of the DataNode. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"

namespace cairn::datanode {

enum class ReplicaState {
  kOpen,       // being written, or left by its writer until it is settled; survives restarts
  kFinalized,  // whole
  kBad,        // fails its checksums, or its files do not agree: kept, never served
  kDeleting,   // to be removed: neither served nor reported, its files go soon
};

// How the bytes of replicas get to disk (data_writer.h).
enum class DiskWrites {
  kAuto,      // what streams in directly, all else through the page cache
  kDirect,    // whatever has a whole page directly (O_DIRECT)
  kBuffered,  // all through the page cache
};

// When a finalized replica is made durable.
enum class Durability {
  kNow,    // before Finalize returns
  kLater,  // by SyncPending; until then it is reported as open
};

// What a reader is given.
enum class ReadAs {
  kVisible,    // finalized, or of an open replica what may be read of it
  kFinalized,  // only a finalized replica of this very generation: the source of a copy
  kExact,      // finalized or open: the first block.length bytes, and no more
};

// Space on one data directory. All sizes in bytes.
struct VolumeInfo {
  size_t index = 0;        // place in --data-dir
  std::string storage_id;  // UUID
  std::string path;
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;       // by replicas and their checksums
  uint64_t remaining_bytes = 0;  // that new replicas may take, after what open writes were promised
  uint64_t blocks = 0;           // finalized replicas
  bool failed = false;
  // Of a volume that is slow beside the node's others (disk_meter.h): what a write of 1 MiB, or a
  // sync, takes there, and on the others. 0: it is not slow.
  uint64_t slow_us = 0;
  uint64_t others_us = 0;
};

struct ReplicaInfo {
  Block block;
  size_t volume = 0;  // VolumeInfo::index
  ReplicaState state = ReplicaState::kFinalized;
  bool waiting = false;  // open, without a writer
};

// What may be read of a block here.
struct ReadableReplica {
  Block block;  // length: what may be read
  bool open = false;
};

// What a block recovery finds here.
struct RecoveryAnswer {
  enum State {
    kNone,  // no replica, a bad one, or an older one
    kOpen,
    kRestarted,  // open, found by a start of this node: what a power cut left
    kFinalized,
  };
  State state = kNone;
  Block block;  // as it is here
};

// Finalized replicas are spread over this many folders of a volume.
inline constexpr size_t kFinalizedFolders = 1024;

constexpr size_t FinalizedFolderOf(BlockId id) { return ((id >> 16) & 31) * 32 + ((id >> 8) & 31); }

// What one of these folders has other than memory.
struct FolderDifferences {
  size_t blocks = 0;            // that have files there
  std::vector<Block> vanished;  // in memory, their data file is not there
  std::vector<Block> damaged;   // in memory; the data has another length, or no checksum file
  std::vector<Block> found;     // not in memory: data and checksums that fit each other
  std::vector<std::string> left_alone;  // not in memory, data or checksums alone: paths
};

// The highest numbers that this node's disks have seen: a NameNode below them runs on an older copy
// of its journal.
struct HighestSeen {
  uint64_t epoch = 0;
  BlockId block_id = 0;
  GenerationStamp generation = 0;
};

// Told of every change of a replica, in the order in which they happen. Called while the replica's
// entry is locked: must be quick, must not block and must not call the store. Thread-safe.
class ReplicaObserver {
 public:
  virtual ~ReplicaObserver() = default;
  virtual void OnReceived(size_t volume, const Block& block) = 0;  // finalized and durable
  virtual void OnDeleted(size_t volume, const Block& block) = 0;
  virtual void OnBad(size_t volume, const Block& block) = 0;
  // A writer has left an open replica behind.
  virtual void OnWaiting(size_t volume, const Block& block) {}
};

}  // namespace cairn::datanode
