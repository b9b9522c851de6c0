#include "client/file_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/block_locations.h"
#include "client/packet.h"
#include "client/replica_race.h"
#include "common/logging.h"
#include "common/status.h"

namespace cairn {
namespace {

constexpr size_t kReadBytes = 1 << 20;  // of a source at once
constexpr int64_t kAbandonMs = 5'000;   // the lease's end removes the file anyway

template <typename Reply>
WrittenFile FileOf(const Reply& reply, Consistency consistency) {
  return {.inode = reply.inode(),
          .block_size = reply.block_size(),
          .replication = reply.replication(),
          .min_replicas = std::max<uint32_t>(reply.min_replicas(), 1),
          .consistency = consistency};
}

}  // namespace

FileWriter::FileWriter(std::shared_ptr<ClientCore> core, std::unique_ptr<LeaseRenewer::Hold> lease,
                       v1::CreateReply created, Consistency consistency, CloseOptions on_close)
    : core_(std::move(core)),
      lease_(std::move(lease)),
      file_(FileOf(created, consistency)),
      on_close_(std::move(on_close)),
      blocks_(core_.get(), file_) {
  if (created.has_block()) blocks_.StartBlock(std::move(*created.mutable_block()));
}

FileWriter::FileWriter(std::shared_ptr<ClientCore> core, std::unique_ptr<LeaseRenewer::Hold> lease,
                       v1::AppendReply opened, Consistency consistency)
    : core_(std::move(core)),
      lease_(std::move(lease)),
      file_(FileOf(opened, consistency)),
      length_(opened.length()),
      blocks_(core_.get(), file_) {
  if (opened.has_block()) untouched_ = std::move(*opened.mutable_block());
}

FileWriter::~FileWriter() {
  if (const absl::Status status = Abandon(); !status.ok()) {
    LogDebug("cannot abandon a file, its lease's end will do it: {}", MessageOf(status));
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

absl::Status FileWriter::Broken(absl::Status status) {
  if (!status.ok()) {
    state_ = State::kBroken;
    failure_ = status;
  }
  return status;
}

absl::Status FileWriter::Write(std::string_view data) {
  RETURN_IF_ERROR(CheckOpen());
  return Broken(Append(data));
}

absl::Status FileWriter::WriteFrom(ByteSource& source, uint64_t expected) {
  RETURN_IF_ERROR(CheckOpen());
  absl::Status status = AppendFrom(source, expected);
  if (status.ok()) status = blocks_.AwaitEarlier();
  if (!status.ok()) blocks_.BreakOff();  // some of them may still read
  return Broken(std::move(status));
}

absl::Status FileWriter::HFlush() {
  RETURN_IF_ERROR(CheckOpen());
  return Broken(FlushBytes(/*sync=*/false));
}

absl::Status FileWriter::HSync() {
  RETURN_IF_ERROR(CheckOpen());
  return Broken(FlushBytes(/*sync=*/true));
}

absl::Status FileWriter::Close() {
  if (state_ == State::kClosed) return absl::OkStatus();
  RETURN_IF_ERROR(CheckOpen());
  RETURN_IF_ERROR(Broken(FinishFile()));
  state_ = State::kClosed;
  lease_.reset();
  return absl::OkStatus();
}

absl::Status FileWriter::Abandon() {
  if (state_ == State::kClosed || state_ == State::kAbandoned) return absl::OkStatus();
  state_ = State::kAbandoned;
  blocks_.BreakOff();
  v1::AbandonFileRequest request;
  request.set_inode(file_.inode);
  const auto reply = core_->namenode().AbandonFile(std::move(request), kAbandonMs);
  lease_.reset();
  return reply.status();
}

absl::Status FileWriter::Append(std::string_view data) {
  if (untouched_ && !data.empty()) RETURN_IF_ERROR(ResumeBlock());
  while (!data.empty()) {
    if (filling_ != nullptr && filling_->payload().size() == filling_limit_) {
      RETURN_IF_ERROR(SendPacket(/*sync=*/false));
    }
    if (filling_ == nullptr) StartPacket();
    std::string& payload = *filling_->mutable_payload();
    const uint64_t room =
        std::min(filling_limit_ - payload.size(), file_.block_size - block_bytes_);
    const std::string_view piece = data.substr(0, room);
    // One big write takes exactly what it needs; many small ones get their room at once.
    if (!payload.empty()) payload.reserve(filling_limit_);
    payload.append(piece);
    data.remove_prefix(piece.size());
    new_bytes_ += piece.size();
    block_bytes_ += piece.size();
    length_ += piece.size();
    if (block_bytes_ == file_.block_size) RETURN_IF_ERROR(FinishBlock());
  }
  return absl::OkStatus();
}

uint64_t FileWriter::BlocksToFill(uint64_t bytes) const {
  const uint64_t full = bytes / file_.block_size;
  const bool at_border = block_bytes_ == 0 && !untouched_;
  // Blocks that are to be synced before they end (FinishBlock) come one after the other.
  const bool to_be_synced = syncs_ && file_.consistency != Consistency::kStrong;
  return at_border && !to_be_synced && bytes > file_.block_size ? full : 0;
}

absl::Status FileWriter::AppendFrom(ByteSource& source, uint64_t expected) {
  const uint64_t blocks = BlocksToFill(expected);
  uint64_t at = blocks * file_.block_size;
  if (blocks > 0) {
    RETURN_IF_ERROR(blocks_.Fill(source, blocks));
    length_ += at;
  }
  const std::unique_ptr<char[]> buffer(new char[kReadBytes]);  // not zeroed
  while (true) {
    ASSIGN_OR_RETURN(const size_t got, source.ReadAt(at, std::span(buffer.get(), kReadBytes)));
    if (got == 0) return absl::OkStatus();
    RETURN_IF_ERROR(Append(std::string_view(buffer.get(), got)));
    at += got;
  }
}

absl::Status FileWriter::FlushBytes(bool sync) {
  if (sync) syncs_ = true;
  const bool synced = sync && synced_to_ != length_;
  if (block_bytes_ > 0) {
    if (new_bytes_ > 0 || synced) RETURN_IF_ERROR(SendPacket(sync));
    RETURN_IF_ERROR(blocks_.Flush());
  } else {
    RETURN_IF_ERROR(blocks_.AwaitEarlier());
  }
  if (sync) synced_to_ = length_;
  return absl::OkStatus();
}

absl::Status FileWriter::FinishFile() {
  if (block_bytes_ > 0) {
    RETURN_IF_ERROR(FinishBlock());
  } else if (blocks_.has_block()) {
    RETURN_IF_ERROR(blocks_.AbandonBlock());  // asked for, but the file ended before it
  }
  ASSIGN_OR_RETURN(const std::vector<v1::FinishedBlock> finished, blocks_.FinishAll());
  v1::CompleteRequest request;
  request.set_inode(file_.inode);
  for (const v1::FinishedBlock& block : finished) *request.add_finished() = block;
  // As it was, without storages: nothing changed.
  if (untouched_) *request.add_finished()->mutable_block() = untouched_->block();
  request.set_publish_as(on_close_.publish_as);
  request.set_overwrite(on_close_.overwrite);
  request.set_mtime_ms(on_close_.mtime_ms);
  request.set_atime_ms(on_close_.atime_ms);
  request.set_set_mode(on_close_.mode.has_value());
  request.set_mode(on_close_.mode.value_or(0));
  return core_->namenode().Complete(std::move(request)).status();
}

absl::Status FileWriter::ResumeBlock() {
  const v1::LocatedBlock block = *std::exchange(untouched_, std::nullopt);
  block_bytes_ = block.block().length();
  std::string tail;
  RETURN_IF_ERROR(ReadTail(block, &tail));
  if (!tail.empty()) {
    StartPacket();
    filling_->set_payload(std::move(tail));
  }
  blocks_.ResumeBlock(block);
  return absl::OkStatus();
}

absl::Status FileWriter::ReadTail(const v1::LocatedBlock& block, std::string* tail) {
  tail->resize(block_bytes_ % kChunkBytes);
  if (tail->empty()) return absl::OkStatus();
  const TransferOptions& transfer = core_->options().transfer;
  absl::Status last;
  for (const int64_t patience_ms : {transfer.stall_ms, transfer.max_progress_ms}) {
    last = ReadTailIn(block, patience_ms, *tail);
    if (last.ok()) return last;
  }
  return Annotate(last, fmt::format("cannot read the end of block {}", block.block().id()));
}

absl::Status FileWriter::ReadTailIn(const v1::LocatedBlock& block, int64_t stall_ms,
                                    std::span<char> tail) {
  BlockLocations locations(core_.get(), /*path=*/"", {});  // of which failures alone are kept
  ReplicaRace race(core_.get(), &locations, block, block_bytes_ - tail.size(), tail.size(),
                   {.stall_ms = stall_ms});
  while (!tail.empty()) {
    ASSIGN_OR_RETURN(const size_t count, race.Read(tail));
    tail = tail.subspan(count);
  }
  return absl::OkStatus();
}

void FileWriter::StartPacket() {
  filling_ = blocks_.NewPacket();
  filling_limit_ = core_->packet_size().bytes();
}

FileBlocks::Packet FileWriter::Seal(bool sync, bool last) {
  FileBlocks::Packet packet =
      filling_ == nullptr ? blocks_.NewPacket() : std::exchange(filling_, nullptr);
  const std::string& payload = packet->payload();
  packet->set_offset(block_bytes_ - payload.size());
  packet->set_sync(sync);
  packet->set_last(last);
  AddChecksums(*packet);
  new_bytes_ = 0;
  // The next packet begins with the chunk that is not full.
  if (const uint64_t tail = block_bytes_ % kChunkBytes; tail > 0 && !last) {
    StartPacket();
    filling_->mutable_payload()->append(payload, payload.size() - tail, tail);
  }
  return packet;
}

absl::Status FileWriter::SendPacket(bool sync) { return blocks_.Send(Seal(sync, /*last=*/false)); }

absl::Status FileWriter::FinishBlock() {
  // A user who syncs wants it of every byte, and the end of a block promises less than that to a
  // file that is not strong.
  if (syncs_ && file_.consistency != Consistency::kStrong) {
    RETURN_IF_ERROR(FlushBytes(/*sync=*/true));
  }
  RETURN_IF_ERROR(blocks_.Finish(Seal(/*sync=*/false, /*last=*/true), block_bytes_));
  block_bytes_ = 0;
  return absl::OkStatus();
}

}  // namespace cairn
