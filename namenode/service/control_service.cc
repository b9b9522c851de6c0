#include "namenode/service/control_service.h"

#include <optional>
#include <variant>

#include "common/net/rpc_status.h"
#include "namenode/service/reactors.h"
#include "namenode/service/translate.h"

namespace cairn::namenode {
namespace {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;
using cairn::namenode::FromProto;
using cairn::namenode::ToProto;

StorageReport FromProto(const v1::StorageInfo& storage) {
  StorageReport out;
  out.number = storage.number();
  out.id = storage.id();
  out.path = storage.path();
  out.capacity_bytes = storage.capacity_bytes();
  out.used_bytes = storage.used_bytes();
  out.remaining_bytes = storage.remaining_bytes();
  out.failed = storage.failed();
  out.slow_us = storage.slow_us();
  out.others_us = storage.others_us();
  return out;
}

RegisterNode FromProto(const v1::RegisterRequest& request) {
  RegisterNode out;
  out.cluster_id = request.cluster_id();
  out.node.id = request.node_id();
  out.node.incarnation = request.incarnation();
  out.node.addresses = {request.addresses().begin(), request.addresses().end()};
  out.node.http_address = request.http_address();
  out.node.rack = request.rack();
  out.node.host = request.host();
  for (const v1::StorageInfo& storage : request.storages()) {
    out.node.storages.push_back(FromProto(storage));
  }
  out.highest_block = request.highest_block_id();
  out.highest_generation = request.highest_generation();
  out.highest_epoch = request.highest_epoch();
  if (request.has_at_last_contact()) {
    out.at_last_contact = {request.at_last_contact().block_id(),
                           request.at_last_contact().generation()};
  }
  return out;
}

HeartbeatReport FromProto(const v1::HeartbeatRequest& request) {
  HeartbeatReport out;
  for (const v1::StorageInfo& storage : request.storages()) {
    out.storages.push_back(FromProto(storage));
  }
  out.active_writes = request.active_writes();
  out.active_reads = request.active_reads();
  out.read_requests = request.read_requests();
  out.write_requests = request.write_requests();
  out.errors = request.errors();
  out.bytes_read = request.bytes_read();
  out.bytes_written = request.bytes_written();
  out.disk_errors = request.disk_errors();
  out.checksum_errors = request.checksum_errors();
  for (const v1::PeerLatency& peer : request.peers()) {
    out.peers.push_back({peer.node(), peer.median_us(), peer.samples()});
  }
  out.failed_copies = {request.failed_copies().begin(), request.failed_copies().end()};
  return out;
}

void ToProto(const NodeCommand& command, v1::Command* out) {
  if (const auto* deletes = std::get_if<DeleteReplicas>(&command)) {
    for (const Block& block : deletes->blocks) {
      ToProto(block, out->mutable_delete_replicas()->add_blocks());
    }
  } else if (const auto* copy = std::get_if<CopyReplica>(&command)) {
    ToProto(copy->block, out->mutable_copy_replica()->mutable_block());
    for (const NodeAddress& target : copy->targets) {
      ToProto(target, out->mutable_copy_replica()->add_targets());
    }
  } else if (const auto* report = std::get_if<SendFullReport>(&command)) {
    for (const StorageNumber storage : report->storages) {
      out->mutable_send_full_report()->add_storages(storage);
    }
  } else if (const auto* recovery = std::get_if<RecoverBlock>(&command)) {
    v1::RecoverBlock* message = out->mutable_recover_block();
    ToProto(recovery->block, message->mutable_block());
    message->set_recovery_generation(recovery->recovery);
    for (const NodeAddress& member : recovery->members) ToProto(member, message->add_members());
    message->set_cut(recovery->cut);
  }
}

// nullopt: of a kind that this NameNode does not know.
std::optional<ReplicaChange::Kind> FromProto(v1::ReplicaChange::Kind kind) {
  switch (kind) {
    case v1::ReplicaChange::RECEIVED:
      return ReplicaChange::Kind::kReceived;
    case v1::ReplicaChange::DELETED:
      return ReplicaChange::Kind::kDeleted;
    case v1::ReplicaChange::WAITING:
      return ReplicaChange::Kind::kWaiting;
    default:
      return std::nullopt;
  }
}

absl::StatusOr<std::vector<ReplicaRecord>> ReplicasOf(const v1::FullReportPiece& piece) {
  const int count = piece.block_ids_size();
  if (piece.generations_size() != count || piece.lengths_size() != count) {
    return absl::InvalidArgumentError("the columns of a report's piece are not of one length");
  }
  std::vector<ReplicaRecord> replicas;
  replicas.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    replicas.push_back({{piece.block_ids(i), piece.generations(i), piece.lengths(i)}});
  }
  const auto mark = [&](const auto& places, bool ReplicaRecord::*flag) {
    for (const uint32_t place : places) {
      if (place >= replicas.size()) return false;
      replicas[place].*flag = true;
    }
    return true;
  };
  if (!mark(piece.open(), &ReplicaRecord::open) ||
      !mark(piece.waiting(), &ReplicaRecord::waiting)) {
    return absl::InvalidArgumentError("a report's piece marks a replica that it does not name");
  }
  return replicas;
}

// Takes the pieces of one storage's full report as they come.
class FullReportReader final : public grpc::ServerReadReactor<v1::FullReportPiece> {
 public:
  explicit FullReportReader(BlockManager* blocks) : blocks_(blocks) { StartRead(&piece_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      return End(complete_ ? absl::OkStatus()
                           : absl::InvalidArgumentError("the report ended before its last piece"));
    }
    if (complete_) return End(absl::InvalidArgumentError("a piece after the report's last one"));
    const absl::StatusOr<std::vector<ReplicaRecord>> replicas = ReplicasOf(piece_);
    if (!replicas.ok()) return End(replicas.status());
    const absl::Status taken = blocks_->FullReportPiece(
        piece_.node_id(), piece_.incarnation(), piece_.storage(), first_, piece_.last(), *replicas);
    if (!taken.ok()) return End(taken);
    first_ = false;
    complete_ = piece_.last();
    StartRead(&piece_);
  }

  void OnDone() override { delete this; }

 private:
  void End(const absl::Status& status) { Finish(ToRpcStatus(status)); }

  BlockManager* const blocks_;
  v1::FullReportPiece piece_;
  bool first_ = true;
  bool complete_ = false;
};

}  // namespace

Reactor* ControlService::Register(Context* context, const v1::RegisterRequest* request,
                                  v1::RegisterReply* reply) {
  Reactor* reactor = context->DefaultReactor();
  operations_->Register(
      FromProto(*request),
      FinishWith<RegisteredNode>(reactor, [reply](const RegisteredNode& registered) {
        reply->set_cluster_id(registered.cluster_id);
        reply->set_node_number(registered.number);
        for (const StorageNumber number : registered.storages) reply->add_storage_numbers(number);
        reply->set_epoch(registered.epoch);
        reply->set_heartbeat_interval_ms(registered.heartbeat_interval_ms);
      }));
  return reactor;
}

Reactor* ControlService::Heartbeat(Context* context, const v1::HeartbeatRequest* request,
                                   v1::HeartbeatReply* reply) {
  Reactor* reactor = context->DefaultReactor();
  const absl::StatusOr<std::vector<NodeCommand>> commands = operations_->blocks().Heartbeat(
      request->node_id(), request->incarnation(), FromProto(*request));
  if (commands.ok()) {
    for (const NodeCommand& command : *commands) ToProto(command, reply->add_commands());
    reply->set_epoch(operations_->epoch());
  }
  Finish(reactor, commands.status());
  return reactor;
}

grpc::ServerReadReactor<v1::FullReportPiece>* ControlService::FullReport(Context*,
                                                                         v1::FullReportReply*) {
  return new FullReportReader(&operations_->blocks());  // deletes itself in OnDone
}

Reactor* ControlService::IncrementalReport(Context* context,
                                           const v1::IncrementalReportRequest* request,
                                           v1::IncrementalReportReply*) {
  Reactor* reactor = context->DefaultReactor();
  std::vector<ReplicaChange> changes;
  changes.reserve(request->changes_size());
  for (const v1::ReplicaChange& change : request->changes()) {
    const std::optional<ReplicaChange::Kind> kind = FromProto(change.kind());
    if (kind.has_value()) {
      changes.push_back({*kind, change.storage(), FromProto(change.block())});
    }
  }
  Finish(reactor, operations_->blocks().IncrementalReport(
                      request->node_id(), request->incarnation(), request->sequence(), changes));
  return reactor;
}

Reactor* ControlService::BadReplica(Context* context, const v1::BadReplicaRequest* request,
                                    v1::BadReplicaReply*) {
  Reactor* reactor = context->DefaultReactor();
  Finish(reactor,
         operations_->blocks().BadReplica(request->node_id(), request->incarnation(),
                                          request->storage(), FromProto(request->block())));
  return reactor;
}

Reactor* ControlService::CommitRecovery(Context* context, const v1::CommitRecoveryRequest* request,
                                        v1::CommitRecoveryReply*) {
  Reactor* reactor = context->DefaultReactor();
  operations_->CommitRecovery({request->node_id(),
                               request->incarnation(),
                               FromProto(request->block()),
                               {request->storages().begin(), request->storages().end()}},
                              FinishWith(reactor));
  return reactor;
}

}  // namespace cairn::namenode
