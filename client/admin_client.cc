#include "client/admin_client.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "client/client_core.h"
#include "client/convert.h"
#include "common/net/proto_json.h"
#include "common/status.h"
#include "proto/admin.pb.h"

namespace cairn {
namespace {

absl::StatusOr<SafeModeState> CallSafeMode(ClientCore& core, v1::SafeModeRequest::Action action) {
  v1::SafeModeRequest request;
  request.set_action(action);
  ASSIGN_OR_RETURN(const v1::SafeModeReply reply, core.namenode().SafeMode(std::move(request)));
  return SafeModeState{.on = reply.on(), .reason = reply.reason()};
}

absl::StatusOr<std::string> CallSetAdminState(ClientCore& core, const std::string& node,
                                              v1::SetAdminStateRequest::Action action) {
  v1::SetAdminStateRequest request;
  request.set_node(node);
  request.set_action(action);
  ASSIGN_OR_RETURN(const v1::SetAdminStateReply reply,
                   core.namenode().SetAdminState(std::move(request)));
  return reply.id();
}

absl::StatusOr<BalanceStatus> CallBalance(ClientCore& core, v1::BalanceRequest::Action action,
                                          double threshold_percent = 0) {
  v1::BalanceRequest request;
  request.set_action(action);
  request.set_threshold_percent(threshold_percent);
  ASSIGN_OR_RETURN(const v1::BalanceReply reply, core.namenode().Balance(std::move(request)));
  return FromProto(reply);
}

absl::StatusOr<v1::RepairReply> CallRepair(ClientCore& core, uint64_t max) {
  v1::RepairRequest request;
  request.set_max(max);
  return core.namenode().Repair(std::move(request));
}

v1::HealthRequest HealthOf(uint32_t limit) {
  v1::HealthRequest request;
  request.set_limit(limit);
  return request;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminClient>> AdminClient::Connect(ClientOptions options) {
  ASSIGN_OR_RETURN(std::shared_ptr<ClientCore> core, ClientCore::Make(std::move(options)));
  return std::unique_ptr<AdminClient>(new AdminClient(std::move(core)));
}

AdminClient::AdminClient(std::shared_ptr<ClientCore> core) : core_(std::move(core)) {}
AdminClient::~AdminClient() = default;

absl::StatusOr<AdminReport> AdminClient::Report() {
  ASSIGN_OR_RETURN(const v1::ReportReply reply, core_->namenode().Report());
  return FromProto(reply);
}

absl::StatusOr<HealthReport> AdminClient::Health(uint32_t limit) {
  ASSIGN_OR_RETURN(const v1::HealthReply reply, core_->namenode().Health(HealthOf(limit)));
  return FromProto(reply);
}

absl::StatusOr<std::string> AdminClient::ReportJson() {
  ASSIGN_OR_RETURN(const v1::ReportReply reply, core_->namenode().Report());
  return ProtoToJsonText(reply);
}

absl::StatusOr<std::string> AdminClient::HealthJson(uint32_t limit) {
  ASSIGN_OR_RETURN(const v1::HealthReply reply, core_->namenode().Health(HealthOf(limit)));
  return ProtoToJsonText(reply);
}

absl::StatusOr<std::string> AdminClient::NodesJson() {
  ASSIGN_OR_RETURN(const v1::ReportReply reply, core_->namenode().Report());
  return JsonText(ProtoToJson(reply)["datanodes"]);
}

absl::StatusOr<SafeModeState> AdminClient::GetSafeMode() {
  return CallSafeMode(*core_, v1::SafeModeRequest::GET);
}

absl::StatusOr<SafeModeState> AdminClient::EnterSafeMode() {
  return CallSafeMode(*core_, v1::SafeModeRequest::ENTER);
}

absl::StatusOr<SafeModeState> AdminClient::LeaveSafeMode() {
  return CallSafeMode(*core_, v1::SafeModeRequest::LEAVE);
}

absl::StatusOr<std::string> AdminClient::Decommission(const std::string& node) {
  return CallSetAdminState(*core_, node, v1::SetAdminStateRequest::DECOMMISSION);
}

absl::StatusOr<std::string> AdminClient::Recommission(const std::string& node) {
  return CallSetAdminState(*core_, node, v1::SetAdminStateRequest::RECOMMISSION);
}

absl::StatusOr<std::string> AdminClient::StartMaintenance(const std::string& node) {
  return CallSetAdminState(*core_, node, v1::SetAdminStateRequest::MAINTENANCE);
}

absl::StatusOr<BalanceStatus> AdminClient::StartBalancing(double threshold_percent) {
  return CallBalance(*core_, v1::BalanceRequest::START, threshold_percent);
}

absl::StatusOr<BalanceStatus> AdminClient::StopBalancing() {
  return CallBalance(*core_, v1::BalanceRequest::STOP);
}

absl::StatusOr<BalanceStatus> AdminClient::BalanceProgress() {
  return CallBalance(*core_, v1::BalanceRequest::GET);
}

absl::StatusOr<RepairRound> AdminClient::Repair(uint64_t max) {
  ASSIGN_OR_RETURN(const v1::RepairReply reply, CallRepair(*core_, max));
  return RepairRound{.planned = reply.planned(),
                     .in_flight = reply.in_flight(),
                     .waiting = reply.waiting(),
                     .no_target = reply.no_target(),
                     .nodes_busy = reply.nodes_busy(),
                     .reason = reply.reason()};
}

absl::StatusOr<std::string> AdminClient::RepairJson(uint64_t max) {
  ASSIGN_OR_RETURN(const v1::RepairReply reply, CallRepair(*core_, max));
  return ProtoToJsonText(reply);
}

absl::StatusOr<TxId> AdminClient::Checkpoint() {
  ASSIGN_OR_RETURN(const v1::CheckpointReply reply, core_->namenode().Checkpoint());
  return reply.txid();
}

}  // namespace cairn
