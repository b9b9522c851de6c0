// The members of a block recovery over gRPC, this node included: DataTransfer's StartRecovery and
// FinishRecovery. Thread-safe. Made by the composition root.
#pragma once

#include <cstdint>
#include <set>

#include "common/mutex.h"
#include "common/status.h"
#include "datanode/pipeline/block_recovery.h"
#include "datanode/service/connect.h"

namespace grpc {
class ClientContext;
}
namespace cairn {
class ChannelCache;
}

namespace cairn::datanode {

class GrpcRecoveryPeers final : public RecoveryPeers {
 public:
  // `channels` must outlive this. `connect_ms`: for all addresses of a member.
  explicit GrpcRecoveryPeers(ChannelCache* channels, int64_t connect_ms = kConnectMs)
      : channels_(channels), connect_ms_(connect_ms) {}

  absl::StatusOr<RecoveryAnswer> Start(const Target& member, const Block& block,
                                       GenerationStamp recovery) override;
  absl::StatusOr<StorageNumber> Finish(const Target& member, const Block& block,
                                       GenerationStamp recovery) override;
  void Stop() override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Runs call(stub, context) at the member and turns its outcome into ours.
  template <typename Call>
  absl::Status Run(const Target& member, int64_t deadline_ms, Call call) ABSL_LOCKS_EXCLUDED(mu_);

  ChannelCache* const channels_;
  const int64_t connect_ms_;

  Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
