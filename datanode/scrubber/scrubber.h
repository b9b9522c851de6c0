// The scrubber and the directory scanner of a DataNode: a thread for each volume, with a scan of
// its replicas' bytes and one of its folders.
//
// Why a thread a volume: disks fail and slow down one by one, and a slow one must not hold up the
// others. Thread-safe. Used by the composition root.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/mutex.h"

namespace cairn {
class Clock;
class Metrics;
}  // namespace cairn

namespace cairn::datanode {

class ReplicaStore;

class Scrubber {
 public:
  struct Options {
    int64_t scan_period_ms = int64_t{21} * 24 * 3600 * 1000;  // 0: replicas are not read
    uint64_t scan_rate = 8 << 20;  // bytes a second and volume, above 0; more where the period asks
    // HDFS's. Where the period is shorter, so is this: who wants to know sooner wants to know all.
    int64_t directory_interval_ms = int64_t{6} * 3600 * 1000;
    // Nothing is touched before this says so: a node that is refused by its NameNode leaves no
    // trace. Called every second, thread-safe; empty: at once.
    std::function<bool()> ready;
  };

  // The store may not have joined its cluster yet: it is waited for.
  Scrubber(const Options& options, ReplicaStore* store, Clock* clock, Metrics* metrics);
  ~Scrubber();  // Stop()
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

  void Start() ABSL_LOCKS_EXCLUDED(mu_);
  // Begins with volumes that the store has since been given, and ends with those that it has no
  // more: on return nothing of them is being read here.
  void FollowVolumes() ABSL_LOCKS_EXCLUDED(mu_);
  // Ends what is under way after the piece that is being read, and keeps how far it was. Before the
  // store goes.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct OneVolume;
  using Volumes = std::vector<std::unique_ptr<OneVolume>>;

  std::unique_ptr<OneVolume> MakeVolume(size_t index, const std::string& path);
  static void End(const Volumes& volumes);

  const Options options_;
  ReplicaStore* const store_;
  Clock* const clock_;
  Metrics* const metrics_;

  Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  Volumes volumes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
