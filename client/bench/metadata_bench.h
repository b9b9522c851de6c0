// `cairn bench metadata`: operations on names against a cluster, each beside what the machine
// gives without one.
//
// Five rounds; in each, every operation is followed by its baseline, so that a machine that is
// slow for a while is so for both: for changes a bare group commit on a local disk from as many
// threads (group_commit.h), for reads a bare gRPC server in this process, asked by the same
// callers (echo.h). Callers that are no threads have baselines that are none either
// (async_callers.h). Not thread-safe; a progress line may read Progress.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/bench/async_callers.h"
#include "client/bench/callers.h"
#include "client/bench/echo.h"
#include "client/bench/group_commit.h"
#include "client/bench/operations.h"
#include "client/bench/row.h"
#include "client/file_system.h"
#include "common/env.h"

namespace cairn::bench {

struct MetadataOptions {
  std::vector<int> callers;              // of this process; a variant each
  AsyncNamespace* async = nullptr;       // set: callers are no threads, and call through it
  std::vector<int> processes;            // separate processes; a variant each
  uint64_t files = 0;                    // operations of a kind in a variant
  std::vector<Operation> operations;     // what is measured; what they need is done too
  std::string dir;                       // a new folder in it is used and removed
  std::string sync_dir;                  // local folder, whose disk is the baseline of changes
  std::vector<std::string> worker_args;  // StartProcesses; "ADDRESS" of the echo server is added
};

class MetadataBench {
 public:
  // All must outlive it.
  MetadataBench(MetadataOptions options, FileSystem* fs, Env* env, Stopped stopped)
      : options_(std::move(options)), fs_(fs), env_(env), stopped_(std::move(stopped)) {}

  // Calls `row` as rows are finished. What was made in the cluster is removed in any case, also
  // when stopped (CANCELLED).
  absl::Status Run(const std::function<void(const Row&)>& row);

  // Operations done and to be done, baselines included; thread-safe.
  uint64_t done() const { return done_.load(); }
  uint64_t planned() const { return planned_.load(); }

 private:
  bool Wanted(Operation operation) const;
  bool Needed(Operation operation) const;
  uint64_t CountOf(Operation operation, uint64_t files) const;
  uint64_t Plan() const;

  absl::Status RunVariants(const std::string& dir, const std::function<void(const Row&)>& row);
  absl::Status RunVariant(Callers* callers, const std::string& dir,
                          const std::function<void(const Row&)>& row);
  absl::Status RunRound(Callers* callers, const std::string& dir, uint64_t files,
                        std::vector<Rounds>* rounds);
  absl::StatusOr<RoundResult> Baseline(Callers* callers, Job job);
  absl::Status ConnectAsync();
  // Commits the records from `index` on, one after the other.
  void CommitFrom(const std::vector<size_t>& records, size_t index, AsyncNamespace::Done done);

  const MetadataOptions options_;
  FileSystem* const fs_;
  Env* const env_;
  const Stopped stopped_;
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> planned_{0};
  std::unique_ptr<EchoServer> echo_server_;
  std::unique_ptr<EchoClient> echo_;
  std::unique_ptr<MetadataLoad> load_;
  std::unique_ptr<GroupCommit> disk_;
  std::unique_ptr<AsyncCommit> async_disk_;  // after disk_, which it uses
};

}  // namespace cairn::bench
