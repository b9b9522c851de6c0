// Reads every finalized replica of a volume once in a period and checks it against its checksums.
//
// Why: a disk loses bytes without a word, and what nobody reads would be found bad only when its
// last good copy is needed. Passes go over the blocks in the order of their ids, so the replica
// that is read next is the one that was verified longest ago. A pass begins a period after the last
// one and reads at the given rate, or, where that would take longer than the period, as fast as it
// has to: HDFS's block scanner reads at most 1 MiB/s and silently needs longer than its three weeks
// for a volume of more than 1.7 TiB. A bad replica is handed to ReplicaStore::Verify, which
// decides.
//
// Work is done in slices: RunOnce reads what the time since the last one has earned, so no thread
// ever sleeps within. Of one thread. Used by the scrubber.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/status.h"

namespace cairn {
class Clock;
class Counter;
class Gauge;
class Metrics;
}  // namespace cairn

namespace cairn::datanode {

class ReplicaReader;
class ReplicaStore;

class ReplicaScan {
 public:
  struct Options {
    int64_t period_ms = 0;          // above 0
    uint64_t bytes_per_second = 0;  // above 0; more where the period asks for it
  };

  // `volume` is VolumeInfo::index; `path` is for people. `stop` becomes true when a RunOnce that is
  // under way is to return soon. All must outlive this.
  ReplicaScan(Options options, size_t volume, std::string path, ReplicaStore* store, Clock* clock,
              Metrics* metrics, const std::atomic<bool>* stop);

  // To be called every second or so. An error says what could not be done now and will be tried
  // again; a replica that is bad is none.
  absl::Status RunOnce();
  // Keeps on disk how far it has come. To be called at the end; RunOnce does it now and then.
  absl::Status SaveProgress();

 private:
  void LoadProgress(int64_t now);
  void Begin(int64_t now);
  void Finish(int64_t now);
  void Resume(int64_t now);
  void Earn(int64_t now);
  uint64_t RateNow(int64_t now);
  bool FindNext();
  absl::Status ReadSome(const Block& block);
  absl::Status ReadChunks(ReplicaReader& reader);
  void Judge(const Block& block, const absl::Status& why);
  void MoveOn(const Block& block);

  const Options options_;
  const size_t volume_;
  const std::string path_;
  ReplicaStore* const store_;
  Clock* const clock_;
  const std::atomic<bool>* const stop_;
  Counter* const replicas_;
  Counter* const bytes_;
  Counter* const bad_;
  Counter* const vanished_;
  Gauge* const last_pass_;
  Gauge* const rate_;
  Gauge* const left_gauge_;

  // The pass. Times are steady ones, in ms.
  bool loaded_ = false;
  bool finished_ = false;
  int64_t began_ = 0;
  int64_t due_ = 0;  // when it should be through
  int64_t last_pass_ms_ = -1;
  BlockId done_ = 0;   // replicas of blocks up to this one were read
  BlockId last_ = 0;   // the last one that belongs to the pass
  uint64_t left_ = 0;  // what it costs to read the rest
  uint64_t pass_replicas_ = 0;
  uint64_t pass_bad_ = 0;
  bool told_of_rate_ = false;

  std::vector<Block> batch_;  // what comes next, in the order of ids
  size_t at_ = 0;             // in batch_
  uint64_t offset_ = 0;       // within that replica
  std::vector<char> buffer_;

  int64_t last_run_ = 0;
  double budget_ = 0;  // bytes that may be read now
  int64_t saved_at_ = 0;
  bool unsaved_ = false;
};

}  // namespace cairn::datanode
