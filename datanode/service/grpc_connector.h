// Streams to other DataNodes over gRPC: the pipeline's Connector.
//
// Why not the blocking API: a relay must give up waiting for an ack and go on, and a Send that
// waits must be ended by another thread. Thread-safe. Made by the composition root, used by
// receivers and copies.
#pragma once

#include <memory>

#include "common/status.h"
#include "datanode/pipeline/streams.h"

namespace cairn {
class ChannelCache;
}

namespace cairn::datanode {

class GrpcConnector final : public Connector {
 public:
  // `channels` must outlive this and all streams.
  explicit GrpcConnector(ChannelCache* channels) : channels_(channels) {}

  absl::StatusOr<std::unique_ptr<Downstream>> Connect(const WriteHeader& header) override;

 private:
  ChannelCache* const channels_;
};

}  // namespace cairn::datanode
