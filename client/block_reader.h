// Reads a range of one replica from one DataNode, ahead of its caller, and checks every packet.
//
// Why a class of its own: whatever goes wrong (a node that is gone, silent, lacks the replica, or
// sends bytes that fail their checksums) becomes one status, and FileReader goes on elsewhere. Used
// by one thread at a time; gRPC's own threads bring the packets. Made by LocalFirstReader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "client/block_source.h"
#include "common/net/packet_message.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

class BlockReader final : public BlockSource {
 public:
  // Bytes [offset, offset + length) of `block`, from `node`, which has failed when it sends nothing
  // for `stall_ms`.
  BlockReader(ClientCore* core, v1::LocatedBlock block, v1::NodeAddress node, uint64_t offset,
              uint64_t length, int64_t stall_ms);
  ~BlockReader() override;
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;

  // Connects and asks; errors of the DataNode show in Read.
  absl::Status Open() override;
  // None of the bytes that fail their checksum is handed out.
  absl::StatusOr<size_t> Read(std::span<char> out) override;
  uint64_t bytes_left() const override { return end_ - position_; }

  // Asks the node to check its own replica. Best effort.
  void AskToVerify();

 private:
  class Stream;
  absl::Status NextPacket();

  ClientCore* const core_;
  const v1::LocatedBlock block_;
  const v1::NodeAddress node_;
  uint64_t position_;  // in the block, of the next byte to hand out
  const uint64_t end_;
  const int64_t stall_ms_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<ReadPacketMessage> packet_;  // verified; bytes are handed out of it
  absl::Cord::CharIterator next_byte_;         // in its payload, at position_
};

}  // namespace cairn
