#include "datanode/service/connect.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>

#include <chrono>
#include <string>

#include "common/net/channel.h"

namespace cairn::datanode {
namespace {

using WallClock = std::chrono::system_clock;  // gRPC's

// Null when the address does not answer until `deadline`.
std::shared_ptr<grpc::Channel> TryAddress(ChannelCache* channels, const std::string& address,
                                          WallClock::time_point deadline) {
  std::shared_ptr<grpc::Channel> channel = channels->Get(address, ChannelPurpose::kData);
  // A channel that failed earlier pauses between its tries; a new one tries now.
  if (channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) {
    channels->Drop(address);
    channel = channels->Get(address, ChannelPurpose::kData);
  }
  while (true) {
    const grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return channel;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return nullptr;
    if (!channel->WaitForStateChange(state, deadline)) return nullptr;
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectTo(ChannelCache* channels,
                                                         const Target& target, int64_t limit_ms) {
  const auto deadline = WallClock::now() + std::chrono::milliseconds(limit_ms);
  size_t left = target.addresses.size();
  for (const std::string& address : target.addresses) {
    const auto now = WallClock::now();
    const auto share = now + (deadline - now) / static_cast<int64_t>(left--);
    if (auto channel = TryAddress(channels, address, share)) return channel;
  }
  return absl::UnavailableError(fmt::format("cannot connect to {}", target.name()));
}

}  // namespace cairn::datanode
