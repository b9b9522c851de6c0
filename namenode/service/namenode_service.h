// cairn.v1.NameNode: clients' calls, one by one or in Sessions. gRPC's callback API: no thread
// waits for the journal. Thread-safe.
#pragma once

#include "namenode/service/audit_log.h"
#include "namenode/service/caller_resolver.h"
#include "namenode/service/client_calls.h"
#include "namenode/service/session_stream.h"
#include "proto/namenode.grpc.pb.h"

namespace cairn::namenode {

class NameNodeService final : public v1::NameNode::CallbackService {
 public:
  // `audit` may be null: nothing is audited then.
  NameNodeService(ClientOperations* operations, CallerResolver* callers, Clock* clock,
                  std::string cluster_id, AuditLog* audit);

  // Lets the calls of Sessions that were read end, and then the Sessions. New ones end at once.
  // Before the server is shut down.
  void StopSessions() { sessions_.Stop(); }
  size_t open_sessions() const { return sessions_.size(); }

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionReply>* Session(Context*) override;

  Reactor* Mkdirs(Context*, const v1::MkdirsRequest*, v1::MkdirsReply*) override;
  Reactor* Create(Context*, const v1::CreateRequest*, v1::CreateReply*) override;
  Reactor* AddBlock(Context*, const v1::AddBlockRequest*, v1::AddBlockReply*) override;
  Reactor* AbandonBlock(Context*, const v1::AbandonBlockRequest*, v1::AbandonBlockReply*) override;
  Reactor* NewStamp(Context*, const v1::NewStampRequest*, v1::NewStampReply*) override;
  Reactor* UpdatePipeline(Context*, const v1::UpdatePipelineRequest*,
                          v1::UpdatePipelineReply*) override;
  Reactor* Complete(Context*, const v1::CompleteRequest*, v1::CompleteReply*) override;
  Reactor* AbandonFile(Context*, const v1::AbandonFileRequest*, v1::AbandonFileReply*) override;
  Reactor* RenewLease(Context*, const v1::RenewLeaseRequest*, v1::RenewLeaseReply*) override;
  Reactor* Append(Context*, const v1::AppendRequest*, v1::AppendReply*) override;
  Reactor* Truncate(Context*, const v1::TruncateRequest*, v1::TruncateReply*) override;
  Reactor* RecoverLease(Context*, const v1::RecoverLeaseRequest*, v1::RecoverLeaseReply*) override;
  Reactor* Rename(Context*, const v1::RenameRequest*, v1::RenameReply*) override;
  Reactor* Delete(Context*, const v1::DeleteRequest*, v1::DeleteReply*) override;
  Reactor* SetReplication(Context*, const v1::SetReplicationRequest*,
                          v1::SetReplicationReply*) override;
  Reactor* SetTimes(Context*, const v1::SetTimesRequest*, v1::SetTimesReply*) override;
  Reactor* SetOwner(Context*, const v1::SetOwnerRequest*, v1::SetOwnerReply*) override;
  Reactor* SetPermission(Context*, const v1::SetPermissionRequest*,
                         v1::SetPermissionReply*) override;
  Reactor* SetQuota(Context*, const v1::SetQuotaRequest*, v1::SetQuotaReply*) override;
  Reactor* Concat(Context*, const v1::ConcatRequest*, v1::ConcatReply*) override;

  Reactor* GetFileInfo(Context*, const v1::GetFileInfoRequest*, v1::GetFileInfoReply*) override;
  Reactor* List(Context*, const v1::ListRequest*, v1::ListReply*) override;
  Reactor* GetBlockLocations(Context*, const v1::GetBlockLocationsRequest*,
                             v1::GetBlockLocationsReply*) override;
  Reactor* GetContentSummary(Context*, const v1::GetContentSummaryRequest*,
                             v1::GetContentSummaryReply*) override;
  Reactor* GetServerDefaults(Context*, const v1::GetServerDefaultsRequest*,
                             v1::GetServerDefaultsReply*) override;

 private:
  template <typename Request, typename Reply>
  Reactor* Unary(Context* context, const Request& request, Reply* reply);

  const ClientCalls calls_;
  CallerResolver* const callers_;
  AuditLog* const audit_;
  SessionStreams sessions_;
};

}  // namespace cairn::namenode
