#include "namenode/service/admin_service.h"

#include <optional>
#include <string>

#include "namenode/service/reactors.h"

namespace cairn::namenode {
namespace {

constexpr size_t kMaxWaitingCalls = 16;

void ToProto(const ReplicationIssue& issue, const HealthOverview& overview,
             v1::ReplicationIssue* out) {
  out->set_block_id(issue.block);
  out->set_path(overview.paths.at(issue.inode));
  out->set_current_replicas(issue.current_replicas);
  out->set_target_replicas(issue.target_replicas);
  for (const std::string& node : issue.nodes) out->add_nodes(node);
}

void ToProto(const DataNodeReport& node, v1::DataNodeReport* out) {
  out->set_id(node.id);
  out->set_address(node.addresses.empty() ? "" : node.addresses.front());
  for (const std::string& address : node.addresses) out->add_addresses(address);
  out->set_http_address(node.http_address);
  out->set_rack(node.rack);
  out->set_status(std::string(ToString(node.state)));
  out->set_reason(node.reason);
  out->set_admin_state(std::string(ToString(node.admin_state)));
  out->set_blocks_left(node.blocks_left);
  out->set_admin_reason(node.admin_reason);
  out->set_capacity_bytes(node.capacity_bytes);
  out->set_used_bytes(node.used_bytes);
  out->set_remaining_bytes(node.remaining_bytes);
  out->set_utilization_percent(node.UtilizationPercent());
  out->set_blocks(node.blocks);
  out->set_read_requests(node.read_requests);
  out->set_write_requests(node.write_requests);
  out->set_errors(node.errors);
  out->set_bytes_read(node.bytes_read);
  out->set_bytes_written(node.bytes_written);
  out->set_disk_errors(node.disk_errors);
  out->set_checksum_errors(node.checksum_errors);
  out->set_packet_latency_us(node.packet_latency_us);
  out->set_last_heartbeat_ms_ago(node.last_heartbeat_ms_ago);
  for (const VolumeReport& volume : node.volumes) {
    v1::VolumeReport* volume_out = out->add_volumes();
    volume_out->set_path(volume.path);
    volume_out->set_capacity_bytes(volume.capacity_bytes);
    volume_out->set_used_bytes(volume.used_bytes);
    volume_out->set_failed(volume.failed);
    volume_out->set_slow(volume.slow);
  }
}

void ToProto(const RepairRound& round, v1::RepairReply* out) {
  out->set_planned(round.planned);
  out->set_in_flight(round.in_flight);
  out->set_waiting(round.waiting);
  out->set_no_target(round.no_target);
  out->set_nodes_busy(round.busy);
  out->set_reason(round.reason);
}

// nullopt: one that this NameNode does not know.
std::optional<NodeAction> FromProto(v1::SetAdminStateRequest::Action action) {
  switch (action) {
    case v1::SetAdminStateRequest::DECOMMISSION:
      return NodeAction::kDecommission;
    case v1::SetAdminStateRequest::RECOMMISSION:
      return NodeAction::kRecommission;
    case v1::SetAdminStateRequest::MAINTENANCE:
      return NodeAction::kMaintenance;
    default:
      return std::nullopt;
  }
}

void ToProto(const BalanceOverview& overview, v1::BalanceReply* out) {
  const BalanceReport& report = overview.report;
  out->set_state(std::string(ToString(report.state)));
  out->set_reason(report.reason);
  out->set_threshold_percent(report.threshold_percent);
  out->set_mean_percent(report.mean_percent);
  out->set_most_over_percent(report.most_over_percent);
  out->set_most_under_percent(report.most_under_percent);
  out->set_nodes(static_cast<uint32_t>(report.nodes));
  out->set_nodes_over(static_cast<uint32_t>(report.nodes_over));
  out->set_nodes_under(static_cast<uint32_t>(report.nodes_under));
  out->set_bytes_left(report.bytes_left);
  out->set_moves_done(report.moves_done);
  out->set_bytes_moved(report.bytes_moved);
  out->set_moves_failed(report.moves_failed);
  out->set_moves_in_flight(report.moves_in_flight);
  out->set_bytes_in_flight(report.bytes_in_flight);
  out->set_elapsed_ms(report.elapsed_ms);
  out->set_started(overview.started);
}

// Resolves who calls and runs `handle(call, end)`, which ends the call.
template <typename Request, typename Handle>
grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context, CallerResolver& callers,
                                AuditLog* audit, const Request& request, Handle handle) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto* end = new UnaryCall(reactor);
  std::string ip = audit == nullptr ? std::string() : PeerIp(context->peer());
  absl::StatusOr<CallContext> call = callers.Resolve(request.caller());
  if (!call.ok()) {
    EndRefused(audit, request, std::move(ip), end, call.status());
  } else {
    call->ip = std::move(ip);
    handle(*call, Audit(audit, &*call, request, end));
  }
  return reactor;
}

}  // namespace

void ToProto(const ClusterOverview& overview, v1::ReportReply* out) {
  const ClusterReport& report = overview.report;
  v1::ClusterReport* cluster = out->mutable_cluster();
  cluster->set_nodes_total(report.NodesTotal());
  cluster->set_nodes_healthy(report.nodes_healthy);
  cluster->set_nodes_degraded(report.nodes_degraded);
  cluster->set_nodes_failed(report.nodes_failed);
  cluster->set_nodes_recovering(report.nodes_recovering);
  cluster->set_files_total(overview.files);
  cluster->set_blocks_total(report.blocks.total);
  cluster->set_capacity_bytes(report.capacity_bytes);
  cluster->set_used_bytes(report.used_bytes);
  cluster->set_remaining_bytes(report.remaining_bytes);
  cluster->set_utilization_percent(report.UtilizationPercent());
  cluster->set_default_replication(overview.default_replication);
  cluster->set_block_size_bytes(overview.block_size);
  cluster->set_safe_mode(report.safe_mode);
  cluster->set_under_replicated_blocks(report.blocks.under_replicated);
  cluster->set_over_replicated_blocks(report.blocks.over_replicated);
  cluster->set_corrupt_blocks(report.blocks.corrupt);
  cluster->set_missing_blocks(report.blocks.missing);
  cluster->set_health_score(report.blocks.Score());
  for (const DataNodeReport& node : report.datanodes) ToProto(node, out->add_datanodes());
}

void ToProto(const HealthOverview& overview, v1::HealthReply* out) {
  const HealthReport& report = overview.report;
  for (const ReplicationIssue& issue : report.under_replicated) {
    ToProto(issue, overview, out->add_under_replicated_blocks());
  }
  for (const ReplicationIssue& issue : report.over_replicated) {
    ToProto(issue, overview, out->add_over_replicated_blocks());
  }
  for (const CorruptIssue& issue : report.corrupt) {
    v1::CorruptIssue* corrupt = out->add_corrupt_blocks();
    corrupt->set_block_id(issue.block);
    corrupt->set_path(overview.paths.at(issue.inode));
    corrupt->set_node(issue.node);
  }
  for (const MissingIssue& issue : report.missing) {
    v1::MissingIssue* missing = out->add_missing_blocks();
    missing->set_block_id(issue.block);
    missing->set_path(overview.paths.at(issue.inode));
  }
  v1::HealthTotals* totals = out->mutable_totals();
  totals->set_blocks(report.totals.total);
  totals->set_under_replicated(report.totals.under_replicated);
  totals->set_over_replicated(report.totals.over_replicated);
  totals->set_corrupt(report.totals.corrupt);
  totals->set_missing(report.totals.missing);
  out->set_truncated(report.truncated);
  out->set_replication_health_score(report.totals.Score());
}

AdminService::AdminService(ClusterOperations* operations, CallerResolver* callers, AuditLog* audit)
    : operations_(operations),
      callers_(callers),
      audit_(audit),
      repairs_("nn-repair", 1, kMaxWaitingCalls),
      slow_calls_("nn-admin", 1, kMaxWaitingCalls) {}

grpc::ServerUnaryReactor* AdminService::Report(Context* context, const v1::ReportRequest* request,
                                               v1::ReportReply* reply) {
  return Serve(context, *callers_, audit_, *request, [&](const CallContext&, CallEnd* end) {
    operations_->Report(FinishWith<ClusterOverview>(
        end, [reply](const ClusterOverview& overview) { ToProto(overview, reply); }));
  });
}

grpc::ServerUnaryReactor* AdminService::Health(Context* context, const v1::HealthRequest* request,
                                               v1::HealthReply* reply) {
  return Serve(context, *callers_, audit_, *request, [&](const CallContext&, CallEnd* end) {
    operations_->Health(request->limit() == 0 ? kDefaultHealthLimit : request->limit(),
                        FinishWith<HealthOverview>(end, [reply](const HealthOverview& health) {
                          ToProto(health, reply);
                        }));
  });
}

grpc::ServerUnaryReactor* AdminService::SafeMode(Context* context,
                                                 const v1::SafeModeRequest* request,
                                                 v1::SafeModeReply* reply) {
  return Serve(context, *callers_, audit_, *request, [&](const CallContext& call, CallEnd* end) {
    SafeModeAction action = SafeModeAction::kGet;
    if (request->action() == v1::SafeModeRequest::ENTER) action = SafeModeAction::kEnter;
    if (request->action() == v1::SafeModeRequest::LEAVE) action = SafeModeAction::kLeave;
    const absl::StatusOr<SafeModeState> state = operations_->SafeMode(call.caller, action);
    if (state.ok()) {
      reply->set_on(state->on);
      reply->set_reason(state->reason);
      reply->set_starting(state->starting);
    }
    Finish(end, state.status());
  });
}

grpc::ServerUnaryReactor* AdminService::Checkpoint(Context* context,
                                                   const v1::CheckpointRequest* request,
                                                   v1::CheckpointReply* reply) {
  return Serve(context, *callers_, audit_, *request, [&](const CallContext& call, CallEnd* end) {
    const bool queued = slow_calls_.Submit([this, caller = call.caller, end, reply] {
      const absl::StatusOr<TxId> txid = operations_->Checkpoint(caller);
      if (txid.ok()) reply->set_txid(*txid);
      Finish(end, txid.status());
    });
    if (!queued) {
      Finish(end, absl::ResourceExhaustedError("too many checkpoints are waited for already"));
    }
  });
}

grpc::ServerUnaryReactor* AdminService::Repair(Context* context, const v1::RepairRequest* request,
                                               v1::RepairReply* reply) {
  return Serve(context, *callers_, audit_, *request, [&](const CallContext& call, CallEnd* end) {
    const bool queued =
        repairs_.Submit([this, caller = call.caller, max = request->max(), end, reply] {
          const absl::StatusOr<RepairRound> round = operations_->Repair(caller, max);
          if (round.ok()) ToProto(*round, reply);
          Finish(end, round.status());
        });
    if (!queued) {
      Finish(end,
             absl::ResourceExhaustedError("too many rounds of repairs are waited for already"));
    }
  });
}

grpc::ServerUnaryReactor* AdminService::SetAdminState(Context* context,
                                                      const v1::SetAdminStateRequest* request,
                                                      v1::SetAdminStateReply* reply) {
  return Serve(context, *callers_, audit_, *request, [&](const CallContext& call, CallEnd* end) {
    const std::optional<NodeAction> action = FromProto(request->action());
    if (!action) return Finish(end, absl::InvalidArgumentError("unknown action on a DataNode"));
    operations_->SetAdminState(call, request->node(), *action,
                               [reply, end](const absl::StatusOr<std::string>& id) {
                                 if (id.ok()) reply->set_id(*id);
                                 Finish(end, id.status());
                               });
  });
}

grpc::ServerUnaryReactor* AdminService::Balance(Context* context, const v1::BalanceRequest* request,
                                                v1::BalanceReply* reply) {
  return Serve(context, *callers_, audit_, *request, [&](const CallContext& call, CallEnd* end) {
    BalanceAction action = BalanceAction::kGet;
    if (request->action() == v1::BalanceRequest::START) action = BalanceAction::kStart;
    if (request->action() == v1::BalanceRequest::STOP) action = BalanceAction::kStop;
    const absl::StatusOr<BalanceOverview> overview =
        operations_->Balance(call.caller, action, request->threshold_percent());
    if (overview.ok()) ToProto(*overview, reply);
    Finish(end, overview.status());
  });
}

}  // namespace cairn::namenode
