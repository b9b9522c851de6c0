#include "client/block_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/client_core.h"
#include "client/datanode_calls.h"
#include "common/logging.h"
#include "common/status.h"

namespace cairn {

BlockWriter::BlockWriter(ClientCore* core, WrittenFile file, const std::atomic<bool>* stopped,
                         BlockWriter* before)
    : core_(core),
      file_(file),
      tries_(before != nullptr ? before->tries_
                               : WriteTries(&core->options().transfer, &core->clock(), stopped)) {
  tries_.Reset();
  if (before == nullptr) return;
  slow_nodes_ = before->slow_nodes_;
  state_.find_slow_nodes = before->state_.find_slow_nodes;
  finished_ = before->TakeFinished();
}

void BlockWriter::ResumeBlock(v1::LocatedBlock target) {
  state_.target = std::move(target);
  state_.acked = state_.target.block().length();
  state_.flushed = true;  // the file was closed with these bytes
}

absl::Status BlockWriter::Send(Packet packet) {
  packets_.push_back(std::move(packet));
  return Reach(Goal::kSend);
}

absl::Status BlockWriter::Flush() {
  state_.flushed = true;
  return Reach(Goal::kFlush);
}

absl::Status BlockWriter::Finish(Packet last, uint64_t length) {
  packets_.push_back(std::move(last));
  length_ = length;
  RETURN_IF_ERROR(Reach(Goal::kFinish));
  BlockIsFinished();
  return absl::OkStatus();
}

absl::Status BlockWriter::Reach(Goal goal) {
  absl::Status failure;
  while (true) {
    if (pipeline_ == nullptr) RETURN_IF_ERROR(EnsurePipeline(failure));
    failure = Push(goal);
    Collect();
    if (failure.ok()) return failure;
    RETURN_IF_ERROR(GiveUpPipeline(failure));
  }
}

absl::Status BlockWriter::Push(Goal goal) {
  while (sent_ < packets_.size()) {
    RETURN_IF_ERROR(pipeline_->Send(packets_[sent_]));
    ++sent_;
    Collect();
  }
  if (goal == Goal::kSend) return absl::OkStatus();
  RETURN_IF_ERROR(pipeline_->WaitForAcks());
  if (goal == Goal::kFlush) return absl::OkStatus();
  return pipeline_->Finish(length_, file_.min_replicas);
}

absl::Status BlockWriter::EnsurePipeline(const absl::Status& failure) {
  if (state_.acked == 0) return OpenNewBlock(failure);
  sent_ = 0;
  PipelineRecovery recovery(core_, &file_, &tries_, &state_, failure);
  ASSIGN_OR_RETURN(pipeline_, recovery.Run());
  return absl::OkStatus();
}

absl::Status BlockWriter::OpenNewBlock(absl::Status failure) {
  while (true) {
    const absl::Status target = EnsureTarget();
    // Nodes that were left out because they are full: that they are says more than that they lack.
    const bool full = KindOf(failure) == ErrorKind::kNoSpace;
    if (full && KindOf(target) == ErrorKind::kNotEnoughDataNodes) return failure;
    RETURN_IF_ERROR(target);
    sent_ = 0;
    pipeline_ = std::make_unique<BlockPipeline>(
        core_, BlockPipeline::Spec{.target = state_.target,
                                   .max_length = file_.block_size,
                                   .consistency = file_.consistency,
                                   .find_slow_nodes = state_.find_slow_nodes,
                                   .stopped = tries_.stopped()});
    failure = pipeline_->Open();
    if (failure.ok()) return failure;
    RETURN_IF_ERROR(GiveUpPipeline(failure));
  }
}

absl::Status BlockWriter::EnsureTarget() {
  while (true) {
    if (!has_block()) {
      const absl::Status asked = AskForTarget();
      const auto any = [](NodeNumber) { return true; };
      if (KindOf(asked) == ErrorKind::kNotEnoughDataNodes && tries_.TakeBackOne(any)) continue;
      RETURN_IF_ERROR(asked);
    }
    const absl::Status checked = CheckTarget();
    if (checked.ok()) return checked;
    if (!tries_.Again()) return checked;
    RETURN_IF_ERROR(AbandonBlock());
  }
}

absl::Status BlockWriter::CheckTarget() {
  const v1::LocatedBlock& target = state_.target;
  const auto nodes = static_cast<uint32_t>(target.nodes_size());
  // The answer to a retried call, from a NameNode that was restarted in between: it knows the
  // block's nodes only once they have registered again.
  if (nodes == 0 || nodes < file_.min_replicas) {
    return absl::UnavailableError(
        fmt::format("the NameNode named {} DataNodes for a block, {} needed", nodes,
                    std::max(file_.min_replicas, 1U)));
  }
  // The first try takes the nodes' health on trust. When several nodes fail at once, the user must
  // not wait for one of them after another.
  if (tries_.count() == 0) return absl::OkStatus();
  const std::vector<ReplicaAnswer> answers = AskForReplicas(
      *core_, target, {target.nodes().begin(), target.nodes().end()}, AskReplicaMs(*core_));
  absl::Status silent;
  for (uint32_t i = 0; i < nodes; ++i) {
    if (answers[i].answered) continue;
    tries_.LeaveOut(target.nodes(static_cast<int>(i)).number());
    silent = answers[i].status;
  }
  return silent;
}

absl::Status BlockWriter::AskForTarget() {
  v1::AddBlockRequest request;
  request.set_inode(file_.inode);
  for (const v1::FinishedBlock& block : finished_) *request.add_finished() = block;
  for (const NodeNumber node : tries_.LeftOut()) request.add_excluded(node);
  ASSIGN_OR_RETURN(v1::AddBlockReply reply, core_->namenode().AddBlock(std::move(request)));
  finished_.clear();
  state_.target = std::move(*reply.mutable_block());
  return absl::OkStatus();
}

void BlockWriter::TakeOver(BlockWriter& ended) {
  tries_.LearnFrom(ended.tries_);
  for (v1::FinishedBlock& block : ended.TakeFinished()) finished_.push_back(std::move(block));
}

absl::Status BlockWriter::AbandonBlock() {
  pipeline_.reset();
  v1::AbandonBlockRequest request;
  request.set_inode(file_.inode);
  *request.mutable_block() = state_.target.block();
  state_.target.Clear();
  return core_->namenode().AbandonBlock(std::move(request)).status();
}

absl::Status BlockWriter::GiveUpPipeline(const absl::Status& failure) {
  LogDebug("block {} failed: {}", state_.target.block().id(), MessageOf(failure));
  tries_.LeaveOutFailed(*pipeline_, failure);
  // Two slow nodes are bad luck; three are a slow network.
  if (KindOf(failure) == ErrorKind::kSlowNode && ++slow_nodes_ == 2) {
    state_.find_slow_nodes = false;
  }
  Collect();
  pipeline_.reset();  // packets that are left may get another seq now
  if (!tries_.AgainAfter(failure)) {
    return Annotate(failure, fmt::format("cannot write a block after {} tries", tries_.count()));
  }
  return state_.acked == 0 ? AbandonBlock() : absl::OkStatus();
}

void BlockWriter::Collect() {
  const uint64_t acked_seq = pipeline_->acked_seq();
  // The last one may have to be sent again though all have it: too few have it on disk.
  while (sent_ > 0 && packets_.front()->seq() <= acked_seq && !packets_.front()->last()) {
    const uint64_t end = packets_.front()->offset() + packets_.front()->payload().size();
    if (end > state_.acked) tries_.Reset();
    state_.acked = std::max(state_.acked, end);
    packets_.pop_front();
    --sent_;
  }
}

void BlockWriter::BlockIsFinished() {
  finished_.push_back(pipeline_->finished());
  pipeline_.reset();
  packets_.clear();
  sent_ = 0;
  const bool find_slow_nodes = state_.find_slow_nodes;
  state_ = {};
  state_.find_slow_nodes = find_slow_nodes;
  tries_.Reset();
}

}  // namespace cairn
