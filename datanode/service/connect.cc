#include "datanode/service/connect.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>

#include <string>

#include "common/net/channel.h"
#include "common/net/grpc_deadline.h"
#include "common/steady_time.h"

namespace cairn::datanode {
namespace {

// Null when the address does not answer within `limit_ms`.
std::shared_ptr<grpc::Channel> TryAddress(ChannelCache* channels, const std::string& address,
                                          int64_t limit_ms) {
  const gpr_timespec deadline = GrpcDeadline(limit_ms);
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
  const int64_t deadline_ms = SteadyNowMs() + limit_ms;
  auto left = static_cast<int64_t>(target.addresses.size());
  for (const std::string& address : target.addresses) {
    const int64_t share_ms = (deadline_ms - SteadyNowMs()) / left--;
    if (auto channel = TryAddress(channels, address, share_ms)) return channel;
  }
  return absl::UnavailableError(fmt::format("cannot connect to {}", target.name()));
}

}  // namespace cairn::datanode
