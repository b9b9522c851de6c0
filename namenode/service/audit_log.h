// The audit log: a line for every call of a client or an administrator, allowed or refused.
//
// Why here: calls of all transports are translated in this room, and this is where their outcome is
// released. The format is HDFS's, `key=value` pairs; docs/operations.md has fields and quoting:
//     2026-11-28T02:11:05.123Z allowed=true ugi=alice ip=10.0.0.1 cmd=rename src=/a dst=/b
//     perm=alice:staff:0644
// Writing never waits: lines go to a LineLog, which drops and counts what it has no room for.
// Thread-safe. Used by the services; made by the composition root.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "namenode/namesystem/client_operations.h"
#include "namenode/service/reactors.h"
#include "proto/admin.pb.h"
#include "proto/namenode.pb.h"

namespace cairn {
class Clock;
class LineLog;
}  // namespace cairn

namespace cairn::namenode {

// What a call asks for, in the audit log's words.
struct AuditedCall {
  std::string_view cmd;  // HDFS's name of the operation, where it has one
  std::string src;       // a path; empty: none
  std::string dst;
  uint64_t inode = 0;  // of calls of a file's writer, which name no path
};

// One overload for each request that is audited; requests without one are not.
AuditedCall DescribeCall(const v1::MkdirsRequest& request);
AuditedCall DescribeCall(const v1::CreateRequest& request);
AuditedCall DescribeCall(const v1::AddBlockRequest& request);
AuditedCall DescribeCall(const v1::AbandonBlockRequest& request);
AuditedCall DescribeCall(const v1::NewStampRequest& request);
AuditedCall DescribeCall(const v1::UpdatePipelineRequest& request);
AuditedCall DescribeCall(const v1::CompleteRequest& request);
AuditedCall DescribeCall(const v1::AbandonFileRequest& request);
AuditedCall DescribeCall(const v1::AppendRequest& request);
AuditedCall DescribeCall(const v1::TruncateRequest& request);
AuditedCall DescribeCall(const v1::RecoverLeaseRequest& request);
AuditedCall DescribeCall(const v1::RenameRequest& request);
AuditedCall DescribeCall(const v1::DeleteRequest& request);
AuditedCall DescribeCall(const v1::SetReplicationRequest& request);
AuditedCall DescribeCall(const v1::SetTimesRequest& request);
AuditedCall DescribeCall(const v1::SetOwnerRequest& request);
AuditedCall DescribeCall(const v1::SetPermissionRequest& request);
AuditedCall DescribeCall(const v1::SetQuotaRequest& request);
AuditedCall DescribeCall(const v1::ConcatRequest& request);
AuditedCall DescribeCall(const v1::GetFileInfoRequest& request);
AuditedCall DescribeCall(const v1::ListRequest& request);
AuditedCall DescribeCall(const v1::GetBlockLocationsRequest& request);
AuditedCall DescribeCall(const v1::GetContentSummaryRequest& request);
AuditedCall DescribeCall(const v1::SafeModeRequest& request);
AuditedCall DescribeCall(const v1::SetAdminStateRequest& request);
AuditedCall DescribeCall(const v1::CheckpointRequest& request);
AuditedCall DescribeCall(const v1::BalanceRequest& request);
AuditedCall DescribeCall(const v1::RepairRequest& request);

// The address in what gRPC says of a peer: "10.0.0.1" of "ipv4:10.0.0.1:4711", "::1" of
// "ipv6:%5B::1%5D:4711"; all of it when it is neither.
std::string PeerIp(std::string_view peer);

// A call from its arrival to its outcome.
struct AuditRecord {
  AuditedCall call;
  std::string user;
  std::string ip;
  std::string perm;  // "owner:group:mode" of what the call left; filled by the operation
};

// Appends the line of a call with this outcome to `out`, without a newline.
void AppendAuditLine(const AuditRecord& record, const absl::Status& outcome, int64_t wall_ms,
                     std::string* out);

class AuditLog {
 public:
  AuditLog(LineLog* lines, Clock* clock) : lines_(lines), clock_(clock) {}

  void Write(const AuditRecord& record, const absl::Status& outcome);

 private:
  LineLog* const lines_;
  Clock* const clock_;
};

// Writes the line of a call at its end; it owns itself.
class AuditedEnd final : public CallEnd {
 public:
  AuditedEnd(AuditLog* log, AuditRecord record, CallEnd* end)
      : log_(log), record_(std::move(record)), end_(end) {}
  std::string* perm() { return &record_.perm; }
  void End(const absl::Status& status) override {
    log_->Write(record_, status);
    end_->End(status);
    delete this;
  }

 private:
  AuditLog* const log_;
  AuditRecord record_;
  CallEnd* const end_;
};

// The end of a call as it is to be given to the operation: with its line in the log, if there is a
// log and the call is one of those that are audited.
template <typename Request>
CallEnd* Audit(AuditLog* log, CallContext* call, const Request& request, CallEnd* end) {
  call->perm = nullptr;
  if constexpr (requires { DescribeCall(request); }) {
    if (log == nullptr) return end;
    auto* audited =
        new AuditedEnd(log, {DescribeCall(request), call->caller.user, call->ip, ""}, end);
    call->perm = audited->perm();
    return audited;
  }
  return end;
}

// The same for a unary call of nobody valid: it ends.
template <typename Request>
void EndRefused(AuditLog* log, const Request& request, std::string ip, CallEnd* end,
                const absl::Status& refusal) {
  CallContext call;
  call.caller.user = request.caller().user();
  call.ip = std::move(ip);
  Audit(log, &call, request, end)->End(refusal);
}

// The line that stands for `count` others that were dropped.
std::string DroppedAuditLine(Clock& clock, uint64_t count);

}  // namespace cairn::namenode
