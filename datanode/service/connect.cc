#include "datanode/service/connect.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>

#include <string>

#include "common/background_task.h"
#include "common/net/channel.h"
#include "common/net/grpc_deadline.h"
#include "common/steady_time.h"

namespace cairn::datanode {
namespace {

// A single failed try says little: on Linux, a handshake may be reset while the server's side of
// the connection is entered into the table of sockets. Nothing else would try again in time.
constexpr int kTries = 2;
constexpr int64_t kPauseMs = 50;

// A channel that failed earlier pauses between its tries; a new one tries now.
std::shared_ptr<grpc::Channel> FreshChannel(ChannelCache* channels, const std::string& address) {
  std::shared_ptr<grpc::Channel> channel = channels->Get(address, ChannelPurpose::kData);
  if (channel->GetState(false) != GRPC_CHANNEL_TRANSIENT_FAILURE) return channel;
  channels->Drop(address);
  return channels->Get(address, ChannelPurpose::kData);
}

// Null when the address does not answer within `limit_ms`.
std::shared_ptr<grpc::Channel> TryAddress(ChannelCache* channels, const std::string& address,
                                          int64_t limit_ms) {
  const int64_t deadline_ms = SteadyNowMs() + limit_ms;
  const gpr_timespec deadline = GrpcDeadline(limit_ms);
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0) {
      if (SteadyNowMs() + kPauseMs >= deadline_ms) return nullptr;
      PauseForMs(kPauseMs);
    }
    std::shared_ptr<grpc::Channel> channel = FreshChannel(channels, address);
    grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
    while (state != GRPC_CHANNEL_TRANSIENT_FAILURE) {
      if (state == GRPC_CHANNEL_READY) return channel;
      if (state == GRPC_CHANNEL_SHUTDOWN) return nullptr;
      if (!channel->WaitForStateChange(state, deadline)) return nullptr;
      state = channel->GetState(/*try_to_connect=*/true);
    }
  }
  return nullptr;
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
