// What is true of the blocks, whatever the NameNode believes, and the rules that nobody may break.
//
// A replica is good while its bytes are on a disk, also of a node that is down and will come back.
// Ids count from 1, so that a block's truth is an array's element: millions of them fit in memory.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"

namespace cairn::sim {

struct BlockTruth {
  uint8_t replication = 0;  // 0: not acknowledged (yet), or removed
  uint8_t good = 0;         // replicas
  uint8_t deleting = 0;     // good ones that the NameNode has ordered to be deleted
  // A replica went in silence: the NameNode counts one too many until it is told. The storm leaves
  // such a block alone: what is decided meanwhile may rest on that replica.
  bool silent = false;
};

class SimBlocks {
 public:
  static constexpr uint64_t kUnitBytes = 4 << 20;

  // Not acknowledged yet.
  BlockId Add() {
    truths_.emplace_back();
    return truths_.size();
  }
  size_t size() const { return truths_.size(); }
  BlockTruth& operator[](BlockId id) { return truths_[id - 1]; }
  const BlockTruth& operator[](BlockId id) const { return truths_[id - 1]; }

  // As the namespace has it. Lengths are from 4 to 64 MiB.
  static Block Of(BlockId id) { return {id, id + 1000, (1 + id % 16) * kUnitBytes}; }

  // A good replica goes. False: it was the last one of an acknowledged block.
  bool Lose(BlockId id) {
    BlockTruth& truth = (*this)[id];
    --truth.good;
    return truth.good > 0 || truth.replication == 0;
  }

 private:
  std::vector<BlockTruth> truths_;
};

}  // namespace cairn::sim
