// Which blocks are how far from their target: the figures and lists of `admin report` and `health`.
//
// Why: kept up to date block by block, so that no report and no round walks over all blocks. Not
// thread-safe; changed by the reported state alone, whenever a block or one of its replicas
// changes.
#pragma once

#include <array>
#include <cstdint>

#include "common/ids.h"
#include "namenode/blocks/block_set.h"
#include "namenode/blocks/report.h"

namespace cairn::namenode {

enum class Redundancy : uint8_t {
  kUncounted,
  kSound,
  kMisplaced,  // enough, but not spread as the placement policy wants
  kLeaving,    // enough, but too few on nodes that stay
  kUnder,
  kOver,
  kCorrupt,
  kMissing,
};

class RedundancyIndex {
 public:
  // Moves a block from where it was (its own note of that) to `next`.
  void Move(BlockId id, Redundancy current, Redundancy next);

  BlockCounts counts() const;
  uint64_t count(Redundancy redundancy) const { return counts_[static_cast<size_t>(redundancy)]; }
  // Of those below kSound.
  const BlockSet& list(Redundancy redundancy) const {
    return lists_[static_cast<size_t>(redundancy)];
  }

 private:
  static bool Listed(Redundancy redundancy) { return redundancy > Redundancy::kSound; }

  static constexpr size_t kKinds = 8;
  std::array<uint64_t, kKinds> counts_{};
  std::array<BlockSet, kKinds> lists_;
};

}  // namespace cairn::namenode
