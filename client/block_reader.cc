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
#include "client/wakeup.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/packet_message.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "common/strings.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn {
namespace {

constexpr size_t kPacketsAhead = 4;       // read and not yet asked for; packets are about 1 MiB
constexpr uint64_t kSkipBytes = 4 << 20;  // about what is on its way anyway; a stream costs more
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
  Stream(std::shared_ptr<grpc::Channel> channel, std::string node, Clock* clock,
         std::shared_ptr<Wakeup> wakeup)
      : channel_(std::move(channel)),
        stub_(channel_),
        node_(std::move(node)),
        clock_(clock),
        wakeup_(std::move(wakeup)) {}

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
    // Waits for the first try to connect, and fails with it: there are other replicas.
    context_.set_wait_for_ready(false);
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

  // Memory of a packet that may be used again.
  void Reuse(Packet used) {
    used->payload.Clear();
    MutexLock lock(mu_);
    spare_.push_back(std::move(used));
  }

  // The next packet if it is here, else null. OUT_OF_RANGE when the node has sent all it had.
  absl::StatusOr<Packet> TryNext() {
    Packet packet;
    ReadPacketMessage* next = nullptr;
    {
      MutexLock lock(mu_);
      if (!ready_.empty()) {
        packet = std::move(ready_.front());
        ready_.pop_front();
        next = PrepareRead();
      } else if (!reads_ended_) {
        return packet;
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
      if (ok) {
        ready_.push_back(std::move(reading_));
        next = PrepareRead();
      } else {
        reads_ended_ = true;
      }
    }
    if (next != nullptr) StartRead(next);
    wakeup_->Notify();
  }

  void OnDone(const grpc::Status& status) override {
    MutexLock lock(mu_);
    status_ = FromRpcStatus(status, node_);
    done_ = true;
    changed_.SignalAll();
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
  const std::shared_ptr<Wakeup> wakeup_;
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
                         uint64_t offset, uint64_t length, std::shared_ptr<Wakeup> wakeup)
    : core_(core),
      block_(std::move(block)),
      node_(std::move(node)),
      start_(offset),
      position_(offset),
      end_(offset + length),
      wakeup_(std::move(wakeup)),
      packets_end_(offset / kChunkBytes * kChunkBytes) {}

BlockReader::~BlockReader() {
  if (stream_ != nullptr && bytes_left() == 0) stream_->WaitForEnd();
}

absl::Status BlockReader::Open() {
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                   core_->datanodes().Begin(node_, core_->options().transfer.connect_ms));
  v1::ReadBlockRequest request;
  *request.mutable_block() = block_.block();
  request.set_offset(position_);
  request.set_length(end_ - position_);
  request.set_token(block_.token());
  request.set_client(core_->name());
  stream_ = std::make_unique<Stream>(std::move(channel), fmt::format("DataNode {}", NameOf(node_)),
                                     &core_->clock(), wakeup_);
  stream_->Start(request);
  return absl::OkStatus();
}

bool BlockReader::HasBytes() const { return packet_ != nullptr && position_ < packets_end_; }

absl::StatusOr<bool> BlockReader::Poll() {
  while (!HasBytes()) {
    ASSIGN_OR_RETURN(const bool taken, NextPacket());
    if (!taken) return false;
  }
  return true;
}

size_t BlockReader::Read(std::span<char> out) {
  const size_t count = std::min<uint64_t>({packets_end_ - position_, bytes_left(), out.size()});
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

bool BlockReader::Seek(uint64_t offset) {
  const uint64_t from = packet_ == nullptr ? position_ : packet_->fields.offset();
  if (offset < std::max(from, start_) || offset >= end_) return false;
  if (offset > position_ && offset - position_ > kSkipBytes) return false;
  position_ = offset;
  if (HasBytes()) PointToPosition();
  return true;
}

// The packet, once it passed its checksums, may lie before position_.
absl::StatusOr<bool> BlockReader::NextPacket() {
  next_byte_ = {};
  if (packet_ != nullptr) stream_->Reuse(std::move(packet_));
  ASSIGN_OR_RETURN(Packet packet, stream_->TryNext());
  if (packet == nullptr) return false;
  const uint64_t offset = packet->fields.offset();
  if (offset != packets_end_ || packet->payload.empty()) {
    return absl::InternalError(fmt::format("DataNode {} sent {} bytes at {} where {} was expected",
                                           NameOf(node_), packet->payload.size(), offset,
                                           packets_end_));
  }
  if (const absl::Status status = VerifyChecksums(*packet); !status.ok()) {
    return Annotate(status, fmt::format("DataNode {}", NameOf(node_)));
  }
  packet_ = std::move(packet);
  packets_end_ = offset + packet_->payload.size();
  if (HasBytes()) PointToPosition();
  return true;
}

void BlockReader::PointToPosition() {
  next_byte_ = packet_->payload.char_begin();
  absl::Cord::Advance(&next_byte_, position_ - packet_->fields.offset());
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
