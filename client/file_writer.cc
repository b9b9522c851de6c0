#include "client/file_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/packet.h"
#include "common/background_task.h"
#include "common/logging.h"
#include "common/status.h"
#include "common/strings.h"
#include "common/units.h"

namespace cairn {
namespace {

constexpr int64_t kLeaveOutMs = 60'000;      // by then the NameNode knows whether the node is dead
constexpr int64_t kMaxRetryPauseMs = 4'000;  // less than the grace of an interrupted `cairn put`
constexpr int64_t kAbandonMs = 5'000;        // the lease's end removes the file anyway

}  // namespace

FileWriter::FileWriter(std::shared_ptr<ClientCore> core, std::unique_ptr<LeaseRenewer::Hold> lease,
                       v1::CreateReply created, CloseOptions on_close)
    : core_(std::move(core)),
      lease_(std::move(lease)),
      inode_(created.inode()),
      block_size_(created.block_size()),
      min_replicas_(std::max<uint32_t>(created.min_replicas(), 1)),
      on_close_(std::move(on_close)) {
  if (created.has_block()) target_ = std::move(*created.mutable_block());
}

FileWriter::~FileWriter() {
  if (const absl::Status status = Abandon(); !status.ok()) {
    LogDebug("cannot abandon a file, its lease's end will remove it: {}", MessageOf(status));
  }
}

absl::Status FileWriter::CheckOpen() const {
  switch (state_) {
    case State::kOpen:
      return absl::OkStatus();
    case State::kBroken:
      return failure_;
    case State::kClosed:
      return absl::FailedPreconditionError("the stream is closed");
    case State::kAbandoned:
      return absl::FailedPreconditionError("the stream was abandoned");
  }
  return absl::OkStatus();
}

absl::Status FileWriter::Write(std::string_view data) {
  RETURN_IF_ERROR(CheckOpen());
  failure_ = Append(data);
  if (!failure_.ok()) state_ = State::kBroken;
  return failure_;
}

absl::Status FileWriter::Close() {
  if (state_ == State::kClosed) return absl::OkStatus();
  RETURN_IF_ERROR(CheckOpen());
  failure_ = FinishFile();
  state_ = failure_.ok() ? State::kClosed : State::kBroken;
  if (failure_.ok()) lease_.reset();
  return failure_;
}

absl::Status FileWriter::Abandon() {
  if (state_ == State::kClosed || state_ == State::kAbandoned) return absl::OkStatus();
  state_ = State::kAbandoned;
  pipeline_.reset();
  v1::AbandonFileRequest request;
  request.set_inode(inode_);
  const auto reply = core_->namenode().AbandonFile(std::move(request), kAbandonMs);
  lease_.reset();
  return reply.status();
}

absl::Status FileWriter::Append(std::string_view data) {
  const uint64_t packet_bytes = core_->options().transfer.packet_bytes;
  while (!data.empty()) {
    if (filling_ != nullptr && filling_->payload().size() == packet_bytes) {
      RETURN_IF_ERROR(EmitPacket(/*last=*/false));
    }
    if (filling_ == nullptr) filling_ = NewPacket();
    std::string& payload = *filling_->mutable_payload();
    const uint64_t room = std::min(packet_bytes - payload.size(), block_size_ - block_bytes_);
    const std::string_view piece = data.substr(0, room);
    // One big write takes exactly what it needs; many small ones get their room at once.
    if (!payload.empty()) payload.reserve(packet_bytes);
    payload.append(piece);
    data.remove_prefix(piece.size());
    block_bytes_ += piece.size();
    length_ += piece.size();
    if (block_bytes_ == block_size_) RETURN_IF_ERROR(EmitPacket(/*last=*/true));
  }
  return absl::OkStatus();
}

absl::Status FileWriter::FinishFile() {
  if (block_bytes_ > 0) {
    RETURN_IF_ERROR(EmitPacket(/*last=*/true));
  } else if (target_) {
    RETURN_IF_ERROR(AbandonBlock());  // asked for, but the file ended before it
  }
  return Complete();
}

absl::Status FileWriter::Complete() {
  v1::CompleteRequest request;
  request.set_inode(inode_);
  for (const v1::FinishedBlock& block : finished_) *request.add_finished() = block;
  request.set_publish_as(on_close_.publish_as);
  request.set_overwrite(on_close_.overwrite);
  request.set_mtime_ms(on_close_.mtime_ms);
  request.set_atime_ms(on_close_.atime_ms);
  request.set_set_mode(on_close_.mode.has_value());
  request.set_mode(on_close_.mode.value_or(0));
  return core_->namenode().Complete(std::move(request)).status();
}

std::shared_ptr<v1::WritePacket> FileWriter::NewPacket() {
  if (spare_packets_.empty()) return std::make_shared<v1::WritePacket>();
  std::shared_ptr<v1::WritePacket> packet = std::move(spare_packets_.back());
  spare_packets_.pop_back();
  packet->Clear();  // keeps the payload's memory
  return packet;
}

absl::Status FileWriter::EmitPacket(bool last) {
  filling_->set_seq(next_seq_++);
  filling_->set_offset(block_bytes_ - filling_->payload().size());
  filling_->set_last(last);
  AddChecksums(*filling_);
  sealed_.push_back(std::move(filling_));
  filling_ = nullptr;
  last_sealed_ = last;
  return Push();
}

absl::Status FileWriter::Push() {
  absl::Status status;
  while (true) {
    const absl::Status target = EnsureTarget();
    // Nodes that were left out because they are full: that they are says more than that they lack.
    const bool full = KindOf(status) == ErrorKind::kNoSpace;
    if (full && KindOf(target) == ErrorKind::kNotEnoughDataNodes) return status;
    RETURN_IF_ERROR(target);
    status = PushOnce();
    if (status.ok()) break;
    LogDebug("block {} failed: {}", target_->block().id(), MessageOf(status));
    if (!kept_whole_) {
      return Annotate(status, fmt::format("a block's bytes are kept for another try up to {} alone",
                                          FormatSize(core_->options().transfer.retained_bytes)));
    }
    if (++attempts_ >= core_->options().transfer.write_attempts) {
      return Annotate(status, fmt::format("cannot write a block after {} tries", attempts_));
    }
    LeaveOut(pipeline_->failed_node());
    RETURN_IF_ERROR(AbandonBlock());
  }
  if (last_sealed_) {
    BlockIsFinished();
  } else if (block_bytes_ > core_->options().transfer.retained_bytes) {
    DropSentPackets();
  }
  return absl::OkStatus();
}

absl::Status FileWriter::PushOnce() {
  if (pipeline_ == nullptr) {
    sent_ = 0;
    pipeline_ = std::make_unique<BlockPipeline>(core_.get(), *target_, block_size_);
    RETURN_IF_ERROR(pipeline_->Open());
  }
  while (sent_ < sealed_.size()) RETURN_IF_ERROR(pipeline_->Send(sealed_[sent_++]));
  if (!last_sealed_) return absl::OkStatus();
  return pipeline_->Finish(block_bytes_, min_replicas_);
}

absl::Status FileWriter::EnsureTarget() {
  while (true) {
    if (!target_) {
      const absl::Status asked = AskForTarget();
      if (KindOf(asked) == ErrorKind::kNotEnoughDataNodes && TakeBackOne()) continue;
      RETURN_IF_ERROR(asked);
    }
    const auto nodes = static_cast<uint32_t>(target_->nodes_size());
    if (nodes >= min_replicas_) return absl::OkStatus();
    // The answer to a retried call, from a NameNode that was restarted in between: it knows the
    // block's nodes only once they have registered again.
    if (++attempts_ >= core_->options().transfer.write_attempts) {
      return absl::UnavailableError(fmt::format(
          "the NameNode named {} DataNodes for a block, {} needed", nodes, min_replicas_));
    }
    RETURN_IF_ERROR(AbandonBlock());
  }
}

absl::Status FileWriter::AskForTarget() {
  v1::AddBlockRequest request;
  request.set_inode(inode_);
  for (const v1::FinishedBlock& block : finished_) *request.add_finished() = block;
  const int64_t now_ms = core_->clock().SteadyMs();
  std::erase_if(left_out_until_ms_, [&](const auto& entry) { return entry.second <= now_ms; });
  for (const auto& [number, until_ms] : left_out_until_ms_) request.add_excluded(number);
  ASSIGN_OR_RETURN(v1::AddBlockReply reply, core_->namenode().AddBlock(std::move(request)));
  finished_.clear();
  target_ = std::move(*reply.mutable_block());
  return absl::OkStatus();
}

absl::Status FileWriter::AbandonBlock() {
  pipeline_.reset();
  v1::AbandonBlockRequest request;
  request.set_inode(inode_);
  *request.mutable_block() = target_->block();
  target_.reset();
  return core_->namenode().AbandonBlock(std::move(request)).status();
}

void FileWriter::LeaveOut(const v1::NodeAddress& node) {
  left_out_until_ms_[node.number()] = core_->clock().SteadyMs() + kLeaveOutMs;
}

bool FileWriter::TakeBackOne() {
  const TransferOptions& options = core_->options().transfer;
  if (left_out_until_ms_.empty() || ++attempts_ >= options.write_attempts) return false;
  const double jitter = static_cast<double>(RandomU64() >> 11) * 0x1.0p-53;
  const int64_t pause_ms = BackoffMs(attempts_, options.retry_pause_ms, kMaxRetryPauseMs, jitter);
  PauseForMs(pause_ms);
  left_out_until_ms_.erase(
      std::min_element(left_out_until_ms_.begin(), left_out_until_ms_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; }));
  return true;
}

// The pipeline has its own hold on packets that are still on their way.
void FileWriter::DropSentPackets() {
  kept_whole_ = false;
  sealed_.clear();
  sent_ = 0;
}

void FileWriter::BlockIsFinished() {
  finished_.push_back(pipeline_->finished());
  pipeline_.reset();
  target_.reset();
  for (auto& packet : sealed_) spare_packets_.push_back(std::move(packet));
  sealed_.clear();
  sent_ = 0;
  next_seq_ = 1;
  block_bytes_ = 0;
  last_sealed_ = false;
  kept_whole_ = true;
  attempts_ = 0;
}

}  // namespace cairn
