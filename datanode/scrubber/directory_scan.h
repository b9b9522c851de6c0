// Compares the folders of a volume with memory, now and then, and settles what differs.
//
// Why: people and programs touch a DataNode's files, too. A replica whose file was removed counts
// as good until somebody asks for it; one that was put back, by an administrator who knows what he
// does, counts as none until a restart. The store makes the comparison and decides, with the
// replica claimed, what becomes of each difference; this goes through the folders at a pace that
// nobody notices. HDFS calls it the directory scanner. Of one thread. Used by the scrubber.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/status.h"
#include "datanode/store/replica.h"

namespace cairn {
class Clock;
class Counter;
class Gauge;
class Metrics;
}  // namespace cairn

namespace cairn::datanode {

class ReplicaStore;

class DirectoryScan {
 public:
  // As ReplicaScan. The first scan comes after an interval: a start has just seen all.
  DirectoryScan(int64_t interval_ms, size_t volume, std::string path, ReplicaStore* store,
                Clock* clock, Metrics* metrics, const std::atomic<bool>* stop);

  // Looks at some folders when it is time. To be called every second or so; after an error it goes
  // on where it was.
  absl::Status RunOnce();

 private:
  static constexpr size_t kInner = 32;  // folders in each of the 32 outer ones

  void LoadKnown(size_t outer);
  absl::Status CheckFolder(size_t folder);
  void Settle(const FolderDifferences& differences);
  void NoteLeftAlone(const std::string& path, const std::string& why);
  void Finish();

  const int64_t interval_ms_;
  const size_t volume_;
  const std::string path_;
  ReplicaStore* const store_;
  Clock* const clock_;
  const std::atomic<bool>* const stop_;
  Counter* const vanished_;
  Counter* const bad_;
  Counter* const added_;
  Gauge* const left_alone_gauge_;

  int64_t next_ = -1;                  // when the next scan begins, steady ms; -1: not known yet
  size_t folder_ = kFinalizedFolders;  // the next one; kFinalizedFolders: no scan is under way
  size_t looked_at_ = 0;               // blocks, in this run
  uint64_t left_alone_ = 0;            // files, in this scan
  // Replicas in memory, by inner folder; of one outer folder at a time.
  std::array<std::vector<Block>, kInner> known_;
};

}  // namespace cairn::datanode
