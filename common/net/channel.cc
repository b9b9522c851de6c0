#include "common/net/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "common/net/grpc_deadline.h"
#include "common/net/grpc_log.h"
#include "common/steady_waits.h"

namespace cairn {

std::shared_ptr<grpc::Channel> MakeChannel(std::string_view address, ChannelPurpose purpose) {
  KeepWaitsSteady();
  RouteGrpcLog();
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(-1);
  args.SetMaxSendMessageSize(-1);

  // A peer that went silent under a call is noticed within 10 s (15 s for metadata), however long
  // the call may last.
  const bool data = purpose == ChannelPurpose::kData;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, data ? 5'000 : 10'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);

  // A node that comes back is used at once: short pauses between tries, and no try hangs for gRPC's
  // 20 s.
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 3'000);  // this one also bounds a single try
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);

  // Nodes talk to each other directly: no proxy from the environment, no service config from DNS.
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  if (data) {
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);             // which would keep copies of packets
  }
  return grpc::CreateCustomChannel(std::string(address), grpc::InsecureChannelCredentials(), args);
}

void SetupContext(grpc::ClientContext& context, int64_t deadline_ms) {
  context.set_wait_for_ready(true);
  context.set_deadline(GrpcDeadline(deadline_ms));
}

std::shared_ptr<grpc::Channel> ChannelCache::Get(std::string_view address, ChannelPurpose purpose) {
  MutexLock lock(mu_);
  auto& channels = purpose == ChannelPurpose::kData ? data_ : metadata_;
  if (const auto it = channels.find(address); it != channels.end()) return it->second;
  return channels.emplace(std::string(address), MakeChannel(address, purpose)).first->second;
}

void ChannelCache::Drop(std::string_view address) {
  std::shared_ptr<grpc::Channel> metadata, data;  // ends after the lock
  MutexLock lock(mu_);
  if (const auto it = metadata_.find(address); it != metadata_.end()) {
    metadata = std::move(it->second);
    metadata_.erase(it);
  }
  if (const auto it = data_.find(address); it != data_.end()) {
    data = std::move(it->second);
    data_.erase(it);
  }
}

size_t ChannelCache::size() const {
  MutexLock lock(mu_);
  return metadata_.size() + data_.size();
}

}  // namespace cairn
