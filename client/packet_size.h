// How large a client makes its write packets.
//
// Why: a node says that it lives while it owes an acknowledgement, and it owes none for a packet
// that is still on its way. Over a slow link a large packet would be a silence that looks like a
// failure. So a client starts with small packets and doubles them while they are served quickly.
// Shared by all files of a client. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "common/ids.h"

namespace cairn {

class PacketSize {
 public:
  // `max_bytes`: a multiple of a chunk.
  explicit PacketSize(uint64_t max_bytes)
      : max_bytes_(max_bytes), bytes_(std::min(max_bytes, kStartBytes)) {}

  // A multiple of a chunk.
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // A packet of `packet_bytes` kept the pipeline busy for `us`.
  void Served(uint64_t packet_bytes, int64_t us) {
    const uint64_t now = bytes();
    if (us > kTooLongUs) {
      bytes_.store(std::max(now / 2 / kChunkBytes, uint64_t{1}) * kChunkBytes,
                   std::memory_order_relaxed);
    } else if (us < kQuickUs && packet_bytes >= now) {
      bytes_.store(std::min(now * 2, max_bytes_), std::memory_order_relaxed);
    }
  }

 private:
  static constexpr uint64_t kStartBytes = 64 << 10;
  static constexpr int64_t kQuickUs = 125'000;
  static constexpr int64_t kTooLongUs = 500'000;  // a quarter of what counts as silence

  const uint64_t max_bytes_;
  std::atomic<uint64_t> bytes_;
};

}  // namespace cairn
