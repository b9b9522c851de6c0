// One pipeline of a block: packets to the first DataNode, acks back from all, until the block is
// finished or a node fails.
//
// Why a class of its own: everything that can go wrong on the way (a node refuses, breaks off,
// falls silent, is slow, or has too little of the block at the end) becomes one status and the
// nodes to leave out; BlockWriter then goes on with another pipeline. Used by one thread,
// BlockWriter's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "client/write_stream.h"
#include "common/consistency.h"
#include "common/ids.h"
#include "proto/data_transfer.pb.h"
#include "proto/namenode.pb.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

class BlockPipeline {
 public:
  using Packet = WriteStream::Packet;

  struct Spec {
    v1::LocatedBlock target;  // the block, its nodes in order
    uint64_t max_length = 0;  // bytes that may come, in all
    Consistency consistency = Consistency::kStrong;
    bool find_slow_nodes = true;
    const std::atomic<bool>* stopped = nullptr;  // ends it soon; null: nobody stops it
    // Of a pipeline that goes on with replicas that are there, else unset: what they must have.
    uint64_t from_generation = 0;
    uint64_t from_length = 0;
  };

  BlockPipeline(ClientCore* core, Spec spec);
  ~BlockPipeline();  // breaks off what is not finished
  BlockPipeline(const BlockPipeline&) = delete;
  BlockPipeline& operator=(const BlockPipeline&) = delete;

  // Connects and waits until every node says that it is ready.
  absl::Status Open();
  // Numbers the packet and hands it on; waits while the window is full.
  absl::Status Send(Packet packet);
  // Until every node has all that was sent.
  absl::Status WaitForAcks();
  // After the packet marked `last` was acknowledged: whether at least `min_replicas` nodes have the
  // block of `length` bytes, as its consistency asks it.
  absl::Status Finish(uint64_t length, uint32_t min_replicas);

  uint64_t acked_seq();  // of the packets that were sent; 0: none
  // After Finish: the block, with the storages that hold it.
  const v1::FinishedBlock& finished() const { return finished_; }
  // After an error: the nodes to blame, and who is before the first of them (0: the writer).
  const std::vector<NodeNumber>& failed_nodes() const { return failed_nodes_; }
  NodeNumber before_failed() const { return before_failed_; }

 private:
  absl::Status Take(absl::Status status);  // notes who failed
  v1::WritePacket Header() const;
  bool Holds(const v1::NodeAck& node, uint64_t length) const;

  ClientCore* const core_;
  const Spec spec_;
  std::unique_ptr<WriteStream> stream_;
  std::vector<NodeNumber> failed_nodes_;
  NodeNumber before_failed_ = 0;
  v1::FinishedBlock finished_;
};

}  // namespace cairn
