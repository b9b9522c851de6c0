// What one client's streams and calls share: its options, connections, call ids and lease.
//
// FileSystem, AdminClient and every open stream hold it, so that none outlives what it uses.
// Thread-safe. For this room alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "client/connect.h"
#include "client/file_system.h"
#include "client/hedging.h"
#include "client/lease_renewer.h"
#include "client/local_replicas.h"
#include "client/namenode_client.h"
#include "client/packet_size.h"
#include "client/pipeline_keeper.h"
#include "common/clock.h"
#include "common/net/channel.h"
#include "common/thread_cache.h"

namespace cairn {

class ClientCore {
 public:
  // Fills in what the options leave to the system; kUsage for options that make no sense.
  static absl::StatusOr<std::shared_ptr<ClientCore>> Make(ClientOptions options);
  explicit ClientCore(ClientOptions options);  // complete and valid

  const ClientOptions& options() const { return options_; }
  Clock& clock() { return *clock_; }
  NameNodeClient& namenode() { return namenode_; }
  DataNodeChannels& datanodes() { return datanodes_; }
  LocalReplicas& local_replicas() { return local_replicas_; }
  LeaseRenewer& leases() { return leases_; }
  PipelineKeeper& pipelines() { return pipelines_; }
  PacketSize& packet_size() { return packet_size_; }
  ThreadCache& block_ends() { return block_ends_; }
  Hedging& hedging() { return hedging_; }
  ThreadCache& readers() { return readers_; }  // of vectored reads
  // Steady time, of MissingWait.
  int64_t no_wait_for_missing_until_ms() const { return no_wait_for_missing_until_ms_; }
  void DoNotWaitForMissingUntil(int64_t ms) { no_wait_for_missing_until_ms_ = ms; }
  // How DataNodes' logs name this client: "user@host".
  const std::string& name() const { return name_; }

 private:
  const ClientOptions options_;
  const std::string name_;
  const std::unique_ptr<Clock> clock_;
  ChannelCache channels_;
  NameNodeClient namenode_;
  DataNodeChannels datanodes_;
  LocalReplicas local_replicas_;
  LeaseRenewer leases_;
  PipelineKeeper pipelines_;
  PacketSize packet_size_;
  Hedging hedging_;
  std::atomic<int64_t> no_wait_for_missing_until_ms_{0};
  ThreadCache block_ends_{"block-end"};
  ThreadCache readers_{"read"};
};

}  // namespace cairn
