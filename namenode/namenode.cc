#include "namenode/namenode.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/background_task.h"
#include "common/clock.h"
#include "common/data_dir.h"
#include "common/line_log.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/net/http_server.h"
#include "common/net/listen.h"
#include "common/net/proto_json.h"
#include "common/net/rpc_server.h"
#include "common/program.h"
#include "common/strings.h"
#include "namenode/journal/file_journal.h"
#include "namenode/monitors/balance_monitor.h"
#include "namenode/monitors/checkpoint_monitor.h"
#include "namenode/monitors/cluster_metrics.h"
#include "namenode/monitors/decommission_monitor.h"
#include "namenode/monitors/disk_space_monitor.h"
#include "namenode/monitors/heartbeat_monitor.h"
#include "namenode/monitors/lease_monitor.h"
#include "namenode/monitors/trash_monitor.h"
#include "namenode/namesystem/client_operations.h"
#include "namenode/namesystem/cluster_operations.h"
#include "namenode/namesystem/load_blocks.h"
#include "namenode/namesystem/state_store.h"
#include "namenode/service/admin_service.h"
#include "namenode/service/audit_log.h"
#include "namenode/service/control_service.h"
#include "namenode/service/namenode_service.h"
#include "namenode/web/routes.h"

namespace cairn::namenode {
namespace {

constexpr int64_t kShutdownGraceMs = 3'000;
constexpr int64_t kReportWaitMs = 5'000;
constexpr int kReclaimSlices = 64;  // in one run; the next run comes at once while more waits

std::string ProgramBesideThis() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "cairn-namenode").string();
}

BlockManagerOptions MakeBlockOptions(const NameNodeOptions& options) {
  BlockManagerOptions out;
  out.heartbeat_interval_ms = options.heartbeat_interval_ms;
  out.stale_after_ms = options.stale_after_ms;
  out.dead_after_ms = options.dead_after_ms;
  out.safe_mode_threshold = options.safe_mode_threshold;
  out.safe_mode_extension_ms = options.safe_mode_extension_ms;
  out.placement = options.placement;
  out.slow_node_threshold_us = static_cast<uint64_t>(options.slow_node_threshold_ms) * 1000;
  out.error_limit = static_cast<uint64_t>(options.error_limit);
  out.error_window_ms = options.error_window_ms;
  return out;
}

// Waits for the reply of an operation and prints it as JSON.
template <typename T, typename Message>
absl::StatusOr<std::string> AwaitJson(const std::function<void(Reply<T>)>& ask) {
  struct Waiter {
    Mutex mu;
    CondVar cv;
    std::optional<absl::StatusOr<T>> value ABSL_GUARDED_BY(mu);
  };
  auto waiter = std::make_shared<Waiter>();
  ask([waiter](absl::StatusOr<T> value) {
    MutexLock lock(waiter->mu);
    waiter->value = std::move(value);
    waiter->cv.SignalAll();
  });
  MutexLock lock(waiter->mu);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kReportWaitMs);
  while (!waiter->value.has_value()) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left.count() <= 0) return absl::UnavailableError("the journal is slow; try again");
    waiter->cv.WaitFor(waiter->mu, left);
  }
  RETURN_IF_ERROR(waiter->value->status());
  Message message;
  ToProto(**waiter->value, &message);
  return ProtoToJsonText(message);
}

}  // namespace

NameNode::NameNode(const NameNodeOptions& options, Env* env, Clock* clock)
    : options_(options), env_(env), clock_(clock) {}

NameNode::~NameNode() { Stop(); }

absl::StatusOr<std::unique_ptr<NameNode>> NameNode::Start(const NameNodeOptions& options, Env* env,
                                                          Clock* clock) {
  RETURN_IF_ERROR(options.Validate());
  std::unique_ptr<NameNode> namenode(new NameNode(options, env, clock));
  RETURN_IF_ERROR(namenode->Begin());
  return namenode;
}

absl::Status NameNode::Begin() {
  superuser_ = options_.superuser.empty() ? OsUserName() : options_.superuser;
  metrics_ = std::make_unique<Metrics>();
  RETURN_IF_ERROR(CheckAddresses());
  RETURN_IF_ERROR(OpenDataDirs());
  ASSIGN_OR_RETURN(LoadedState loaded, LoadState());

  FileJournalOptions journal_options;
  journal_options.dirs = current_dirs_;
  journal_options.metrics = metrics_.get();
  journal_ = std::make_unique<FileJournal>(env_, std::move(journal_options));
  blocks_ = std::make_unique<BlockManager>(
      MakeBlockOptions(options_), clock_, [journal = journal_.get()] { return journal->durable(); },
      RandomU64());
  LoadBlocks(*loaded.state, blocks_.get());
  namesystem_ = std::make_unique<Namesystem>(std::move(loaded.state), journal_.get(), blocks_.get(),
                                             clock_, metrics_.get());
  RETURN_IF_ERROR(journal_->Start(loaded.last_txid + 1));
  RETURN_IF_ERROR(namesystem_
                      ->CommitAndWait(Origin::kInternal, std::nullopt,
                                      [](const FsState& s) { return PlanStart(s); })
                      .status());
  blocks_->FinishLoading();

  const NamespaceConfig config = MakeConfig();
  forced_ = std::make_unique<ForcedSafeMode>(blocks_.get());
  client_operations_ =
      std::make_unique<ClientOperations>(namesystem_.get(), blocks_.get(), clock_, config);
  cluster_operations_ =
      std::make_unique<ClusterOperations>(namesystem_.get(), blocks_.get(), forced_.get(), config,
                                          cluster_id_, options_.heartbeat_interval_ms);
  CheckpointOptions checkpoint_options;
  checkpoint_options.data_dirs = options_.data_dirs;
  checkpoint_options.program =
      options_.checkpoint_program.empty() ? ProgramBesideThis() : options_.checkpoint_program;
  checkpoint_options.every_edits = options_.checkpoint_txns;
  checkpoint_options.every_ms = options_.checkpoint_interval_ms;
  checkpoints_ =
      std::make_unique<CheckpointMonitor>(clock_, namesystem_.get(), store_.get(),
                                          checkpoint_options, loaded.image_txid, metrics_.get());
  cluster_operations_->SetCheckpoint([this] { return checkpoints_->Checkpoint(); });
  disk_space_ =
      std::make_unique<DiskSpaceMonitor>(store_.get(), options_.reserved_bytes, forced_.get());
  RETURN_IF_ERROR(disk_space_->RunOnce());
  LeaseOptions lease_options;
  lease_options.hard_limit_ms = options_.lease_hard_limit_ms;
  lease_options.heartbeat_interval_ms = options_.heartbeat_interval_ms;
  leases_ = std::make_unique<LeaseMonitor>(clock_, namesystem_.get(), blocks_.get(), lease_options,
                                           metrics_.get());
  heartbeats_ = std::make_unique<HeartbeatMonitor>(
      MakeBlockOptions(options_), clock_,
      [this](int64_t now_ms) { blocks_->RunHeartbeatCheck(now_ms); });
  decommissions_ = std::make_unique<DecommissionMonitor>(namesystem_.get(), blocks_.get());
  balance_ = std::make_unique<BalanceMonitor>(blocks_.get(), metrics_.get());
  cluster_metrics_ =
      std::make_unique<ClusterMetrics>(namesystem_.get(), blocks_.get(), metrics_.get());
  if (options_.trash_interval_ms > 0) {
    TrashOptions trash_options;
    trash_options.keep_ms = options_.trash_interval_ms;
    trash_options.every_ms = options_.trash_checkpoint_interval_ms;
    trash_ = std::make_unique<TrashMonitor>(clock_, namesystem_.get(), blocks_.get(), trash_options,
                                            metrics_.get());
  }
  StartTasks();
  return StartServers();
}

// Before a directory is touched: a start that cannot serve leaves no trace.
absl::Status NameNode::CheckAddresses() const {
  ASSIGN_OR_RETURN(const HostPort listen, ParseHostPort(options_.listen, kRpcPort));
  ASSIGN_OR_RETURN(const HostPort http, ParseHostPort(options_.http, kHttpPort));
  RETURN_IF_ERROR(ResolveListenHost(listen).status());
  return ResolveListenHost(http).status();
}

absl::Status NameNode::OpenDataDirs() {
  std::string node_id;
  for (const std::string& path : options_.data_dirs) {
    ASSIGN_OR_RETURN(std::unique_ptr<DataDir> dir,
                     DataDir::Open(env_, path, DataDirType::kNameNode));
    if (dir->formatted()) {
      if (cluster_id_.empty()) {
        cluster_id_ = dir->version().cluster_id;
        node_id = dir->version().node_id;
      }
      RETURN_IF_ERROR(dir->CheckCluster(cluster_id_));
    }
    current_dirs_.push_back(dir->current_path());
    data_dirs_.push_back(std::move(dir));
  }
  if (cluster_id_.empty()) {
    if (options_.no_format) {
      return absl::FailedPreconditionError(
          fmt::format("{}: empty, and --no-format is set; give the --data-dir of the cluster, or "
                      "start without --no-format",
                      options_.data_dirs.front()));
    }
    cluster_id_ = NewUuid();
    node_id = NewUuid();
    LogInfo("formatting {} for the new cluster {}", options_.data_dirs.front(), cluster_id_);
  }
  for (const std::unique_ptr<DataDir>& dir : data_dirs_) {
    if (dir->formatted()) continue;
    DataDirVersion version;
    version.type = DataDirType::kNameNode;
    version.cluster_id = cluster_id_;
    version.node_id = node_id;
    version.storage_id = NewUuid();
    RETURN_IF_ERROR(dir->Format(version));
  }
  return absl::OkStatus();
}

absl::StatusOr<LoadedState> NameNode::LoadState() {
  store_ = std::make_unique<StateStore>(env_, current_dirs_, cluster_id_);
  // Directories with nothing in them are new, or a first start ended before the first image.
  bool empty = true;
  for (const std::string& dir : current_dirs_) {
    RETURN_IF_ERROR(env_->CreateDirs(dir));  // a first start may have ended before it was made
    ASSIGN_OR_RETURN(const std::vector<std::string> names, env_->List(dir));
    empty = empty && std::all_of(names.begin(), names.end(),
                                 [](const std::string& name) { return name.ends_with(".tmp"); });
  }
  if (empty) RETURN_IF_ERROR(store_->Format(superuser_, "supergroup", clock_->WallMs()));
  ASSIGN_OR_RETURN(LoadedState loaded, store_->Recover());
  LogInfo("loaded the image of txid {} and edits up to {}: {} files, {} directories, {} blocks",
          loaded.image_txid, loaded.last_txid, loaded.state->files(), loaded.state->directories(),
          loaded.state->blocks());
  return loaded;
}

NamespaceConfig NameNode::MakeConfig() const {
  NamespaceConfig config;
  config.cluster = options_.cluster;
  config.default_replication = static_cast<uint32_t>(options_.replication);
  config.default_block_size = options_.block_size;
  config.limits.max_blocks_per_file = options_.max_blocks_per_file;
  config.min_replicas = static_cast<uint32_t>(options_.min_replicas);
  config.umask = options_.umask;
  config.superuser = superuser_;
  config.lease_soft_limit_ms = options_.lease_soft_limit_ms;
  config.lease_hard_limit_ms = options_.lease_hard_limit_ms;
  config.trash_interval_ms = options_.trash_interval_ms;
  config.accept_older_journal = options_.accept_older_journal;
  return config;
}

absl::Status NameNode::OpenAuditLog() {
  if (options_.audit_log.empty()) return absl::OkStatus();
  LineLogOptions options;
  options.path = options_.audit_log;
  options.max_file_bytes = options_.audit_log_bytes;
  options.max_files = options_.audit_log_files;
  options.dropped_line = [clock = clock_](uint64_t n) { return DroppedAuditLine(*clock, n); };
  options.dropped = metrics_->AddCounter("cairn_namenode_audit_dropped_total",
                                         "Lines of the audit log that were dropped");
  absl::StatusOr<std::unique_ptr<LineLog>> lines = LineLog::Open(env_, std::move(options));
  if (!lines.ok()) return Annotate(lines.status(), "cannot open the audit log");
  audit_lines_ = *std::move(lines);
  audit_ = std::make_unique<AuditLog>(audit_lines_.get(), clock_);
  return absl::OkStatus();
}

absl::Status NameNode::StartServers() {
  ASSIGN_OR_RETURN(const HostPort listen, ParseHostPort(options_.listen, kRpcPort));
  callers_ = std::make_unique<CallerResolver>(clock_, superuser_, "supergroup");
  RETURN_IF_ERROR(OpenAuditLog());
  namenode_service_ = std::make_unique<NameNodeService>(client_operations_.get(), callers_.get(),
                                                        clock_, cluster_id_, audit_.get());
  control_service_ = std::make_unique<ControlService>(cluster_operations_.get());
  admin_service_ =
      std::make_unique<AdminService>(cluster_operations_.get(), callers_.get(), audit_.get());
  RETURN_IF_ERROR(StartHttp());
  ASSIGN_OR_RETURN(rpc_server_,
                   RpcServer::Start(listen, {namenode_service_.get(), control_service_.get(),
                                             admin_service_.get()}));
  serving_.store(true);
  LogInfo("serving cluster {} ({}): rpc {}, http {}", options_.cluster, cluster_id_,
          rpc_address().ToString(), http_address().ToString());
  return absl::OkStatus();
}

absl::Status NameNode::StartHttp() {
  ASSIGN_OR_RETURN(const HostPort http, ParseHostPort(options_.http, kHttpPort));
  WebSources sources;
  sources.serving = [this] { return serving_.load(); };
  sources.report_json = [this] {
    return AwaitJson<ClusterOverview, v1::ReportReply>(
        [this](Reply<ClusterOverview> reply) { cluster_operations_->Report(std::move(reply)); });
  };
  sources.health_json = [this](size_t limit) {
    return AwaitJson<HealthOverview, v1::HealthReply>([&](Reply<HealthOverview> reply) {
      cluster_operations_->Health(limit == 0 ? kDefaultHealthLimit : limit, std::move(reply));
    });
  };
  sources.metrics = metrics_.get();
  ASSIGN_OR_RETURN(http_server_, HttpServer::Start(http, MakeRoutes(std::move(sources))));
  return absl::OkStatus();
}

// Everything that the NameNode does by itself.
void NameNode::StartTasks() {
  const auto add = [this](std::string name, int64_t interval_ms,
                          std::function<absl::Status()> run_once) {
    tasks_.push_back(std::make_unique<BackgroundTask>(std::move(name), interval_ms,
                                                      std::move(run_once), metrics_.get()));
    return tasks_.back().get();
  };
  add("heartbeat-check", HeartbeatMonitor::IntervalMs(options_.heartbeat_interval_ms),
      [this] { return heartbeats_->RunOnce(); });
  add("replication", options_.redundancy_interval_ms, [this] {
    blocks_->RunReplicationRound();
    return absl::OkStatus();
  });
  BackgroundTask* leases =
      add("leases", std::min<int64_t>(options_.lease_hard_limit_ms / 2 + 1, 1000),
          [this] { return leases_->RunOnce(); });
  namesystem_->SetLeaseWaker([leases] { leases->Wake(); });
  add("decommission", options_.redundancy_interval_ms,
      [this] { return decommissions_->RunOnce(); });
  add("balance", std::min<int64_t>(options_.heartbeat_interval_ms, 1000),
      [this] { return balance_->RunOnce(); });
  add("checkpoint", 1000, [this] { return checkpoints_->RunOnce(); });
  add("cluster-metrics", 5000, [this] { return cluster_metrics_->RunOnce(); });
  add("disk-space", 5000, [this] { return disk_space_->RunOnce(); });
  if (trash_) add("trash", 1000, [this] { return trash_->RunOnce(); });
  BackgroundTask* reclaim =
      add("reclaim", 10'000, [this] { return namesystem_->Reclaim(kReclaimSlices); });
  namesystem_->SetReclaimWaker([reclaim] { reclaim->Wake(); });
  for (const auto& task : tasks_) task->Start();
}

HostPort NameNode::rpc_address() const { return rpc_server_->address(); }
HostPort NameNode::http_address() const { return http_server_->address(); }

void NameNode::Stop() {
  serving_.store(false);
  if (checkpoints_) checkpoints_->Stop();  // an administrator may be waiting for one
  if (namenode_service_) namenode_service_->StopSessions();
  if (rpc_server_) rpc_server_->Shutdown(kShutdownGraceMs);
  if (http_server_) http_server_->Stop();
  for (const auto& task : tasks_) task->Stop();
  if (namesystem_ && journal_) {
    namesystem_->Stop();
    journal_->Stop();
  }
}

absl::Status WriteCheckpoint(Env* env, const std::vector<std::string>& data_dirs,
                             uint64_t through) {
  std::vector<std::string> dirs;
  std::string cluster_id;
  for (const std::string& path : data_dirs) {
    ASSIGN_OR_RETURN(const std::optional<DataDirVersion> version,
                     ReadDataDirVersion(*env, path, DataDirType::kNameNode));
    if (!version.has_value()) {
      return absl::FailedPreconditionError(
          fmt::format("{}: not a NameNode's data directory", path));
    }
    cluster_id = version->cluster_id;
    dirs.push_back(path + "/current");
  }
  return StateStore(env, dirs, cluster_id).WriteCheckpoint(through);
}

}  // namespace cairn::namenode
