// What is newer than the full report that a storage is sending.
//
// Why: a full report is a snapshot, streamed in pieces; meanwhile incremental reports and finished
// blocks go on changing the same storage. Blocks that they touched since the snapshot was taken
// must neither be brought back nor swept by it. The snapshot is older than the first piece, so
// touches are always remembered for a margin. Skipping a block without need does no harm: every
// change of a replica comes as an incremental report of its own. Not thread-safe; one per storage,
// used by the reported state.
#pragma once

#include <cstdint>

#include "common/ids.h"
#include "namenode/blocks/block_set.h"

namespace cairn::namenode {

class ReportWindow {
 public:
  // A touch this many margins old is forgotten for sure when a report begins.
  static constexpr int64_t kMaxMargins = 3;

  // Forgets everything: the DataNode started anew, its next report is the truth.
  void Reset();

  // A report begins (an unfinished one ends unswept); it has named nothing yet.
  void Begin(int64_t now_ms, int64_t margin_ms);
  void Progress(int64_t now_ms) { last_piece_ms_ = now_ms; }
  void End();
  bool active() const { return active_; }
  // While a report is under way: the blocks that it has named. What it has not named is swept.
  void Name(BlockId block) { named_.insert(block); }
  bool Named(BlockId block) const { return named_.contains(block); }
  int64_t begun_ms() const { return begun_ms_; }
  int64_t last_piece_ms() const { return last_piece_ms_; }

  // Something newer than any report under way was learned about `block`.
  void Touch(BlockId block, int64_t now_ms, int64_t margin_ms);
  bool Touched(BlockId block) const { return recent_.contains(block) || previous_.contains(block); }

 private:
  void Forget(int64_t now_ms, int64_t margin_ms);  // what is older than the margin

  bool active_ = false;
  int64_t begun_ms_ = 0;
  int64_t last_piece_ms_ = 0;
  // Touches of the last one to two margins, and since a report began.
  int64_t recent_since_ms_ = 0;
  BlockSet recent_;
  BlockSet previous_;
  BlockSet named_;
};

}  // namespace cairn::namenode
