#include "client/block_reader.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "client/client_core.h"
#include "client/packet.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/packet_message.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "common/strings.h"
#include "common/units.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn {
namespace {

constexpr size_t kPacketsAhead = 4;  // read and not yet asked for; packets are about 1 MiB
// A slow reader may keep a stream open for long; a silent node is noticed by its missing packets.
constexpr int64_t kStreamDeadlineMs = 24 * 3'600'000;
constexpr int64_t kVerifyMs = 5'000;
constexpr int64_t kEndMs = 1'000;

using Packet = std::unique_ptr<ReadPacketMessage>;

}  // namespace

// The gRPC call. A packet is read while fewer than kPacketsAhead wait. Start... functions are
// called without the lock, because gRPC may call back at once.
class BlockReader::Stream final
    : public grpc::ClientBidiReactor<v1::ReadBlockRequest, ReadPacketMessage> {
 public:
  Stream(std::shared_ptr<grpc::Channel> channel, std::string node, Clock* clock, int64_t stall_ms)
      : channel_(std::move(channel)),
        stub_(channel_),
        node_(std::move(node)),
        clock_(clock),
        stall_ms_(stall_ms) {}

  ~Stream() override {
    context_.TryCancel();
    ReleaseHold();
    MutexLock lock(mu_);
    while (!done_) changed_.Wait(mu_);
  }

  void Start(const v1::ReadBlockRequest& request) {
    request_ = request;
    ReadPacketMessage* first;
    {
      MutexLock lock(mu_);
      first = PrepareRead();
    }
    SetupContext(context_, kStreamDeadlineMs);
    stub_.PrepareBidiStreamingCall(&context_, kReadBlockMethod, {}, this);
    AddHold();  // reads are also started from outside of callbacks, until the stream ends
    StartWriteLast(&request_, grpc::WriteOptions());
    StartRead(first);
    StartCall();
  }

  // After the last byte: lets the peer end the call in its own way, for a moment.
  void WaitForEnd() {
    MutexLock lock(mu_);
    const int64_t deadline_ms = clock_->SteadyMs() + kEndMs;
    while (!reads_ended_ && clock_->SteadyMs() < deadline_ms) {
      changed_.WaitFor(mu_, std::chrono::milliseconds(deadline_ms - clock_->SteadyMs()));
    }
  }

  // The next packet, in the place of `used`, whose memory is used again. OUT_OF_RANGE when the node
  // has sent all it had.
  absl::StatusOr<Packet> Next(Packet used) {
    Packet packet;
    ReadPacketMessage* next = nullptr;
    {
      MutexLock lock(mu_);
      if (used != nullptr) {
        used->payload.Clear();
        spare_.push_back(std::move(used));
      }
      const int64_t deadline_ms = clock_->SteadyMs() + stall_ms_;
      while (ready_.empty() && !reads_ended_) {
        const int64_t left_ms = deadline_ms - clock_->SteadyMs();
        if (left_ms <= 0) return Stalled();
        changed_.WaitFor(mu_, std::chrono::milliseconds(left_ms));
      }
      if (!ready_.empty()) {
        packet = std::move(ready_.front());
        ready_.pop_front();
        next = PrepareRead();
      }
    }
    if (packet == nullptr) return WhyItEnded();
    if (next != nullptr) StartRead(next);
    return packet;
  }

 private:
  // Where the read that must be started now goes; null: none, because one is under way or enough
  // packets wait.
  ReadPacketMessage* PrepareRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (reading_ != nullptr || reads_ended_ || ready_.size() >= kPacketsAhead) return nullptr;
    if (spare_.empty()) {
      reading_ = std::make_unique<ReadPacketMessage>();
    } else {
      reading_ = std::move(spare_.back());
      spare_.pop_back();
    }
    return reading_.get();
  }

  void OnReadDone(bool ok) override {
    ReadPacketMessage* next = nullptr;
    {
      MutexLock lock(mu_);
      changed_.SignalAll();
      if (!ok) {
        reads_ended_ = true;
        return;
      }
      ready_.push_back(std::move(reading_));
      next = PrepareRead();
    }
    if (next != nullptr) StartRead(next);
  }

  void OnDone(const grpc::Status& status) override {
    MutexLock lock(mu_);
    status_ = FromRpcStatus(status, node_);
    done_ = true;
    changed_.SignalAll();
  }

  absl::Status Stalled() const {
    return absl::DeadlineExceededError(
        fmt::format("no answer for {} from {}", FormatDurationMs(stall_ms_), node_));
  }

  absl::Status WhyItEnded() {
    ReleaseHold();
    MutexLock lock(mu_);
    while (!done_) changed_.Wait(mu_);  // prompt: the peer has ended the call
    if (!status_.ok()) return status_;
    return absl::OutOfRangeError(fmt::format("{} sent less than was asked for", node_));
  }

  void ReleaseHold() {
    if (std::exchange(held_, false)) RemoveHold();
  }

  const std::shared_ptr<grpc::Channel> channel_;
  grpc::TemplatedGenericStub<v1::ReadBlockRequest, ReadPacketMessage> stub_;
  const std::string node_;  // for messages
  Clock* const clock_;
  const int64_t stall_ms_;
  grpc::ClientContext context_;
  v1::ReadBlockRequest request_;
  bool held_ = true;  // of the reader's thread alone

  Mutex mu_;
  CondVar changed_;
  std::deque<Packet> ready_ ABSL_GUARDED_BY(mu_);
  std::vector<Packet> spare_ ABSL_GUARDED_BY(mu_);
  Packet reading_ ABSL_GUARDED_BY(mu_);            // with gRPC while a read is under way, else null
  bool reads_ended_ ABSL_GUARDED_BY(mu_) = false;  // no packet will come any more
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

BlockReader::BlockReader(ClientCore* core, v1::LocatedBlock block, v1::NodeAddress node,
                         uint64_t offset, uint64_t length, int64_t stall_ms)
    : core_(core),
      block_(std::move(block)),
      node_(std::move(node)),
      position_(offset),
      end_(offset + length),
      stall_ms_(stall_ms) {}

BlockReader::~BlockReader() {
  if (stream_ != nullptr && bytes_left() == 0) stream_->WaitForEnd();
}

absl::Status BlockReader::Open() {
  const TransferOptions& options = core_->options().transfer;
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                   core_->datanodes().Connect(node_, options.connect_ms));
  v1::ReadBlockRequest request;
  *request.mutable_block() = block_.block();
  request.set_offset(position_);
  request.set_length(end_ - position_);
  request.set_token(block_.token());
  request.set_client(core_->name());
  stream_ = std::make_unique<Stream>(std::move(channel), fmt::format("DataNode {}", NameOf(node_)),
                                     &core_->clock(), stall_ms_);
  stream_->Start(request);
  return absl::OkStatus();
}

absl::StatusOr<size_t> BlockReader::Read(std::span<char> out) {
  while (packet_ == nullptr || position_ >= packet_->fields.offset() + packet_->payload.size()) {
    RETURN_IF_ERROR(NextPacket());
  }
  const uint64_t end = packet_->fields.offset() + packet_->payload.size();
  const size_t count = std::min<uint64_t>({end - position_, bytes_left(), out.size()});
  for (size_t done = 0; done < count;) {
    const std::string_view piece =
        ToStd(absl::Cord::ChunkRemaining(next_byte_)).substr(0, count - done);
    std::memcpy(out.data() + done, piece.data(), piece.size());
    absl::Cord::Advance(&next_byte_, piece.size());
    done += piece.size();
  }
  position_ += count;
  return count;
}

// A packet that passed its checksums and holds the byte at position_, or lies before it.
absl::Status BlockReader::NextPacket() {
  const uint64_t expected = packet_ == nullptr ? position_ / kChunkBytes * kChunkBytes
                                               : packet_->fields.offset() + packet_->payload.size();
  next_byte_ = {};
  ASSIGN_OR_RETURN(Packet packet, stream_->Next(std::move(packet_)));
  const uint64_t offset = packet->fields.offset();
  if (offset != expected || packet->payload.empty()) {
    return absl::InternalError(fmt::format("DataNode {} sent {} bytes at {} where {} was expected",
                                           NameOf(node_), packet->payload.size(), offset,
                                           expected));
  }
  if (const absl::Status status = VerifyChecksums(*packet); !status.ok()) {
    return Annotate(status, fmt::format("DataNode {}", NameOf(node_)));
  }
  packet_ = std::move(packet);
  next_byte_ = packet_->payload.char_begin();
  const uint64_t before = position_ - std::min(position_, offset);
  absl::Cord::Advance(&next_byte_, std::min<uint64_t>(before, packet_->payload.size()));
  return absl::OkStatus();
}

void BlockReader::AskToVerify() {
  const auto channel = core_->datanodes().Connect(node_, kVerifyMs);
  if (!channel.ok()) return;
  v1::VerifyBlockRequest request;
  *request.mutable_block() = block_.block();
  request.set_token(block_.token());
  v1::VerifyBlockReply reply;
  grpc::ClientContext context;
  SetupContext(context, kVerifyMs);
  v1::DataTransfer::NewStub(*channel)->VerifyBlock(&context, request, &reply);
}

}  // namespace cairn
