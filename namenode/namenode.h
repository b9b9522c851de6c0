// The NameNode put together: the composition root, used by cairn-namenode and by `cairn mini`.
//
// Start recovers the namespace from disk, then serves; Stop ends in the reverse order. Every
// background task is listed in StartTasks (namenode.cc). Thread-safe after Start.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/net/address.h"
#include "namenode/namenode_options.h"

namespace cairn {
class BackgroundTask;
class Clock;
class DataDir;
class Env;
class HttpServer;
class LineLog;
class Metrics;
class RpcServer;
}  // namespace cairn

namespace cairn::namenode {

class AdminService;
class AuditLog;
class BalanceMonitor;
class BlockManager;
class CallerResolver;
class CheckpointMonitor;
class ClientOperations;
class ClusterMetrics;
class ClusterOperations;
class ControlService;
class DecommissionMonitor;
class HeartbeatMonitor;
class DiskSpaceMonitor;
class FileJournal;
class ForcedSafeMode;
class LeaseMonitor;
class NameNodeService;
class Namesystem;
class StateStore;
class TrashMonitor;
struct LoadedState;
struct NamespaceConfig;

class NameNode {
 public:
  // Fails with one clear line: a locked, foreign or damaged data directory, a journal with holes, a
  // taken port.
  static absl::StatusOr<std::unique_ptr<NameNode>> Start(const NameNodeOptions& options, Env* env,
                                                         Clock* clock);
  ~NameNode();  // Stop()
  NameNode(const NameNode&) = delete;
  NameNode& operator=(const NameNode&) = delete;

  HostPort rpc_address() const;
  HostPort http_address() const;
  const std::string& cluster_id() const { return cluster_id_; }

  // Lets calls under way end for at most a few seconds, makes everything durable, closes the
  // journal.
  void Stop();

 private:
  NameNode(const NameNodeOptions& options, Env* env, Clock* clock);

  absl::Status Begin();
  absl::Status CheckAddresses() const;
  absl::Status OpenDataDirs();
  absl::StatusOr<LoadedState> LoadState();
  NamespaceConfig MakeConfig() const;
  absl::Status OpenAuditLog();
  absl::Status StartServers();
  absl::Status StartHttp();
  void StartTasks();

  const NameNodeOptions options_;
  Env* const env_;
  Clock* const clock_;
  std::string superuser_;
  std::string cluster_id_;
  std::vector<std::string> current_dirs_;
  std::atomic<bool> serving_{false};

  // In the order of construction; destroyed in reverse.
  std::vector<std::unique_ptr<DataDir>> data_dirs_;  // locks
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<FileJournal> journal_;
  std::unique_ptr<BlockManager> blocks_;
  std::unique_ptr<Namesystem> namesystem_;
  std::unique_ptr<ForcedSafeMode> forced_;
  std::unique_ptr<ClientOperations> client_operations_;
  std::unique_ptr<ClusterOperations> cluster_operations_;
  std::unique_ptr<CheckpointMonitor> checkpoints_;
  std::unique_ptr<DiskSpaceMonitor> disk_space_;
  std::unique_ptr<LeaseMonitor> leases_;
  std::unique_ptr<HeartbeatMonitor> heartbeats_;
  std::unique_ptr<DecommissionMonitor> decommissions_;
  std::unique_ptr<BalanceMonitor> balance_;
  std::unique_ptr<ClusterMetrics> cluster_metrics_;
  std::unique_ptr<TrashMonitor> trash_;  // null: no trash
  std::unique_ptr<LineLog> audit_lines_;
  std::unique_ptr<AuditLog> audit_;  // null: off
  std::unique_ptr<CallerResolver> callers_;
  std::unique_ptr<NameNodeService> namenode_service_;
  std::unique_ptr<ControlService> control_service_;
  std::unique_ptr<AdminService> admin_service_;
  std::vector<std::unique_ptr<BackgroundTask>> tasks_;
  std::unique_ptr<RpcServer> rpc_server_;
  std::unique_ptr<HttpServer> http_server_;
};

// Writes the image of edit `through` into the data directories of a running NameNode: what the
// checkpoint's child does.
absl::Status WriteCheckpoint(Env* env, const std::vector<std::string>& data_dirs, uint64_t through);

}  // namespace cairn::namenode
