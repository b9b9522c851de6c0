#include "client/connect.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>

#include <algorithm>
#include <vector>

#include "common/net/channel.h"
#include "common/net/grpc_deadline.h"
#include "common/status.h"
#include "proto/types.pb.h"

namespace cairn {

bool WaitConnected(grpc::Channel& channel, int64_t timeout_ms, OnFailure on_failure) {
  const gpr_timespec deadline = GrpcDeadline(timeout_ms);
  while (true) {
    const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return true;
    if (state == GRPC_CHANNEL_SHUTDOWN) return false;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE && on_failure == OnFailure::kGiveUp) return false;
    if (!channel.WaitForStateChange(state, deadline)) return false;
  }
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> DataNodeChannels::Connect(
    const v1::NodeAddress& node, int64_t timeout_ms) {
  std::vector<std::string> addresses(node.addresses().begin(), node.addresses().end());
  {
    MutexLock lock(mu_);
    if (const auto it = answering_.find(node.id()); it != answering_.end()) {
      // An address that the node no longer has is not tried.
      const auto known = std::find(addresses.begin(), addresses.end(), it->second);
      if (known != addresses.end()) std::rotate(addresses.begin(), known, known + 1);
    }
  }
  for (const std::string& address : addresses) {
    std::shared_ptr<grpc::Channel> channel = TryAddress(address, timeout_ms);
    if (channel == nullptr) continue;
    // Most nodes have one address: nothing to remember.
    if (node.addresses_size() > 1) {
      MutexLock lock(mu_);
      answering_.insert_or_assign(node.id(), address);
    }
    return channel;
  }
  return absl::UnavailableError(fmt::format("cannot connect to DataNode {}", NameOf(node)));
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> DataNodeChannels::Begin(const v1::NodeAddress& node,
                                                                       int64_t timeout_ms) {
  if (node.addresses_size() == 1) return FreshChannel(node.addresses(0));
  return Connect(node, timeout_ms);
}

std::shared_ptr<grpc::Channel> DataNodeChannels::FreshChannel(const std::string& address) {
  std::shared_ptr<grpc::Channel> channel = channels_->Get(address, ChannelPurpose::kData);
  // A channel that failed earlier pauses between its tries; a new one tries now.
  if (channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) {
    channels_->Drop(address);
    channel = channels_->Get(address, ChannelPurpose::kData);
  }
  return channel;
}

std::shared_ptr<grpc::Channel> DataNodeChannels::TryAddress(const std::string& address,
                                                            int64_t timeout_ms) {
  std::shared_ptr<grpc::Channel> channel = FreshChannel(address);
  return WaitConnected(*channel, timeout_ms, OnFailure::kGiveUp) ? channel : nullptr;
}

bool IsLive(const v1::NodeAddress& node) { return node.addresses_size() > 0; }

bool HasLiveNode(const v1::LocatedBlock& block) {
  return std::any_of(block.nodes().begin(), block.nodes().end(), IsLive);
}

std::string NameOf(const v1::NodeAddress& node) {
  return node.addresses_size() > 0 ? node.addresses(0) : node.id();
}

}  // namespace cairn
