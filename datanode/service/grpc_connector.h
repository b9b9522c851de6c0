// Streams to other DataNodes over gRPC: the pipeline's Connector.
//
// Why not the blocking API: a node whose disk hangs stays connected and merely stops answering; the
// calls here give up after a time and name it. Thread-safe. Made by the composition root, used by
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

  absl::StatusOr<std::unique_ptr<Downstream>> Connect(const WriteHeader& header,
                                                      int64_t stall_ms) override;

 private:
  ChannelCache* const channels_;
};

}  // namespace cairn::datanode
