// The block map: every block of the namespace, its replicas and what they are worth.
//
// Why: the one place that says whether a replica is good. A replica is kept as it was reported, and
// judged against what the namespace says about its block, so that the order in which the two learn
// of each other does not matter. Keeps each storage's list of blocks in step.
//
// How it stays small (ADR 0018): nearly every replica is durable and has its block's own generation
// and length. Such a replica is told by the number of its storage alone, in one of three slots of
// its block's entry. All others, and those beyond three, are records of a table beside it. Nobody
// sees the difference: replicas go in and come out as values. Not thread-safe; used by the reported
// state.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/inlined_vector.h"
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
  ReplicaState state = ReplicaState::kOpen;
};
using Replicas = absl::InlinedVector<Replica, 4>;  // at most one a storage
using Nodes = absl::InlinedVector<DataNode*, 4>;

enum class BlockPhase : uint8_t {
  kOpen,
  kFinished,  // its file is still open
  kClosed,    // counts, and is kept at its target
};

// A block of the map, in 36 bytes. What belongs to its replicas is changed through the map.
class BlockEntry {
 public:
  static constexpr int kLengthBits = 41;       // a block has at most 1 TiB (Limits)
  static constexpr int kReplicationBits = 10;  // and a target of at most 512

  GenerationStamp generation() const { return Read(generation_); }
  uint64_t length() const {  // of an open block: what is known to be held
    return uint64_t{length_high_} << 32 | length_low_;
  }
  INodeId inode() const { return Read(inode_); }
  uint32_t replication() const { return replication_; }
  BlockPhase phase() const { return static_cast<BlockPhase>(phase_); }
  Redundancy redundancy() const { return static_cast<Redundancy>(redundancy_); }

  void set_inode(INodeId inode) { Write(inode, inode_); }
  void set_replication(uint32_t replication);
  void set_phase(BlockPhase phase) { phase_ = static_cast<uint32_t>(phase) & 3; }
  // As the index has it.
  void set_redundancy(Redundancy redundancy) {
    redundancy_ = static_cast<uint32_t>(redundancy) & 7;
  }

 private:
  friend class BlockMap;
  static constexpr size_t kSlots = 3;

  // Halves: a table of these has no gaps.
  using Halves = std::array<uint32_t, 2>;
  static uint64_t Read(const Halves& halves) {
    uint64_t value;
    std::memcpy(&value, halves.data(), sizeof value);
    return value;
  }
  static void Write(uint64_t value, Halves& halves) {
    std::memcpy(halves.data(), &value, sizeof value);
  }
  void set_length(uint64_t length);
  bool provisional(size_t slot) const { return (provisional_ >> slot & 1) != 0; }
  void SetSlot(size_t slot, StorageNumber number, bool provisional);

  Halves generation_{};
  Halves inode_{};
  // Storages of replicas that are durable, with the block's own generation and length; 0: none.
  std::array<StorageNumber, kSlots> slots_{};
  uint32_t length_low_ = 0;
  uint32_t length_high_ : kLengthBits - 32 = 0;
  uint32_t replication_ : kReplicationBits = 0;
  uint32_t phase_ : 2 = 0;
  uint32_t redundancy_ : 3 = 0;
  uint32_t provisional_ : kSlots = 0;  // by slot
  uint32_t more_ : 1 = 0;              // there are records
};
static_assert(sizeof(BlockEntry) == 36);

// What a replica is worth to its block.
enum class ReplicaWorth : uint8_t {
  kGood,
  kAway,      // good, of a node in maintenance that is gone: counts, but cannot be read
  kBad,       // marked bad, or of another length than the finished block
  kOutdated,  // an older generation stamp, or left behind by the writer of a finished block
  kNothing,   // being written, of a generation to come, or on a lost storage
};
ReplicaWorth WorthOf(const BlockEntry& block, const Replica& replica);

struct ReplicaCounts {
  uint32_t good = 0;       // nodes with a good replica
  uint32_t staying = 0;    // ... that are in service
  uint32_t confirmed = 0;  // ... where the DataNode itself has said that it is durable
  uint32_t resting = 0;    // nodes in maintenance with a good replica, those that are gone included
  uint32_t away = 0;       // ... those
  uint32_t bad = 0;
  uint32_t outdated = 0;
  bool unsure = false;  // a replica is provisional or of a later generation, or its storage's full
                        // report is awaited: nothing may be deleted yet
};

class BlockMap {
 public:
  // `storages`: every storage of a replica must be there, under its number.
  explicit BlockMap(StorageTable* storages) : storages_(storages) {}

  BlockEntry* Find(BlockId id) { return blocks_.Find(id); }
  const BlockEntry* Find(BlockId id) const { return blocks_.Find(id); }
  // Has the entry on its way from memory before it is asked for.
  void Prefetch(BlockId id) const { __builtin_prefetch(blocks_.Find(id)); }
  // The entry, made if there was none. It stays where it is until it is erased.
  BlockEntry& Make(BlockId id) { return *blocks_.Emplace(id).first; }
  // With its replicas.
  void Erase(BlockId id);
  size_t size() const { return blocks_.size(); }

  // The block gets another generation or length; its replicas stay what they were reported as.
  void SetStamp(BlockId id, BlockEntry& block, GenerationStamp generation, uint64_t length);

  // Calls fn(const Replica&) for each.
  template <typename Fn>
  void ForEachReplica(BlockId id, const BlockEntry& block, Fn&& fn) const;
  Replicas AllReplicas(BlockId id, const BlockEntry& block) const;
  // nullopt when the storage has none.
  std::optional<Replica> FindReplica(BlockId id, const BlockEntry& block, Storage& storage) const;
  // In place of what its storage had of the block.
  void PutReplica(BlockId id, BlockEntry& block, const Replica& replica);
  // False when there was none.
  bool RemoveReplica(BlockId id, BlockEntry& block, Storage& storage);

  ReplicaCounts Count(BlockId id, const BlockEntry& block) const;
  // Nodes with a good replica, each once.
  Nodes GoodNodes(BlockId id, const BlockEntry& block) const;
  // Those whose replica the block can count on: in service, or in maintenance and maybe gone.
  Nodes CountedNodes(BlockId id, const BlockEntry& block) const;

  // Calls fn(id, const BlockEntry&) for each, by id.
  template <typename Fn>
  void ForEach(Fn&& fn) const {
    blocks_.ForEach(fn);
  }
  // The same from `first` on, until fn(id, BlockEntry&) returns false.
  template <typename Fn>
  void ForEachFrom(BlockId first, Fn&& fn) {
    blocks_.ForEachFrom(first, fn);
  }
  // Blocks whose replicas are not all told by their slots: for tests and measurements.
  size_t records() const { return records_.size(); }

 private:
  struct Record {
    GenerationStamp generation = 0;
    uint64_t length = 0;
    StorageNumber storage = 0;
    ReplicaState state = ReplicaState::kOpen;
  };

  static Replica Unpack(const BlockEntry& block, size_t slot, Storage* storage) {
    return {storage, block.generation(), block.length(),
            block.provisional(slot) ? ReplicaState::kProvisional : ReplicaState::kFinalized};
  }
  static Replica Unpack(const Record& record, Storage* storage) {
    return {storage, record.generation, record.length, record.state};
  }
  static bool FitsSlot(const BlockEntry& block, const Record& record);
  void RemoveRecord(BlockId id, BlockEntry& block, StorageNumber storage);
  // Moves records into slots that fit; the only place where one becomes the other.
  void Settle(BlockId id, BlockEntry& block);

  StorageTable* const storages_;
  PagedTable<BlockEntry> blocks_;
  absl::btree_map<BlockId, std::vector<Record>> records_;  // never empty ones
};

// How many good replicas a block shall have on nodes in service: its replication, less what is in
// maintenance, but at least one (HDFS: dfs.namenode.maintenance.replication.min).
uint32_t StayingTarget(const BlockEntry& block, const ReplicaCounts& counts);
// How many are missing to that.
uint32_t CopiesNeeded(const BlockEntry& block, const ReplicaCounts& counts);
// The state in which the redundancy of a block with these counts is.
Redundancy RedundancyOf(const BlockEntry& block, const ReplicaCounts& counts);

template <typename Fn>
void BlockMap::ForEachReplica(BlockId id, const BlockEntry& block, Fn&& fn) const {
  for (size_t i = 0; i < BlockEntry::kSlots; ++i) {
    if (block.slots_[i] != 0) fn(Unpack(block, i, storages_->Find(block.slots_[i])));
  }
  if (block.more_ == 0) return;
  for (const Record& record : records_.at(id)) {
    fn(Unpack(record, storages_->Find(record.storage)));
  }
}

}  // namespace cairn::namenode
