// Reads a range of one replica: out of its files where its DataNode is on this host and passes
// them, else over TCP. The one place where that is decided.
//
// Why: whatever goes wrong with local files, a cut in the middle, bytes that fail their checksums,
// the same node is asked for the rest over TCP: it knows whether the replica is gone, stale or bad,
// and its answer counts. So the caller sees one stream, and errors of the node alone. Waits at most
// for a node on this host to pass files, in Open. Of one thread at a time. Used by ReplicaRace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "client/block_reader.h"
#include "client/local_reader.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;
class Wakeup;

class LocalFirstReader {
 public:
  // As BlockReader's.
  LocalFirstReader(ClientCore* core, v1::LocatedBlock block, v1::NodeAddress node, uint64_t offset,
                   uint64_t length, std::shared_ptr<Wakeup> wakeup);
  ~LocalFirstReader();  // breaks off
  LocalFirstReader(const LocalFirstReader&) = delete;
  LocalFirstReader& operator=(const LocalFirstReader&) = delete;

  absl::Status Open();
  absl::StatusOr<bool> Poll();
  // After Poll said true. 0: the local files failed, and the node is asked; Poll tells.
  size_t Read(std::span<char> out);
  bool Seek(uint64_t offset);
  // Reads on to `end` in the block. False, and nothing happens, over TCP.
  bool Extend(uint64_t end);
  uint64_t bytes_left() const { return end_ - position_; }
  const v1::NodeAddress& node() const { return node_; }

  // Asks the node to check its own replica. Best effort.
  void AskToVerify();

 private:
  void OpenRemote();

  ClientCore* const core_;
  const v1::LocatedBlock block_;
  const v1::NodeAddress node_;
  uint64_t position_;  // in the block, of the next byte to hand out
  uint64_t end_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::unique_ptr<LocalReader> local_;  // one of the two is there once it is open
  std::unique_ptr<BlockReader> remote_;
  absl::Status remote_opened_;
};

}  // namespace cairn
