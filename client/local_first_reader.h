// Reads a range of one replica: out of its files where its DataNode is on this host and passes
// them, else over TCP. The one place where that is decided.
//
// Why: whatever goes wrong with local files, a cut in the middle, bytes that fail their checksums,
// the same node is asked for the rest over TCP: it knows whether the replica is gone, stale or bad,
// and its answer counts. So the caller sees one stream, and errors of the node alone. Of one thread
// at a time. Used by FileReader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "client/block_reader.h"
#include "client/block_source.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

class LocalFirstReader final : public BlockSource {
 public:
  // As BlockReader's.
  LocalFirstReader(ClientCore* core, v1::LocatedBlock block, v1::NodeAddress node, uint64_t offset,
                   uint64_t length, int64_t stall_ms);
  ~LocalFirstReader() override;
  LocalFirstReader(const LocalFirstReader&) = delete;
  LocalFirstReader& operator=(const LocalFirstReader&) = delete;

  absl::Status Open() override;
  absl::StatusOr<size_t> Read(std::span<char> out) override;
  uint64_t bytes_left() const override { return end_ - position_; }

  const v1::LocatedBlock& block() const { return block_; }
  const v1::NodeAddress& node() const { return node_; }

  // Asks the node to check its own replica. Best effort.
  void AskToVerify();

 private:
  absl::Status OpenRemote();

  ClientCore* const core_;
  const v1::LocatedBlock block_;
  const v1::NodeAddress node_;
  uint64_t position_;  // in the block, of the next byte to hand out
  const uint64_t end_;
  const int64_t stall_ms_;
  std::unique_ptr<BlockSource> local_;  // at most one of the two is there
  std::unique_ptr<BlockReader> remote_;
};

}  // namespace cairn
