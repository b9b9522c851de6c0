// cairn.v1.Admin: administrators' calls, and the reports as messages, which the web pages print
// too. Thread-safe.
#pragma once

#include "common/thread_pool.h"
#include "namenode/namesystem/cluster_operations.h"
#include "namenode/service/audit_log.h"
#include "namenode/service/caller_resolver.h"
#include "proto/admin.grpc.pb.h"

namespace cairn::namenode {

inline constexpr uint32_t kDefaultHealthLimit = 1000;  // entries a list

void ToProto(const ClusterOverview& overview, v1::ReportReply* out);
void ToProto(const HealthOverview& overview, v1::HealthReply* out);

class AdminService final : public v1::Admin::CallbackService {
 public:
  // `audit` may be null: nothing is audited then.
  AdminService(ClusterOperations* operations, CallerResolver* callers, AuditLog* audit);
  ~AdminService() override {
    repairs_.Stop();
    slow_calls_.Stop();
  }

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  Reactor* Report(Context*, const v1::ReportRequest*, v1::ReportReply*) override;
  Reactor* Health(Context*, const v1::HealthRequest*, v1::HealthReply*) override;
  Reactor* SafeMode(Context*, const v1::SafeModeRequest*, v1::SafeModeReply*) override;
  Reactor* Checkpoint(Context*, const v1::CheckpointRequest*, v1::CheckpointReply*) override;
  Reactor* SetAdminState(Context*, const v1::SetAdminStateRequest*,
                         v1::SetAdminStateReply*) override;
  Reactor* Balance(Context*, const v1::BalanceRequest*, v1::BalanceReply*) override;
  Reactor* Repair(Context*, const v1::RepairRequest*, v1::RepairReply*) override;

 private:
  ClusterOperations* const operations_;
  CallerResolver* const callers_;
  AuditLog* const audit_;
  ThreadPool repairs_;     // a round walks over all that waits
  ThreadPool slow_calls_;  // a checkpoint takes as long as it takes; gRPC's threads are few
};

}  // namespace cairn::namenode
