// Which DataNodes a writer leaves out, and how often it may still try.
//
// Why: a node that failed is not asked again for a minute; by then the NameNode knows whether it is
// dead. But where the others are too few, as in a restart of one node after the other, a node that
// failed gets another chance after a pause. Not thread-safe: of one writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "client/busy_wait.h"
#include "common/ids.h"

namespace cairn {

class BlockPipeline;
class Clock;
struct TransferOptions;

class WriteTries {
 public:
  // All must outlive it. There are no more tries once `stopped`.
  WriteTries(const TransferOptions* options, Clock* clock, const std::atomic<bool>* stopped)
      : options_(options), clock_(clock), stopped_(stopped) {}

  void LeaveOut(NodeNumber node);
  // The nodes to blame for a pipeline's failure. Of bytes that fail their checksum, the node that
  // sent them is suspected first, as in HDFS; a node that complains once more is at fault itself.
  // Nobody is to blame for ending the stream of a writer that was silent.
  void LeaveOutFailed(const BlockPipeline& pipeline, const absl::Status& failure);
  // Leaves out what the writer of another block of the file does.
  void LearnFrom(const WriteTries& other);
  void TakeBack(NodeNumber node) { left_out_until_ms_.erase(node); }
  bool IsLeftOut(NodeNumber node) const;
  std::vector<NodeNumber> LeftOut() const;
  // Of the nodes left out that `eligible` names: waits, and takes back the one that failed first.
  // False when there is none, or the tries are used up.
  bool TakeBackOne(const std::function<bool(NodeNumber)>& eligible);

  // Counts a try that failed. False: it was the last.
  bool Again();
  // The same, where a node that has as many streams as it may is waited for, up to
  // `max_progress_ms`, without counting.
  bool AgainAfter(const absl::Status& failure);
  void Reset();  // something got on
  int count() const { return count_; }
  const std::atomic<bool>* stopped() const { return stopped_; }

 private:
  bool WaitsForItsTurn() const;

  const TransferOptions* const options_;
  Clock* const clock_;
  const std::atomic<bool>* const stopped_;
  std::map<NodeNumber, int64_t> left_out_until_ms_;  // steady time
  std::set<NodeNumber> complained_;                  // of bytes that fail their checksum
  int count_ = 0;
  BusyWait busy_{clock_};
};

}  // namespace cairn
