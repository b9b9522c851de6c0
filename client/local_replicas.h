// Gets the files of replicas from DataNodes on this host (ADR 0026).
//
// Why: which nodes are here, where their sockets are, and which of them had better not be asked for
// a while are the client's knowledge, not a stream's. A node is asked for its socket over its
// ordinary service, once, when its address is one of this host. Every step is bounded by
// `patience_ms`. An error says no more than "read over TCP". Thread-safe; for this room alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/local_reader.h"
#include "client/types.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/strings.h"
#include "proto/types.pb.h"

namespace cairn {

class DataNodeChannels;

class LocalReplicas {
 public:
  struct Options {
    bool enabled = true;
    int64_t patience_ms = 1'000;  // how long a node on this host may take to answer
    int64_t pause_ms = 10'000;    // a node that could not serve is not asked for so long
    std::string host;             // of this machine
    std::string client;           // its name, for logs
  };

  // Both must outlive it.
  LocalReplicas(Options options, DataNodeChannels* datanodes, Clock* clock);

  // The files of the node's replica of `block`: finalized, of at least its generation and length.
  absl::StatusOr<LocalReplica> Open(const v1::LocatedBlock& block, const v1::NodeAddress& node)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Where read bytes came from, for ReadStatistics.
  void CountLocal(uint64_t bytes) { local_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void CountRemote(uint64_t bytes) { remote_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  // A stream that began with local files and went on over TCP.
  void CountFallback() { fallbacks_.fetch_add(1, std::memory_order_relaxed); }
  void AddTo(ReadStatistics* statistics) const;

 private:
  struct Node {
    std::string socket;  // empty: not known
    std::string instance;
    int64_t not_before_ms = 0;  // steady time
  };

  absl::StatusOr<Node> Find(const v1::NodeAddress& node) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<Node> AskForSocket(const v1::NodeAddress& node);
  absl::StatusOr<LocalReplica> AskForFiles(const Node& known, const v1::LocatedBlock& block,
                                           absl::Status* refused);
  // Forgets the node's socket, and leaves it alone for a while.
  void Pause(const v1::NodeAddress& node, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  bool IsHere(const v1::NodeAddress& node) const;

  const Options options_;
  DataNodeChannels* const datanodes_;
  Clock* const clock_;
  std::atomic<uint64_t> local_bytes_ = 0;
  std::atomic<uint64_t> remote_bytes_ = 0;
  std::atomic<uint64_t> opens_ = 0;
  std::atomic<uint64_t> fallbacks_ = 0;

  Mutex mu_;
  StringMap<Node> nodes_ ABSL_GUARDED_BY(mu_);  // by id
};

}  // namespace cairn
