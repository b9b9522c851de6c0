// Gets a block of a file onto DataNodes, packet by packet.
//
// It goes through one pipeline at a time. When that fails before anything was acknowledged,
// the block is abandoned and another one takes its place; else PipelineRecovery gets the block
// going again. Packets are kept until every node has acknowledged them: after a failure those that
// are left are sent again. Not thread-safe: one writer. Used by FileBlocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/block_pipeline.h"
#include "client/pipeline_recovery.h"
#include "client/write_tries.h"
#include "proto/namenode.pb.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

class BlockWriter {
 public:
  using Packet = BlockPipeline::Packet;

  // The core and `stopped`, which ends all tries, must outlive it. `before`: the writer of the
  // block before it, whose experience it shares; null: none.
  BlockWriter(ClientCore* core, WrittenFile file, const std::atomic<bool>* stopped,
              BlockWriter* before);

  // A block that the NameNode gave with the file.
  void StartBlock(v1::LocatedBlock target) { state_.target = std::move(target); }
  // A block that has bytes already: packets go on at its end.
  void ResumeBlock(v1::LocatedBlock target);
  bool has_block() const { return state_.target.has_block(); }

  // Sends a packet that is complete but for its seq. Waits while too many are on their way.
  absl::Status Send(Packet packet);
  // Until every node of the pipeline has what was sent. A user may count on it from now on.
  absl::Status Flush();
  // Sends the packet marked `last`, and waits until the block of `length` bytes is finished.
  absl::Status Finish(Packet last, uint64_t length);
  // Gives up a block that nothing was written to.
  absl::Status AbandonBlock();
  // Ends the pipeline at once, whatever is on its way.
  void BreakOff() { pipeline_.reset(); }

  // Nodes have acknowledged bytes of it: whatever happens, no other block takes its place.
  bool stays() const { return state_.acked > 0; }

  // The block before it has ended: takes over what that one's writer learned, and what the NameNode
  // was not told of yet; it is with the next question for a block.
  void TakeOver(BlockWriter& ended);
  std::vector<v1::FinishedBlock> TakeFinished() { return std::exchange(finished_, {}); }

 private:
  // What is done with the packets.
  enum class Goal { kSend, kFlush, kFinish };

  absl::Status Reach(Goal goal);
  absl::Status Push(Goal goal);
  absl::Status EnsurePipeline(const absl::Status& failure);
  absl::Status OpenNewBlock(absl::Status failure);
  absl::Status EnsureTarget();
  absl::Status AskForTarget();
  // After the NameNode named nodes for another try: leaves out those that do not answer.
  absl::Status CheckTarget();
  // The pipeline failed. OK: another one is to be tried.
  absl::Status GiveUpPipeline(const absl::Status& failure);
  // Forgets packets that were acknowledged.
  void Collect();
  void BlockIsFinished();

  ClientCore* const core_;
  const WrittenFile file_;
  WriteTries tries_;

  // The block being written.
  PipelineRecovery::State state_;  // without a target, the NameNode must be asked for one
  std::unique_ptr<BlockPipeline> pipeline_;
  std::deque<Packet> packets_;  // not acknowledged, or not yet forgotten
  int slow_nodes_ = 0;          // that were left out
  size_t sent_ = 0;             // of these, by this pipeline
  uint64_t length_ = 0;         // of the block when it is finished

  std::vector<v1::FinishedBlock> finished_;
};

}  // namespace cairn
