#include "datanode/datanode.h"

#include <chrono>
#include <filesystem>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "common/background_task.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/http_server.h"
#include "common/net/listen.h"
#include "common/net/rpc_server.h"
#include "common/program.h"
#include "datanode/control/control_session.h"
#include "datanode/pipeline/node_numbers.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/pipeline/peer_latencies.h"
#include "datanode/scrubber/scrubber.h"
#include "datanode/service/admin_service.h"
#include "datanode/service/data_transfer_service.h"
#include "datanode/service/grpc_connector.h"
#include "datanode/service/grpc_recovery_peers.h"
#include "datanode/service/local_reads.h"
#include "datanode/store/replica_store.h"
#include "datanode/web/pages.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kStreamGraceMs = 3'000;
constexpr int64_t kDiskCheckMs = 5'000;
constexpr int64_t kSyncMs = 1'000;  // what need not be durable at once is within 5 s
constexpr char kLocalSocket[] = "local.sock";

}  // namespace

class DataNode::Impl {
 public:
  Impl(DataNodeOptions options, Env* env, Clock* clock)
      : options_(std::move(options)),
        env_(env),
        clock_(clock),
        transfers_({.memory_bytes = options_.transfer_memory_bytes}, &metrics_),
        latencies_(options_.peer_latency_window_ms),
        connector_(&channels_),
        peers_(&channels_) {}

  absl::Status Start() {
    // Before a directory is touched: a start that cannot serve leaves no trace.
    RETURN_IF_ERROR(ResolveListenHost(options_.listen).status());
    RETURN_IF_ERROR(ResolveListenHost(options_.http).status());
    ASSIGN_OR_RETURN(
        store_,
        ReplicaStore::Open(env_, {.data_dirs = options_.data_dirs,
                                  .capacity_bytes = options_.capacity_bytes,
                                  .reserved_bytes = options_.reserved_bytes,
                                  .failed_volumes_tolerated = options_.failed_volumes_tolerated,
                                  .disk_writes = options_.disk_writes,
                                  .small_replica_max_bytes = options_.small_replica_max_bytes}));
    ASSIGN_OR_RETURN(local_reads_, StartLocalReads());
    service_ = std::make_unique<DataTransferService>(store_.get(), &numbers_, &connector_,
                                                     &transfers_, BlockReceiver::Options{},
                                                     SocketOf(local_reads_.get()), &latencies_);
    admin_ = std::make_unique<AdminService>(
        AdminService::Parts{.store = store_.get(),
                            .transfers = &transfers_,
                            .ready = [this] { return started(); },
                            .on_volumes_changed = [this] { FollowVolumes(); }},
        OsUserName());
    const auto sync = [this] {
      store_->SyncPending();
      return absl::OkStatus();
    };
    sync_ = std::make_unique<BackgroundTask>("sync-replicas", kSyncMs, sync, &metrics_);
    store_->SetSyncWaker([this] { sync_->Wake(); });
    ASSIGN_OR_RETURN(rpc_, RpcServer::Start(options_.listen, {service_.get(), admin_.get()}));
    ASSIGN_OR_RETURN(
        http_,
        HttpServer::Start(options_.http, MakePages([this] { return registered(); }, &metrics_)));
    MakeSession();

    // All that runs by itself in a DataNode:
    session_->Start();  // register (at once), heartbeat (as the NameNode says), report (on change)
    disk_check_ = std::make_unique<BackgroundTask>(
        "disk-check", kDiskCheckMs, [this] { return CheckDisks(); }, &metrics_);
    disk_check_->Start();
    sync_->Start();  // replicas that need not be durable at once, or are only in a log
    scrubber_ =
        std::make_unique<Scrubber>(Scrubber::Options{.scan_period_ms = options_.scan_period_ms,
                                                     .scan_rate = options_.scan_rate,
                                                     .ready = [this] { return registered_once(); }},
                                   store_.get(), clock_, &metrics_);
    scrubber_->Start();  // scan-N for each volume: a slice every second
    {
      MutexLock lock(mu_);
      started_ = true;  // its volumes may change
    }

    LogInfo("DataNode {} serves data on {}, pages on {}", store_->node_id(),
            rpc_->address().ToString(), http_->address().ToString());
    return absl::OkStatus();
  }

  // From the outside in: no new streams, then no streams, then no session, then the disks. A
  // stream may be waiting for another node when its time is up: then it is cancelled.
  void Stop() {
    {
      MutexLock lock(mu_);
      if (std::exchange(stopped_, true)) return;
    }
    changed_.SignalAll();
    {
      MutexLock lock(mu_);
      while (following_) changed_.Wait(mu_);
    }
    std::thread shutdown([this] {
      if (rpc_ != nullptr) rpc_->Shutdown(kStreamGraceMs);
    });
    if (local_reads_ != nullptr) local_reads_->Stop();
    if (scrubber_ != nullptr) scrubber_->Stop();
    transfers_.WaitUntilNone(kStreamGraceMs);
    transfers_.Stop();  // copies that this node sends, too
    peers_.Stop();
    shutdown.join();
    if (disk_check_ != nullptr) disk_check_->Stop();
    if (sync_ != nullptr) sync_->Stop();
    if (http_ != nullptr) http_->Stop();
    session_set_.store(false);
    if (session_ != nullptr) session_->Stop();
    session_.reset();
    service_.reset();
    admin_.reset();
    local_reads_.reset();
    if (sync_ != nullptr) store_->SyncPending();  // nobody will do it later
    store_.reset();
  }

  const std::string& id() const { return id_; }
  const HostPort& data_address() const { return rpc_->address(); }
  const HostPort& http_address() const { return http_->address(); }

  bool registered() const { return session_set_.load() && session_->registered(); }

  bool WaitUntilRegistered(int64_t timeout_ms) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    MutexLock lock(mu_);
    while (!registered_once_ && !stopped_ && !fatal_) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      changed_.WaitFor(mu_, deadline - std::chrono::steady_clock::now());
    }
    return registered_once_ && !stopped_ && !fatal_;
  }

 private:
  // Null: there is none. Where it was not asked for, a node without it is as good: clients read
  // over TCP.
  absl::StatusOr<std::unique_ptr<LocalReads>> StartLocalReads() {
    if (!options_.local_reads) return std::unique_ptr<LocalReads>();
    std::vector<std::string> paths = {options_.local_socket};
    if (options_.local_socket.empty()) {
      paths.clear();
      for (const VolumeInfo& volume : store_->Volumes()) {
        std::error_code error;
        paths.push_back((std::filesystem::absolute(volume.path, error) / kLocalSocket).string());
      }
    }
    absl::Status failure;
    for (const std::string& path : paths) {
      auto started = LocalReads::Start({.path = path}, store_.get(), &transfers_, &metrics_);
      if (started.ok()) return started;
      failure.Update(started.status());
    }
    if (!options_.local_socket.empty()) return Annotate(failure, "--local-socket");
    LogWarn("clients on this host read over TCP, because there is no Unix socket for them: {}",
            MessageOf(failure));
    return std::unique_ptr<LocalReads>();
  }

  static LocalSocket SocketOf(const LocalReads* local_reads) {
    if (local_reads == nullptr) return {};
    return {local_reads->path(), local_reads->instance()};
  }

  // A socket in a directory that is no volume any more keeps its disk from being unmounted.
  void MoveLocalReads() {
    if (local_reads_ == nullptr || !options_.local_socket.empty()) return;
    for (const VolumeInfo& volume : store_->Volumes()) {
      std::error_code error;
      const auto dir = std::filesystem::weakly_canonical(volume.path, error);
      if ((dir / kLocalSocket).string() == local_reads_->path()) return;
    }
    auto started = StartLocalReads();
    const std::unique_ptr<LocalReads> old =
        std::exchange(local_reads_, started.ok() ? *std::move(started) : nullptr);
    service_->SetLocalSocket(SocketOf(local_reads_.get()));
    LogInfo("clients on this host find the node at {} now",
            local_reads_ == nullptr ? "no Unix socket" : local_reads_->path());
  }

  // After a change of the store's volumes. On return nothing here holds a file of one that is gone
  // open, but for readers.
  void FollowVolumes() {
    {
      MutexLock lock(mu_);
      while (following_ && !stopped_) changed_.Wait(mu_);
      if (stopped_) return;
      following_ = true;
    }
    session_->NoteVolumes();
    scrubber_->FollowVolumes();
    MoveLocalReads();
    disk_check_->Wake();  // its metrics
    {
      MutexLock lock(mu_);
      following_ = false;
    }
    changed_.SignalAll();
  }

  void MakeSession() {
    id_ = store_->node_id();
    session_ = std::make_unique<ControlSession>(
        ControlSession::Options{.namenodes = options_.namenodes,
                                .data = rpc_->address(),
                                .http = http_->address(),
                                .advertise = options_.advertise,
                                .advertise_http = options_.advertise_http,
                                .rack = options_.rack,
                                .reports = {},
                                .on_registered = [this] { NoteRegistered(); },
                                .on_fatal = [this](absl::Status s) { NoteFatal(std::move(s)); }},
        ControlSession::Parts{.store = store_.get(),
                              .numbers = &numbers_,
                              .transfers = &transfers_,
                              .latencies = &latencies_,
                              .connector = &connector_,
                              .peers = &peers_,
                              .clock = clock_,
                              .metrics = &metrics_});
    session_set_.store(true);
  }

  // Every part is there, and the NameNode has taken the node in.
  bool started() {
    MutexLock lock(mu_);
    return started_ && registered_once_ && !stopped_;
  }

  bool registered_once() {
    MutexLock lock(mu_);
    return registered_once_;
  }

  void NoteRegistered() {
    {
      MutexLock lock(mu_);
      registered_once_ = true;
    }
    changed_.SignalAll();
    if (options_.on_registered) options_.on_registered();
  }

  void NoteFatal(absl::Status status) {
    {
      MutexLock lock(mu_);
      if (std::exchange(fatal_, true)) return;
    }
    LogError("this DataNode cannot go on: {}", MessageOf(status));
    changed_.SignalAll();
    if (options_.on_fatal) options_.on_fatal(std::move(status));
  }

  absl::Status CheckDisks() {
    store_->JudgeDisks(clock_->SteadyMs());
    std::set<std::string> paths;
    for (const VolumeInfo& volume : store_->Volumes()) {
      paths.insert(volume.path);
      const MetricLabels labels = {{"path", volume.path}};
      const auto set = [&](const char* name, const char* help, double value) {
        metrics_.AddGauge(name, help, labels)->Set(value);
      };
      set("cairn_datanode_volume_used_bytes", "Bytes of replicas and their checksums.",
          static_cast<double>(volume.used_bytes));
      set("cairn_datanode_volume_remaining_bytes", "Bytes that new replicas may take.",
          static_cast<double>(volume.remaining_bytes));
      set("cairn_datanode_volume_replicas", "Finalized replicas.",
          static_cast<double>(volume.blocks));
      set("cairn_datanode_volume_failed", "1 when the data directory is out of use.",
          volume.failed ? 1 : 0);
      set("cairn_datanode_volume_slow", "1 when the data directory is slow beside the others.",
          volume.slow_us != 0 ? 1 : 0);
    }
    HideGone(paths);
    for (const ReplicaStore::SmallLogInfo& log : store_->SmallLogs()) ShowSmallLog(log);
    absl::Status status = store_->CheckVolumes();
    if (!status.ok()) NoteFatal(status);
    return status;
  }

  // A gauge that stood still would say that the disk is there.
  void HideGone(const std::set<std::string>& paths) {
    for (const std::string& gone : shown_paths_) {
      if (paths.contains(gone)) continue;
      for (const char* name : {"used_bytes", "remaining_bytes", "replicas", "failed", "slow"}) {
        metrics_.RemoveGauge(std::string("cairn_datanode_volume_") + name, {{"path", gone}});
      }
      for (const char* name : {"pending", "segment_bytes"}) {
        metrics_.RemoveGauge(std::string("cairn_datanode_small_log_") + name, {{"path", gone}});
      }
    }
    shown_paths_ = paths;
  }

  void ShowSmallLog(const ReplicaStore::SmallLogInfo& log) {
    const MetricLabels labels = {{"path", log.path}};
    const auto count = [&](const char* name, const char* help, uint64_t value) {
      Counter* const counter = metrics_.AddCounter(name, help, labels);
      counter->Increment(static_cast<double>(value) - counter->Value());
    };
    const auto set = [&](const char* name, const char* help, uint64_t value) {
      metrics_.AddGauge(name, help, labels)->Set(static_cast<double>(value));
    };
    count("cairn_datanode_small_log_records_total",
          "Replicas that became durable in the small-replica log.", log.stats.records);
    count("cairn_datanode_small_log_commits_total", "Syncs of the log for them.",
          log.stats.commits);
    count("cairn_datanode_small_log_bytes_total", "Bytes written to the log.", log.stats.bytes);
    count("cairn_datanode_small_log_replayed_total",
          "Replicas that the start wrote again from the log.", log.replayed);
    set("cairn_datanode_small_log_pending", "Records whose replicas' files are not durable yet.",
        log.stats.pending);
    set("cairn_datanode_small_log_segment_bytes", "What the log takes from the disk.",
        log.stats.segment_bytes);
  }

  const DataNodeOptions options_;
  Env* const env_;
  Clock* const clock_;
  Metrics metrics_;
  ChannelCache channels_;
  NodeNumbers numbers_;
  OpenTransfers transfers_;
  PeerLatencies latencies_;
  GrpcConnector connector_;
  GrpcRecoveryPeers peers_;
  std::string id_;
  std::unique_ptr<ReplicaStore> store_;
  std::unique_ptr<LocalReads> local_reads_;  // null: none
  std::unique_ptr<DataTransferService> service_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<ControlSession> session_;
  std::atomic<bool> session_set_ = false;  // pages are served before there is a session
  std::unique_ptr<BackgroundTask> disk_check_;
  std::set<std::string> shown_paths_;  // in metrics; of disk_check_'s thread
  std::unique_ptr<BackgroundTask> sync_;
  std::unique_ptr<Scrubber> scrubber_;

  Mutex mu_;
  CondVar changed_;
  bool registered_once_ ABSL_GUARDED_BY(mu_) = false;
  bool fatal_ ABSL_GUARDED_BY(mu_) = false;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool following_ ABSL_GUARDED_BY(mu_) = false;  // FollowVolumes runs
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

DataNode::DataNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DataNode::~DataNode() { Stop(); }

absl::StatusOr<std::unique_ptr<DataNode>> DataNode::Start(DataNodeOptions options, Env* env,
                                                          Clock* clock) {
  std::unique_ptr<DataNode> node(
      new DataNode(std::make_unique<Impl>(std::move(options), env, clock)));
  RETURN_IF_ERROR(node->impl_->Start());
  return node;
}

void DataNode::Stop() { impl_->Stop(); }
const std::string& DataNode::id() const { return impl_->id(); }
const HostPort& DataNode::data_address() const { return impl_->data_address(); }
const HostPort& DataNode::http_address() const { return impl_->http_address(); }
bool DataNode::registered() const { return impl_->registered(); }
bool DataNode::WaitUntilRegistered(int64_t timeout_ms) {
  return impl_->WaitUntilRegistered(timeout_ms);
}

}  // namespace cairn::datanode
