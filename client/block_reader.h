// Reads a range of one replica from one DataNode, ahead of its caller, and checks every packet.
//
// Why a class of its own: whatever goes wrong (a node that is gone, lacks the replica, or sends
// bytes that fail their checksums) becomes one status, and whoever reads goes on elsewhere. It
// never waits, neither for the connection nor for bytes: ReplicaRace does, for several of them at
// once. Used by one thread at a time; gRPC's own threads bring the packets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "common/net/packet_message.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;
class Wakeup;

class BlockReader {
 public:
  // Bytes [offset, offset + length) of `block`, from `node`. `wakeup` is notified when Poll has
  // something new to say.
  BlockReader(ClientCore* core, v1::LocatedBlock block, v1::NodeAddress node, uint64_t offset,
              uint64_t length, std::shared_ptr<Wakeup> wakeup);
  ~BlockReader();  // breaks off
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;

  // Asks; what the DataNode says to it, and that it cannot be reached, shows in Poll.
  absl::Status Open();
  // Whether the next bytes are here: false while they are on their way. kChecksum for bytes that
  // fail their checksum, of which none is handed out. Never called beyond the range.
  absl::StatusOr<bool> Poll();
  // Hands out the next bytes, at least one and at most out.size(). After Poll said true.
  size_t Read(std::span<char> out);

  // Moves to an offset in the block that what was asked for reaches soon: in the packet that is
  // being handed out, or not far behind it. False, and nothing happens, elsewhere.
  bool Seek(uint64_t offset);

  uint64_t bytes_left() const { return end_ - position_; }
  const v1::NodeAddress& node() const { return node_; }

  // Asks the node to check its own replica. Best effort.
  void AskToVerify();

 private:
  class Stream;
  bool HasBytes() const;
  // Takes what has come from the stream; false when nothing has.
  absl::StatusOr<bool> NextPacket();
  void PointToPosition();

  ClientCore* const core_;
  const v1::LocatedBlock block_;
  const v1::NodeAddress node_;
  const uint64_t start_;  // in the block, of what was asked for
  uint64_t position_;     // in the block, of the next byte to hand out
  const uint64_t end_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<ReadPacketMessage> packet_;  // verified; bytes are handed out of it
  uint64_t packets_end_;                       // in the block, of the last packet that was taken
  absl::Cord::CharIterator next_byte_;         // in its payload, at position_
};

}  // namespace cairn
