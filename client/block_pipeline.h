// One try at writing one block: packets to the first DataNode of a pipeline, acks back from all.
//
// Why a class of its own: everything that can go wrong on the way (a node refuses, breaks off,
// falls silent, or has too little on disk at the end) becomes one status and one node to leave out;
// the writer then tries again with another pipeline. Used by one thread, FileWriter's; gRPC's own
// threads bring the acks.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "proto/data_transfer.pb.h"
#include "proto/namenode.pb.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

class BlockPipeline {
 public:
  using Packet = std::shared_ptr<const v1::WritePacket>;

  // `target`: the block with its nodes in order; at most `max_length` bytes will come.
  BlockPipeline(ClientCore* core, v1::LocatedBlock target, uint64_t max_length);
  ~BlockPipeline();  // breaks off what is not finished
  BlockPipeline(const BlockPipeline&) = delete;
  BlockPipeline& operator=(const BlockPipeline&) = delete;

  // Connects and waits until every node says that it is ready.
  absl::Status Open();
  // Hands a packet on, and waits while the window is full.
  absl::Status Send(Packet packet);
  // After the packet marked `last`: waits until the block is on disk. Fails when fewer than
  // `min_replicas` nodes have all `length` bytes durable.
  absl::Status Finish(uint64_t length, uint32_t min_replicas);

  // After Finish: the block, with the storages that hold it.
  const v1::FinishedBlock& finished() const { return finished_; }
  // After an error: the node to leave out of the next try.
  const v1::NodeAddress& failed_node() const;

 private:
  class Stream;

  ClientCore* const core_;
  const v1::LocatedBlock target_;
  const uint64_t max_length_;
  std::unique_ptr<Stream> stream_;
  int failed_index_ = 0;  // in target_.nodes
  v1::FinishedBlock finished_;
};

}  // namespace cairn
