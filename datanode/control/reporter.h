// Tells the NameNode what is on this node's disks: changes at once, everything now and then.
//
// Why one sender for both: a change that happens after the snapshot of a full report is sent after
// that report, so the NameNode ends up with the truth whatever the timing. RunOnce is of one thread
// (a background task's); the rest is thread-safe. Part of the control session.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "datanode/control/change_queue.h"

namespace cairn {
class Clock;
}

namespace cairn::datanode {

class NameNodeLink;
class NodeNumbers;
class ReplicaStore;

class Reporter {
 public:
  struct Options {
    // HDFS's default; each node takes up to a tenth less, so that they spread.
    int64_t full_report_interval_ms = int64_t{6} * 3600 * 1000;
  };

  Reporter(Options options, std::string node_id, uint64_t incarnation, NameNodeLink* link,
           ReplicaStore* store, const NodeNumbers* numbers, ChangeQueue* changes, Clock* clock);

  // Full reports of these storages are due; empty: of all.
  void RequestFullReports(const std::vector<StorageNumber>& storages) ABSL_LOCKS_EXCLUDED(mu_);
  // Sends what is to be sent. After an error it is still to be sent.
  absl::Status RunOnce() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::Status SendChanges();
  absl::Status SendBad(const ChangeQueue::Change& change);
  absl::Status SendFullReports() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status SendFullReport(size_t volume);
  void RequestIfTimeHasCome() ABSL_LOCKS_EXCLUDED(mu_);

  const Options options_;
  const std::string node_id_;
  const uint64_t incarnation_;
  NameNodeLink* const link_;
  ReplicaStore* const store_;
  const NodeNumbers* const numbers_;
  ChangeQueue* const changes_;
  Clock* const clock_;
  // Of incremental reports. Every sending has its own, for a later one may hold more changes.
  uint64_t sequence_ = 0;

  Mutex mu_;
  std::set<size_t> due_ ABSL_GUARDED_BY(mu_);  // volumes whose full report is to be sent
  int64_t next_full_ms_ ABSL_GUARDED_BY(mu_);  // steady time
};

}  // namespace cairn::datanode
