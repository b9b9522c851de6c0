// Block recovery: settles a block whose writer is gone, by agreement of the nodes that have it.
//
// Why: the replicas of an open block differ in length, and only one length may be told to readers
// from now on; bytes that an hflush has acknowledged must be within it while one node that has them
// lives (DESIGN: lease recovery, as in HDFS). The NameNode gives a stamp and the members of the
// block's pipeline; one of them leads, and this runs on it:
//   1. every member stops its writer for good and tells what it has; none may fail to answer;
//   2. a length is agreed on (DecideRecovery);
//   3. those that have that much cut their replica to it, stamp it, make it durable, finalize it.
// What comes of it goes back to the NameNode. It may be run again, with a higher stamp, after any
// failure: what an earlier run finished is found, and fenced out, by its stamp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/ids.h"
#include "common/status.h"
#include "datanode/pipeline/messages.h"
#include "datanode/store/replica.h"

namespace cairn::datanode {

struct RecoveryOrder {
  Block block;  // its journaled generation; with `cut`, the length that it shall have
  GenerationStamp recovery = 0;
  std::vector<Target> members;
  bool cut = false;  // a truncation
};

struct RecoveryResult {
  Block block;                          // generation: the recovery's; length: as agreed
  std::vector<StorageNumber> storages;  // that have it, finalized and durable
};

struct RecoveryDecision {
  uint64_t length = 0;
  std::vector<size_t> participants;  // indexes of the answers; none when the length is 0
};

// All replicas of a block hold prefixes of the same bytes, so any replica that is long enough can
// take part, whatever its state. The length:
//   - `cut`: as ordered. FAILED_PRECONDITION when no replica has that much.
//   - that of a replica finalized under the journaled generation: its writer ended it, all was
//     there. (All such have the same length; the longest counts should they not.)
//   - else the shortest replica that was open and whose node did not restart: each of them has all
//     that was acknowledged, and the shorter the length, the more take part.
//   - else the longest that there is: what a power cut left, or what an earlier recovery that the
//     NameNode did not get to know of had made of that. Each may have lost acknowledged bytes that
//     another has. HDFS takes the shortest, and loses them.
absl::StatusOr<RecoveryDecision> DecideRecovery(const std::vector<RecoveryAnswer>& answers,
                                                const Block& block, bool cut);

// The members, as the leader sees them. Thread-safe.
class RecoveryPeers {
 public:
  virtual ~RecoveryPeers() = default;
  virtual absl::StatusOr<RecoveryAnswer> Start(const Target& member, const Block& block,
                                               GenerationStamp recovery) = 0;
  // Returns the storage that has it.
  virtual absl::StatusOr<StorageNumber> Finish(const Target& member, const Block& block,
                                               GenerationStamp recovery) = 0;
  // Ends calls that wait, and all later ones at once.
  virtual void Stop() = 0;
};

// Members are asked at the same time. Fails when one does not answer, or none could finish.
absl::StatusOr<RecoveryResult> RecoverBlock(const RecoveryOrder& order, RecoveryPeers* peers);

}  // namespace cairn::datanode
