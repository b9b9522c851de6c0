// A simulated DataNode: its disks, what it has to do and what it has not told yet.
//
// Replicas are ids in a set for each disk; everything else of a block follows from its id
// (sim_blocks.h). Plain data: the cluster makes it live.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "namenode/blocks/types.h"
#include "tests/sim/sim_blocks.h"

namespace cairn::sim {

struct SimDisk {
  absl::flat_hash_set<uint32_t> blocks;
  uint64_t used_bytes = 0;
  uint64_t foreign_bytes = 0;  // of others than replicas
  bool failed = false;
};

struct SimOrder {
  int64_t at_ms = 0;
  uint64_t namenode = 0;  // which start of it gave the order
};

struct SimNode {
  namenode::NodeRegistration registration;
  std::vector<SimDisk> disks;                        // those of registration.storages
  absl::flat_hash_set<uint32_t> rotten;              // bad replicas of which nobody knows
  absl::flat_hash_set<uint32_t> known_bad;           // ... that it has found
  absl::flat_hash_map<uint32_t, SimOrder> deleting;  // to be carried out
  std::vector<namenode::ReplicaChange> unsent;       // incremental report
  std::vector<uint32_t> gone;                        // lost with a disk or in a new start, not told
  uint64_t sequence = 0;                             // of incremental reports
  uint64_t life = 0;                // counts starts: events of an older one are void
  int64_t busy_until_ms = 0;        // with copies
  uint64_t bytes_per_ms = 200'000;  // that it copies
  bool up = true;
  bool muted = false;  // nothing that it sends arrives
  AdminState admin = AdminState::kInService;

  NodeNumber number() const { return registration.number; }

  // The disk that has a replica; null without one.
  SimDisk* DiskOf(BlockId id) {
    for (SimDisk& disk : disks) {
      if (disk.blocks.contains(static_cast<uint32_t>(id))) return &disk;
    }
    return nullptr;
  }
  bool HoldsGood(BlockId id) {
    const auto key = static_cast<uint32_t>(id);
    return !rotten.contains(key) && !known_bad.contains(key) && DiskOf(id) != nullptr;
  }
  StorageNumber StorageOf(const SimDisk* disk) const {
    return registration.storages[static_cast<size_t>(disk - disks.data())].number;
  }
  uint64_t Remaining(const SimDisk& disk) const {
    const uint64_t capacity =
        registration.storages[static_cast<size_t>(&disk - disks.data())].capacity_bytes;
    const uint64_t taken = disk.used_bytes + disk.foreign_bytes;
    return disk.failed || taken >= capacity ? 0 : capacity - taken;
  }
  // The disk with the most room, if that is enough.
  SimDisk* DiskFor(uint64_t bytes) {
    SimDisk* best = nullptr;
    for (SimDisk& disk : disks) {
      if (Remaining(disk) >= bytes && (best == nullptr || Remaining(disk) > Remaining(*best))) {
        best = &disk;
      }
    }
    return best;
  }
};

}  // namespace cairn::sim
