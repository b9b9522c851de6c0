// The NameNode's calls, as the rest of the library makes them.
//
// Why: retries, deadlines, call ids and failover live here and nowhere else. A call that changes
// something gets its call id once and keeps it through all its tries, so that it happens at most
// once (P5). A call is tried again, with growing pauses, after a failure on the way, in safe mode,
// at a NameNode that is not the active one (the next address is tried then), and, for Complete,
// while too few replicas are known; until its timeout. Then: kClusterUnreachable with one clear
// line, or the NameNode's own last refusal. Callers share Session streams (namenode_session.h);
// administrators' calls, and all calls to a NameNode that has no Sessions, are unary. Thread-safe.
// For this room alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/namenode_options.h"
#include "proto/admin.pb.h"
#include "proto/namenode.pb.h"

namespace cairn {

class ChannelCache;
class Clock;
class NameNodeEndpoints;

class NameNodeClient {
 public:
  using Options = NameNodeOptions;

  // The cache and the clock must outlive it.
  NameNodeClient(Options options, ChannelCache* channels, Clock* clock);
  ~NameNodeClient();
  NameNodeClient(const NameNodeClient&) = delete;
  NameNodeClient& operator=(const NameNodeClient&) = delete;

  // 16 random bytes, for the life of this client; leases are held under it.
  const std::string& client_id() const;

  // What calls that wait in no thread share with these (async_calls.h).
  NameNodeEndpoints& endpoints();

  // Every call fills request.caller. `timeout_ms` 0: that of the options.
  absl::StatusOr<v1::MkdirsReply> Mkdirs(v1::MkdirsRequest request);
  absl::StatusOr<v1::CreateReply> Create(v1::CreateRequest request);
  absl::StatusOr<v1::AddBlockReply> AddBlock(v1::AddBlockRequest request);
  absl::StatusOr<v1::AbandonBlockReply> AbandonBlock(v1::AbandonBlockRequest request);
  absl::StatusOr<v1::NewStampReply> NewStamp(v1::NewStampRequest request);
  absl::StatusOr<v1::UpdatePipelineReply> UpdatePipeline(v1::UpdatePipelineRequest request);
  absl::StatusOr<v1::CompleteReply> Complete(v1::CompleteRequest request);
  absl::StatusOr<v1::AbandonFileReply> AbandonFile(v1::AbandonFileRequest request,
                                                   int64_t timeout_ms = 0);
  absl::StatusOr<v1::RenewLeaseReply> RenewLease(int64_t timeout_ms);
  absl::StatusOr<v1::AppendReply> Append(v1::AppendRequest request);
  absl::StatusOr<v1::TruncateReply> Truncate(v1::TruncateRequest request);
  absl::StatusOr<v1::RecoverLeaseReply> RecoverLease(v1::RecoverLeaseRequest request);
  absl::StatusOr<v1::RenameReply> Rename(v1::RenameRequest request);
  absl::StatusOr<v1::DeleteReply> Delete(v1::DeleteRequest request);
  absl::StatusOr<v1::SetReplicationReply> SetReplication(v1::SetReplicationRequest request);
  absl::StatusOr<v1::SetTimesReply> SetTimes(v1::SetTimesRequest request);
  absl::StatusOr<v1::SetOwnerReply> SetOwner(v1::SetOwnerRequest request);
  absl::StatusOr<v1::SetPermissionReply> SetPermission(v1::SetPermissionRequest request);
  absl::StatusOr<v1::SetQuotaReply> SetQuota(v1::SetQuotaRequest request);
  absl::StatusOr<v1::ConcatReply> Concat(v1::ConcatRequest request);

  absl::StatusOr<v1::GetFileInfoReply> GetFileInfo(v1::GetFileInfoRequest request);
  absl::StatusOr<v1::ListReply> List(v1::ListRequest request);
  absl::StatusOr<v1::GetBlockLocationsReply> GetBlockLocations(
      v1::GetBlockLocationsRequest request);
  absl::StatusOr<v1::GetContentSummaryReply> GetContentSummary(
      v1::GetContentSummaryRequest request);
  absl::StatusOr<v1::GetServerDefaultsReply> GetServerDefaults(int64_t timeout_ms = 0);

  absl::StatusOr<v1::ReportReply> Report();
  absl::StatusOr<v1::HealthReply> Health(v1::HealthRequest request);
  absl::StatusOr<v1::SafeModeReply> SafeMode(v1::SafeModeRequest request);
  absl::StatusOr<v1::CheckpointReply> Checkpoint();
  absl::StatusOr<v1::SetAdminStateReply> SetAdminState(v1::SetAdminStateRequest request);
  absl::StatusOr<v1::BalanceReply> Balance(v1::BalanceRequest request);
  absl::StatusOr<v1::RepairReply> Repair(v1::RepairRequest request);

  // Who this client says it is, for calls to others than the NameNode.
  v1::Caller Identity() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cairn
