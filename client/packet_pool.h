// Packets whose memory is used again once the last who shared them, gRPC among them, has let go.
//
// Why: a packet holds about 1 MiB, which the system would have to clear for every new one. As many
// are kept as were in use at once. Thread-safe; packets may outlive their pool. For FileBlocks.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "proto/data_transfer.pb.h"

namespace cairn {

class PacketPool {
 public:
  // An empty packet.
  std::shared_ptr<v1::WritePacket> Take() { return TakeSized(0); }
  // A packet with a payload of `size` bytes, whatever they are, to be written over.
  std::shared_ptr<v1::WritePacket> TakeSized(size_t size) {
    std::unique_ptr<v1::WritePacket> packet = spare_->Take();
    if (packet == nullptr) packet = std::make_unique<v1::WritePacket>();
    packet->mutable_payload()->resize(size);
    return {packet.release(), [spare = spare_](v1::WritePacket* used) { spare->Give(used); }};
  }

 private:
  class Spare {
   public:
    std::unique_ptr<v1::WritePacket> Take() {
      MutexLock lock(mu_);
      if (packets_.empty()) return nullptr;
      std::unique_ptr<v1::WritePacket> packet = std::move(packets_.back());
      packets_.pop_back();
      return packet;
    }
    void Give(v1::WritePacket* used) {
      std::string payload = std::move(*used->mutable_payload());
      used->Clear();
      *used->mutable_payload() = std::move(payload);  // of the same size, it need not be cleared
      MutexLock lock(mu_);
      packets_.emplace_back(used);
    }

   private:
    Mutex mu_;
    std::vector<std::unique_ptr<v1::WritePacket>> packets_ ABSL_GUARDED_BY(mu_);
  };

  const std::shared_ptr<Spare> spare_ = std::make_shared<Spare>();
};

}  // namespace cairn
