// Checkpoints: keeps the journal short, so that a start is quick.
//
// Why a child program: it replays the last image and the closed segments through the same Apply,
// without pausing the NameNode and without forking a process that runs gRPC. Its image is verified
// by the digests in the journal; only then do older images and segments go. Thread-safe:
// checkpoints run one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "namenode/namesystem/namesystem.h"
#include "namenode/namesystem/state_store.h"

namespace cairn {
class Clock;
class Gauge;
class Metrics;
}  // namespace cairn

namespace cairn::namenode {

struct CheckpointOptions {
  std::vector<std::string> data_dirs;
  std::string program;  // cairn-namenode, whose `checkpoint` command writes the image
  uint64_t every_edits = 1'000'000;
  int64_t every_ms = 3600 * 1000;
};

class CheckpointMonitor {
 public:
  CheckpointMonitor(Clock* clock, Namesystem* namesystem, StateStore* store,
                    CheckpointOptions options, TxId image_txid, Metrics* metrics);

  // Takes a checkpoint when enough edits or enough time have passed since the last.
  absl::Status RunOnce() ABSL_LOCKS_EXCLUDED(mu_);
  // Takes one now; returns the txid of the newest image. Blocks until the child is done.
  absl::StatusOr<TxId> Checkpoint() ABSL_LOCKS_EXCLUDED(mu_);
  // Ends a child that runs; no other starts.
  void Stop() { stopping_.store(true); }

 private:
  absl::StatusOr<TxId> CheckpointLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RunChild(TxId through);

  Clock* const clock_;
  Namesystem* const namesystem_;
  StateStore* const store_;
  const CheckpointOptions options_;
  Gauge* const last_txid_;
  std::atomic<bool> stopping_{false};

  Mutex mu_;
  TxId image_txid_ ABSL_GUARDED_BY(mu_);
  int64_t last_ms_ ABSL_GUARDED_BY(mu_);  // steady
};

}  // namespace cairn::namenode
