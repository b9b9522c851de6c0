// cairn.v1.DataNodeControl: DataNodes' calls, translated for ClusterOperations and the block
// manager. Thread-safe.
#pragma once

#include "namenode/namesystem/cluster_operations.h"
#include "proto/control.grpc.pb.h"

namespace cairn::namenode {

class ControlService final : public v1::DataNodeControl::CallbackService {
 public:
  explicit ControlService(ClusterOperations* operations) : operations_(operations) {}

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  Reactor* Register(Context*, const v1::RegisterRequest*, v1::RegisterReply*) override;
  Reactor* Heartbeat(Context*, const v1::HeartbeatRequest*, v1::HeartbeatReply*) override;
  grpc::ServerReadReactor<v1::FullReportPiece>* FullReport(Context*, v1::FullReportReply*) override;
  Reactor* IncrementalReport(Context*, const v1::IncrementalReportRequest*,
                             v1::IncrementalReportReply*) override;
  Reactor* BadReplica(Context*, const v1::BadReplicaRequest*, v1::BadReplicaReply*) override;
  Reactor* CommitRecovery(Context*, const v1::CommitRecoveryRequest*,
                          v1::CommitRecoveryReply*) override;

 private:
  ClusterOperations* const operations_;
};

}  // namespace cairn::namenode
