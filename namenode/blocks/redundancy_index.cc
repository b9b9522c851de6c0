#include "namenode/blocks/redundancy_index.h"

namespace cairn::namenode {

void RedundancyIndex::Move(BlockId id, Redundancy current, Redundancy next) {
  if (current == next) return;
  if (current != Redundancy::kUncounted) --counts_[static_cast<size_t>(current)];
  if (Listed(current)) lists_[static_cast<size_t>(current)].erase(id);
  if (next != Redundancy::kUncounted) ++counts_[static_cast<size_t>(next)];
  if (Listed(next)) lists_[static_cast<size_t>(next)].insert(id);
}

BlockCounts RedundancyIndex::counts() const {
  BlockCounts counts;
  counts.misplaced = count(Redundancy::kMisplaced);
  counts.leaving = count(Redundancy::kLeaving);
  counts.under_replicated = count(Redundancy::kUnder);
  counts.over_replicated = count(Redundancy::kOver);
  counts.corrupt = count(Redundancy::kCorrupt);
  counts.missing = count(Redundancy::kMissing);
  counts.total = counts.under_replicated + counts.over_replicated + counts.corrupt +
                 counts.missing + counts.misplaced + counts.leaving + count(Redundancy::kSound);
  return counts;
}

}  // namespace cairn::namenode
