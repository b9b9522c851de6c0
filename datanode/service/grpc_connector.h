// Streams to other DataNodes over gRPC: the pipeline's Connector.
//
// Why not the blocking API: a relay must give up waiting for an ack and go on, and a Send that
// waits must be ended by another thread. Thread-safe. Made by the composition root, used by
// receivers and copies.
#pragma once

#include <cstdint>
#include <memory>

#include "common/status.h"
#include "datanode/pipeline/streams.h"
#include "datanode/service/connect.h"

namespace cairn {
class ChannelCache;
}

namespace cairn::datanode {

class GrpcConnector final : public Connector {
 public:
  // `channels` must outlive this and all streams. A target gets `connect_ms` to be connected, and
  // as long to take the header.
  explicit GrpcConnector(ChannelCache* channels, int64_t connect_ms = kConnectMs)
      : channels_(channels), connect_ms_(connect_ms) {}

  absl::StatusOr<std::unique_ptr<Downstream>> Connect(const WriteHeader& header) override;

 private:
  ChannelCache* const channels_;
  const int64_t connect_ms_;
};

}  // namespace cairn::datanode
