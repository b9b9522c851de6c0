// The block map: every block of the namespace, its replicas and what they are worth.
//
// Why: the one place that says whether a replica is good. A replica is kept as it was reported, and
// judged against what the namespace says about its block, so that the order in which the two learn
// of each other does not matter. Keeps each storage's list of blocks in step. Not thread-safe; used
// by the reported state.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/ids.h"
#include "common/paged_table.h"
#include "namenode/blocks/datanode_table.h"
#include "namenode/blocks/redundancy_index.h"
#include "namenode/blocks/types.h"

namespace cairn::namenode {

enum class ReplicaState : uint8_t {
  kOpen,         // being written
  kWaiting,      // open, and its writer has left
  kProvisional,  // durable, says the writer; no report has confirmed it yet
  kFinalized,    // durable, says its DataNode
  kBad,          // its DataNode found it to be bad
};

struct Replica {
  Storage* storage = nullptr;
  GenerationStamp generation = 0;
  uint64_t length = 0;
  uint16_t round = 0;  // of the full report that named it last
  ReplicaState state = ReplicaState::kOpen;
};

enum class BlockPhase : uint8_t {
  kOpen,
  kFinished,  // its file is still open
  kClosed,    // counts, and is kept at its target
};

struct BlockEntry {
  GenerationStamp generation = 0;
  uint64_t length = 0;  // of an open block: what is known to be held
  INodeId inode = 0;
  uint32_t replication = 0;
  BlockPhase phase = BlockPhase::kOpen;
  Redundancy redundancy = Redundancy::kUncounted;  // as the index has it
  std::vector<Replica> replicas;                   // at most one a storage
};

// What a replica is worth to its block.
enum class ReplicaWorth : uint8_t {
  kGood,
  kBad,       // marked bad, or of another length than the finished block
  kOutdated,  // an older generation stamp, or left behind by the writer of a finished block
  kNothing,   // being written, of a generation to come, or on a lost storage
};
ReplicaWorth WorthOf(const BlockEntry& block, const Replica& replica);

struct ReplicaCounts {
  uint32_t good = 0;  // nodes with a good replica
  uint32_t bad = 0;
  uint32_t outdated = 0;
  bool unsure = false;  // a replica is provisional or of a later generation, or its storage's full
                        // report is awaited: nothing may be deleted yet
};

class BlockMap {
 public:
  BlockEntry* Find(BlockId id) { return blocks_.Find(id); }
  const BlockEntry* Find(BlockId id) const { return blocks_.Find(id); }
  // The entry, made if there was none.
  BlockEntry& Make(BlockId id) { return *blocks_.Emplace(id).first; }
  // With its replicas.
  void Erase(BlockId id);
  size_t size() const { return blocks_.size(); }

  // nullptr when the storage has none.
  static Replica* FindReplica(BlockEntry& block, const Storage& storage);
  Replica& AddReplica(BlockId id, BlockEntry& block, Storage& storage);
  // False when there was none.
  bool RemoveReplica(BlockId id, BlockEntry& block, Storage& storage);

  static ReplicaCounts Count(const BlockEntry& block);
  // Nodes with a good replica, each once.
  static std::vector<DataNode*> GoodNodes(const BlockEntry& block);

  template <typename Fn>
  void ForEach(Fn&& fn) const {
    blocks_.ForEach(fn);
  }

 private:
  PagedTable<BlockEntry> blocks_;
};

// The state in which the redundancy of a block with these counts is.
Redundancy RedundancyOf(const BlockEntry& block, const ReplicaCounts& counts);

}  // namespace cairn::namenode
