// Client channels, made the same way everywhere.
//
// Why: fail-fast calls alone never came back after a healed cut, a silent peer must be noticed in
// seconds, and a default message limit of 4 MiB shows only when a stream ends. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/mutex.h"
#include "common/strings.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace cairn {

// Data channels have connections of their own: a packet stream must not delay a heartbeat.
enum class ChannelPurpose { kMetadata, kData };

// To "host:port". Connects when first used; plaintext until tokens and TLS are there.
std::shared_ptr<grpc::Channel> MakeChannel(std::string_view address, ChannelPurpose purpose);

// Every call: wait_for_ready (a channel that was cut connects again) and a deadline in ms from now.
void SetupContext(grpc::ClientContext& context, int64_t deadline_ms);

// One channel an address and purpose.
class ChannelCache {
 public:
  std::shared_ptr<grpc::Channel> Get(std::string_view address, ChannelPurpose purpose)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Forgets the channels to an address (its node is gone); calls on them go on.
  void Drop(std::string_view address) ABSL_LOCKS_EXCLUDED(mu_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;
  StringMap<std::shared_ptr<grpc::Channel>> metadata_ ABSL_GUARDED_BY(mu_);
  StringMap<std::shared_ptr<grpc::Channel>> data_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
