// A whole DataNode in this process: the composition root.
//
// Why: `cairn-datanode` runs one of these, `cairn mini` and tests several. It makes the parts,
// wires them, and ends them in order; no part knows more than it needs. Thread-safe after Start.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/env.h"
#include "common/net/address.h"
#include "common/status.h"
#include "datanode/store/replica.h"

namespace cairn::datanode {

struct DataNodeOptions {
  std::vector<std::string> data_dirs;
  std::vector<HostPort> namenodes;
  std::string rack;                   // "/region/rack"; empty: unknown
  uint64_t capacity_bytes = 0;        // of each data directory; 0: the disk's
  uint64_t reserved_bytes = 1 << 30;  // of each disk, kept free
  HostPort listen{"127.0.0.1", 9866};
  HostPort http{"127.0.0.1", 9864};
  std::vector<std::string> advertise;       // host:port; empty: from listen
  std::vector<std::string> advertise_http;  // host:port; empty: from http
  int failed_volumes_tolerated = -1;        // -1: all but one
  uint64_t transfer_memory_bytes = 512 << 20;
  bool local_reads = true;   // clients on this host may read the replicas' files
  std::string local_socket;  // where they get them; empty: "local.sock" in a data directory
  DiskWrites disk_writes = DiskWrites::kAuto;
  // Replicas of at most that many bytes become durable in a log of their disk; 0: each by itself.
  uint64_t small_replica_max_bytes = 1 << 20;
  int64_t scan_period_ms = int64_t{21} * 24 * 3600 * 1000;  // 0: replicas are read by nobody
  uint64_t scan_rate = 8 << 20;                             // bytes a second and volume
  int64_t peer_latency_window_ms = 300'000;  // how long it counts what peers needed for a packet
  // Called by the DataNode's threads; must be quick and must not call it back.
  std::function<void()> on_registered;         // at every registration
  std::function<void(absl::Status)> on_fatal;  // it cannot go on: stop it
};

class DataNode {
 public:
  // Opens the data directories, serves, and starts to register; does not wait for that. `env` and
  // `clock` must outlive it.
  static absl::StatusOr<std::unique_ptr<DataNode>> Start(DataNodeOptions options, Env* env,
                                                         Clock* clock);
  ~DataNode();  // Stop()
  DataNode(const DataNode&) = delete;
  DataNode& operator=(const DataNode&) = delete;

  // Takes no new streams, gives open ones 3 s to end, then fails them; ends all threads. May be
  // called more than once.
  void Stop();

  const std::string& id() const;         // UUID
  const HostPort& data_address() const;  // with the actual ports
  const HostPort& http_address() const;
  bool registered() const;
  // False when that took longer than `timeout_ms`, or cannot happen any more.
  bool WaitUntilRegistered(int64_t timeout_ms);

 private:
  class Impl;
  explicit DataNode(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::datanode
