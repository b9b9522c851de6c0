// A channel to another DataNode that is known to be connected.
//
// Why: a call on a channel that is not connected waits for as long as the call may last; whom a
// pipeline or a recovery cannot reach it must know at once. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "common/status.h"
#include "datanode/pipeline/messages.h"

namespace grpc {
class Channel;
}
namespace cairn {
class ChannelCache;
}

namespace cairn::datanode {

// All addresses together get this long.
inline constexpr int64_t kConnectMs = 1'500;

// UNAVAILABLE when no address answers.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectTo(ChannelCache* channels,
                                                         const Target& target,
                                                         int64_t limit_ms = kConnectMs);

}  // namespace cairn::datanode
