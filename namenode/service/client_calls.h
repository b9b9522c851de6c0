// The clients' calls, once for both ways in: translated from the wire, handed to ClientOperations,
// and their answers translated back. No decision is made here.
//
// A unary RPC and a call of a Session differ in who waits for the end (CallEnd) and in their
// context alone. Thread-safe. Used by NameNodeService and SessionStream.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "namenode/namesystem/client_operations.h"
#include "namenode/service/audit_log.h"
#include "namenode/service/reactors.h"
#include "proto/namenode.pb.h"

namespace cairn::namenode {

class ClientCalls {
 public:
  // `audit` may be null: nothing is audited then.
  ClientCalls(ClientOperations* operations, std::string cluster_id, AuditLog* audit)
      : operations_(operations), cluster_id_(std::move(cluster_id)), audit_(audit) {}

  // Handles one call, and audits it.
  template <typename Request, typename Reply>
  void Serve(CallContext& call, const Request& request, Reply* reply, CallEnd* end) const {
    Handle(call, request, reply, Audit(audit_, &call, request, end));
  }
  // The same for a call of a Session, by what it holds: UNIMPLEMENTED where this version knows no
  // such call.
  void Serve(CallContext& call, const v1::SessionCall& request, v1::SessionAnswer* answer,
             CallEnd* end) const;

  enum class Pace {
    kBatch,  // one step through the door, in well under 1 ms: with the others of its message
    kAlone,  // several steps, or none
    kLong,   // may take over 1 ms: must not keep the others waiting
  };
  Pace PaceOf(const v1::SessionCall& request) const;

 private:
  // Each fills `reply` and ends the call; the request and the context must live until the call went
  // through the door (CallContext::batch), `reply` until its end.
  void Handle(const CallContext& call, const v1::MkdirsRequest& request, v1::MkdirsReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::CreateRequest& request, v1::CreateReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::AddBlockRequest& request, v1::AddBlockReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::AbandonBlockRequest& request,
              v1::AbandonBlockReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::NewStampRequest& request, v1::NewStampReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::UpdatePipelineRequest& request,
              v1::UpdatePipelineReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::CompleteRequest& request, v1::CompleteReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::AbandonFileRequest& request,
              v1::AbandonFileReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::RenewLeaseRequest& request,
              v1::RenewLeaseReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::AppendRequest& request, v1::AppendReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::TruncateRequest& request, v1::TruncateReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::RecoverLeaseRequest& request,
              v1::RecoverLeaseReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::RenameRequest& request, v1::RenameReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::DeleteRequest& request, v1::DeleteReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::SetReplicationRequest& request,
              v1::SetReplicationReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::SetTimesRequest& request, v1::SetTimesReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::SetOwnerRequest& request, v1::SetOwnerReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::SetPermissionRequest& request,
              v1::SetPermissionReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::SetQuotaRequest& request, v1::SetQuotaReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::ConcatRequest& request, v1::ConcatReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::GetFileInfoRequest& request,
              v1::GetFileInfoReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::ListRequest& request, v1::ListReply* reply,
              CallEnd* end) const;
  void Handle(const CallContext& call, const v1::GetBlockLocationsRequest& request,
              v1::GetBlockLocationsReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::GetContentSummaryRequest& request,
              v1::GetContentSummaryReply* reply, CallEnd* end) const;
  void Handle(const CallContext& call, const v1::GetServerDefaultsRequest& request,
              v1::GetServerDefaultsReply* reply, CallEnd* end) const;

  ClientOperations* const operations_;
  const std::string cluster_id_;
  AuditLog* const audit_;
};

}  // namespace cairn::namenode
