#include "namenode/service/namenode_service.h"

#include <utility>

#include "namenode/service/reactors.h"

namespace cairn::namenode {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

NameNodeService::NameNodeService(ClientOperations* operations, CallerResolver* callers,
                                 Clock* clock, std::string cluster_id, AuditLog* audit)
    : calls_(operations, std::move(cluster_id), audit),
      callers_(callers),
      audit_(audit),
      sessions_({&calls_, operations, callers, clock}) {}

grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionReply>* NameNodeService::Session(
    Context* context) {
  return sessions_.Open(PeerIp(context->peer()));
}

template <typename Request, typename Reply>
Reactor* NameNodeService::Unary(Context* context, const Request& request, Reply* reply) {
  Reactor* reactor = context->DefaultReactor();
  auto* end = new UnaryCall(reactor);
  std::string ip = audit_ == nullptr ? std::string() : PeerIp(context->peer());
  absl::StatusOr<CallContext> call = callers_->Resolve(request.caller());
  if (!call.ok()) {
    EndRefused(audit_, request, std::move(ip), end, call.status());
  } else {
    call->ip = std::move(ip);
    calls_.Serve(*call, request, reply, end);
  }
  return reactor;
}

Reactor* NameNodeService::Mkdirs(Context* context, const v1::MkdirsRequest* request,
                                 v1::MkdirsReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::Create(Context* context, const v1::CreateRequest* request,
                                 v1::CreateReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::AddBlock(Context* context, const v1::AddBlockRequest* request,
                                   v1::AddBlockReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::AbandonBlock(Context* context, const v1::AbandonBlockRequest* request,
                                       v1::AbandonBlockReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::NewStamp(Context* context, const v1::NewStampRequest* request,
                                   v1::NewStampReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::UpdatePipeline(Context* context, const v1::UpdatePipelineRequest* request,
                                         v1::UpdatePipelineReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::Complete(Context* context, const v1::CompleteRequest* request,
                                   v1::CompleteReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::AbandonFile(Context* context, const v1::AbandonFileRequest* request,
                                      v1::AbandonFileReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::RenewLease(Context* context, const v1::RenewLeaseRequest* request,
                                     v1::RenewLeaseReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::Append(Context* context, const v1::AppendRequest* request,
                                 v1::AppendReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::Truncate(Context* context, const v1::TruncateRequest* request,
                                   v1::TruncateReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::RecoverLease(Context* context, const v1::RecoverLeaseRequest* request,
                                       v1::RecoverLeaseReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::Rename(Context* context, const v1::RenameRequest* request,
                                 v1::RenameReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::Delete(Context* context, const v1::DeleteRequest* request,
                                 v1::DeleteReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::SetReplication(Context* context, const v1::SetReplicationRequest* request,
                                         v1::SetReplicationReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::SetTimes(Context* context, const v1::SetTimesRequest* request,
                                   v1::SetTimesReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::SetOwner(Context* context, const v1::SetOwnerRequest* request,
                                   v1::SetOwnerReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::SetPermission(Context* context, const v1::SetPermissionRequest* request,
                                        v1::SetPermissionReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::SetQuota(Context* context, const v1::SetQuotaRequest* request,
                                   v1::SetQuotaReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::Concat(Context* context, const v1::ConcatRequest* request,
                                 v1::ConcatReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::GetFileInfo(Context* context, const v1::GetFileInfoRequest* request,
                                      v1::GetFileInfoReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::List(Context* context, const v1::ListRequest* request,
                               v1::ListReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::GetBlockLocations(Context* context,
                                            const v1::GetBlockLocationsRequest* request,
                                            v1::GetBlockLocationsReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::GetContentSummary(Context* context,
                                            const v1::GetContentSummaryRequest* request,
                                            v1::GetContentSummaryReply* reply) {
  return Unary(context, *request, reply);
}
Reactor* NameNodeService::GetServerDefaults(Context* context,
                                            const v1::GetServerDefaultsRequest* request,
                                            v1::GetServerDefaultsReply* reply) {
  return Unary(context, *request, reply);
}

}  // namespace cairn::namenode
