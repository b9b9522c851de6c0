// Connecting channels, and the addresses of DataNodes.
//
// Why: every call waits for its channel (fail-fast calls alone never came back after a healed cut),
// but to wait a whole deadline for a dead peer would make every failure slow. So the connection is
// made first, under a short limit of its own. Thread-safe. For this room alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/strings.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace cairn {

class ChannelCache;
namespace v1 {
class LocatedBlock;
class NodeAddress;
}  // namespace v1

enum class OnFailure { kGiveUp, kKeepTrying };

// True once the channel is connected; false after `timeout_ms`, or after the first try that failed.
bool WaitConnected(grpc::Channel& channel, int64_t timeout_ms, OnFailure on_failure);

// Channels to DataNodes, by the first of their addresses that answers; it is remembered.
class DataNodeChannels {
 public:
  explicit DataNodeChannels(ChannelCache* channels) : channels_(channels) {}

  // A connected channel. UNAVAILABLE "cannot connect to ..." when no address answers; each one is
  // given `timeout_ms`.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const v1::NodeAddress& node,
                                                         int64_t timeout_ms)
      ABSL_LOCKS_EXCLUDED(mu_);
  // A channel for calls that fail when it cannot connect (wait_for_ready off), at once: they wait
  // while it does. Only a node with several addresses is connected first, as by Connect, to find
  // the one that answers.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Begin(const v1::NodeAddress& node,
                                                       int64_t timeout_ms) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // One that did not fail before.
  std::shared_ptr<grpc::Channel> FreshChannel(const std::string& address);
  std::shared_ptr<grpc::Channel> TryAddress(const std::string& address, int64_t timeout_ms);

  ChannelCache* const channels_;
  Mutex mu_;
  StringMap<std::string> answering_ ABSL_GUARDED_BY(mu_);  // node id -> its address
};

// Whether the NameNode knew where it is, and that it lives.
bool IsLive(const v1::NodeAddress& node);
bool HasLiveNode(const v1::LocatedBlock& block);

// How messages name a DataNode: its first address, else its id.
std::string NameOf(const v1::NodeAddress& node);

}  // namespace cairn
