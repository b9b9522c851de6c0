#include "client/pipeline_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/client_core.h"
#include "client/datanode_calls.h"
#include "common/logging.h"
#include "common/status.h"

namespace cairn {
namespace {

// A file that could do without is not held up by more copies than these that fail.
constexpr int kMaxFailedCopies = 2;

}  // namespace

uint32_t ReplacementsWanted(uint32_t replication, uint32_t survivors, uint32_t min_replicas,
                            bool flushed) {
  const bool rule =
      replication >= 3 && survivors < replication && (survivors <= replication / 2 || flushed);
  if (rule) return replication - survivors;
  return survivors < min_replicas ? min_replicas - survivors : 0;
}

PipelineRecovery::PipelineRecovery(ClientCore* core, const WrittenFile* file, WriteTries* tries,
                                   State* state, absl::Status failure)
    : core_(core),
      file_(*file),
      tries_(*tries),
      state_(*state),
      failure_(std::move(failure)),
      members_(state->target.nodes().begin(), state->target.nodes().end()),
      slow_(KindOf(failure_) == ErrorKind::kSlowNode) {}

absl::StatusOr<std::unique_ptr<BlockPipeline>> PipelineRecovery::Run() {
  while (true) {
    Nodes nodes = FindSurvivors();
    // Asked for without survivors too: it tells whether the file is still ours.
    ASSIGN_OR_RETURN(const v1::NewStampReply stamp, NewStamp(nodes));
    const Nodes newcomers = Living({stamp.additional().begin(), stamp.additional().end()});
    if (nodes.empty() || nodes.size() + newcomers.size() < file_.min_replicas) {
      RETURN_IF_ERROR(TooFew(nodes.size(), nodes.size() + newcomers.size()));
      continue;
    }
    if (!newcomers.empty()) {
      if (const absl::Status copied = BringUpToDate(nodes, newcomers); !copied.ok()) {
        ++failed_copies_;
        RETURN_IF_ERROR(Again(copied));
        continue;
      }
      nodes.insert(nodes.end(), newcomers.begin(), newcomers.end());
    }
    absl::StatusOr<std::unique_ptr<BlockPipeline>> pipeline =
        OpenPipeline(nodes, stamp.generation());
    if (!pipeline.ok()) {
      RETURN_IF_ERROR(Again(pipeline.status()));
      continue;
    }
    RETURN_IF_ERROR(UpdatePipeline(nodes, stamp.generation()));
    return pipeline;
  }
}

absl::Status PipelineRecovery::Again(const absl::Status& failure) {
  LogDebug("recovery of block {}: {}", state_.target.block().id(), MessageOf(failure));
  failure_ = failure;
  if (tries_.Again()) return absl::OkStatus();
  return Annotate(failure, fmt::format("cannot write a block after {} tries", tries_.count()));
}

PipelineRecovery::Nodes PipelineRecovery::FindSurvivors() {
  Nodes asked;
  for (const v1::NodeAddress& node : members_) {
    if (!tries_.IsLeftOut(node.number())) asked.push_back(node);
  }
  v1::LocatedBlock block;
  block.mutable_block()->set_id(state_.target.block().id());
  block.mutable_block()->set_generation(state_.target.block().generation());
  block.mutable_block()->set_length(state_.acked);  // with less a node is none
  block.set_token(state_.target.token());
  const std::vector<ReplicaAnswer> answers =
      AskForReplicas(*core_, block, asked, AskReplicaMs(*core_));
  Nodes survivors;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (answers[i].status.ok()) {
      survivors.push_back(asked[i]);
    } else {
      tries_.LeaveOut(asked[i].number());
      failure_ = answers[i].status;
    }
  }
  return survivors;
}

absl::StatusOr<v1::NewStampReply> PipelineRecovery::NewStamp(const Nodes& survivors) {
  v1::NewStampRequest request;
  request.set_inode(file_.inode);
  *request.mutable_block() = state_.target.block();
  const auto count = static_cast<uint32_t>(survivors.size());
  for (const v1::NodeAddress& node : survivors) request.add_survivors(node.number());
  for (const NodeNumber node : tries_.LeftOut()) request.add_excluded(node);
  uint32_t wanted = 0;
  if (count > 0) {
    wanted = ReplacementsWanted(file_.replication, count, file_.min_replicas, state_.flushed);
    if (failed_copies_ >= kMaxFailedCopies && count >= file_.min_replicas) wanted = 0;
  }
  request.set_additional(wanted);
  return core_->namenode().NewStamp(std::move(request));
}

PipelineRecovery::Nodes PipelineRecovery::Living(const Nodes& nodes) {
  const std::vector<ReplicaAnswer> answers =
      AskForReplicas(*core_, state_.target, nodes, AskReplicaMs(*core_));
  Nodes living;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (answers[i].answered) {
      living.push_back(nodes[i]);
    } else {
      tries_.LeaveOut(nodes[i].number());
    }
  }
  return living;
}

absl::Status PipelineRecovery::TooFew(size_t survivors, size_t available) {
  const auto is_member = [&](NodeNumber number) {
    return std::any_of(members_.begin(), members_.end(),
                       [&](const v1::NodeAddress& node) { return node.number() == number; });
  };
  if (std::exchange(slow_, false)) {
    // Slow is better than not at all.
    state_.find_slow_nodes = false;
    for (const v1::NodeAddress& node : members_) tries_.TakeBack(node.number());
    return absl::OkStatus();
  }
  // What is left of the block is on its members alone.
  const bool eligible_all = survivors > 0;
  if (tries_.TakeBackOne([&](NodeNumber node) { return eligible_all || is_member(node); })) {
    return absl::OkStatus();
  }
  // Nodes that were left out because they are full: that they are says more than that they lack.
  if (KindOf(failure_) == ErrorKind::kNoSpace) return failure_;
  if (survivors == 0) {
    return absl::UnavailableError(
        fmt::format("no DataNode is left of the {} that wrote block {}: {}", members_.size(),
                    state_.target.block().id(), MessageOf(failure_)));
  }
  return WithKind(absl::ResourceExhaustedError(
                      fmt::format("need {} healthy DataNodes, {} available; add one or use -r {}",
                                  file_.min_replicas, available, available)),
                  ErrorKind::kNotEnoughDataNodes);
}

absl::Status PipelineRecovery::BringUpToDate(const Nodes& survivors, const Nodes& newcomers) {
  const v1::NodeAddress& source = survivors[next_source_++ % survivors.size()];
  v1::TransferBlockRequest request;
  *request.mutable_block() = state_.target.block();
  request.mutable_block()->set_length(state_.acked);
  for (const v1::NodeAddress& node : newcomers) *request.add_targets() = node;
  request.set_token(state_.target.token());
  const TransferResult result = TransferBlock(*core_, source, request);
  if (result.status.ok()) {
    for (const v1::NodeAddress& node : newcomers) {
      std::erase_if(members_, [&](const auto& old) { return old.number() == node.number(); });
      members_.push_back(node);
    }
  } else if (result.source_is_gone) {
    tries_.LeaveOut(source.number());
  } else if (KindOf(result.status) != ErrorKind::kChecksum || survivors.size() == 1) {
    // Bytes that fail their checksum come from another survivor the next time, if there is one.
    for (const v1::NodeAddress& node : newcomers) tries_.LeaveOut(node.number());
  }
  return result.status;
}

absl::StatusOr<std::unique_ptr<BlockPipeline>> PipelineRecovery::OpenPipeline(
    const Nodes& nodes, GenerationStamp generation) {
  BlockPipeline::Spec spec{.target = state_.target,
                           .max_length = file_.block_size,
                           .consistency = file_.consistency,
                           .find_slow_nodes = state_.find_slow_nodes,
                           .stopped = tries_.stopped(),
                           .from_generation = state_.target.block().generation(),
                           .from_length = state_.acked};
  spec.target.mutable_block()->set_generation(generation);
  spec.target.mutable_nodes()->Assign(nodes.begin(), nodes.end());
  auto pipeline = std::make_unique<BlockPipeline>(core_, std::move(spec));
  if (const absl::Status status = pipeline->Open(); !status.ok()) {
    tries_.LeaveOutFailed(*pipeline, status);
    return status;
  }
  return pipeline;
}

absl::Status PipelineRecovery::UpdatePipeline(const Nodes& nodes, GenerationStamp generation) {
  v1::UpdatePipelineRequest request;
  request.set_inode(file_.inode);
  *request.mutable_block() = state_.target.block();
  request.set_generation(generation);
  for (const v1::NodeAddress& node : nodes) request.add_nodes(node.number());
  RETURN_IF_ERROR(core_->namenode().UpdatePipeline(std::move(request)).status());
  state_.target.mutable_block()->set_generation(generation);
  state_.target.mutable_nodes()->Assign(nodes.begin(), nodes.end());
  return absl::OkStatus();
}

}  // namespace cairn
