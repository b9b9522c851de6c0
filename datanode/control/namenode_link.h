// The calls of control.proto to whichever of the given NameNodes answers.
//
// Why: every call has a deadline and can be ended at once when the daemon stops; one that fails on
// its way, or meets a NameNode that is not active, makes the next call try the next address.
// Thread-safe. Used by the control session.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "common/net/address.h"
#include "common/status.h"
#include "proto/control.pb.h"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace cairn::datanode {

class NameNodeLink {
 public:
  explicit NameNodeLink(std::vector<HostPort> namenodes);
  ~NameNodeLink();

  absl::StatusOr<v1::RegisterReply> Register(const v1::RegisterRequest& request);
  absl::StatusOr<v1::HeartbeatReply> Heartbeat(const v1::HeartbeatRequest& request);
  absl::Status IncrementalReport(const v1::IncrementalReportRequest& request);
  absl::Status BadReplica(const v1::BadReplicaRequest& request);
  absl::Status CommitRecovery(const v1::CommitRecoveryRequest& request);
  // `next` fills in one piece after another and returns false behind the last.
  absl::Status FullReport(const std::function<bool(v1::FullReportPiece*)>& next);

  // The NameNode that calls go to now.
  HostPort peer() const ABSL_LOCKS_EXCLUDED(mu_);
  // Ends all calls, and later ones at once.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Runs call(channel, context) with this deadline and turns its outcome into ours.
  template <typename Call>
  absl::Status Run(int64_t deadline_ms, Call call) ABSL_LOCKS_EXCLUDED(mu_);
  // Moves on from NameNodes that cannot be reached, as long as there are others. False: none can.
  bool ChooseConnected() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Finish(grpc::ClientContext* context, size_t used, const grpc::Status& status)
      ABSL_LOCKS_EXCLUDED(mu_);

  const std::vector<HostPort> namenodes_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;  // one each

  mutable Mutex mu_;
  size_t current_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
