#include "datanode/service/grpc_connector.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <string>
#include <utility>

#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "datanode/service/convert.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn::datanode {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int64_t kConnectMs = 3'000;
// Far above what any block takes: stalls end a stream, not its length.
constexpr int64_t kStreamDeadlineMs = int64_t{24} * 3600 * 1000;

// Callbacks run on gRPC's threads and only hand over under the lock. Start... functions are called
// without it, because gRPC may call back at once; a hold keeps the call from ending before them.
class GrpcDownstream final : public Downstream,
                             public grpc::ClientBidiReactor<v1::WritePacket, v1::WriteAck> {
 public:
  GrpcDownstream(std::shared_ptr<grpc::Channel> channel, std::string peer, int64_t stall_ms)
      : channel_(std::move(channel)),
        stub_(v1::DataTransfer::NewStub(channel_)),
        peer_(std::move(peer)),
        stall_(stall_ms) {
    SetupContext(context_, kStreamDeadlineMs);
    stub_->async()->WriteBlock(&context_, this);
    AddHold();  // the base hold, until the peer has ended the stream or we do
    StartRead(&incoming_);
    StartCall();
  }

  ~GrpcDownstream() override {
    context_.TryCancel();
    ReleaseBaseHold();
    MutexLock lock(mu_);
    while (!done_) changed_.Wait(mu_);
  }

  absl::Status SendHeader(const WriteHeader& header) {
    ToProto(header, outgoing_.mutable_header());
    const absl::Status sent = WriteOutgoing(/*last=*/false);
    outgoing_.clear_header();
    return sent;
  }

  absl::Status Send(Packet& packet) override {
    ToProto(packet, &outgoing_);
    outgoing_.mutable_payload()->swap(packet.payload);
    const absl::Status sent = WriteOutgoing(packet.last);
    outgoing_.mutable_payload()->swap(packet.payload);
    return sent;
  }

  absl::StatusOr<Ack> ReceiveAck() override {
    {
      const auto deadline = SteadyClock::now() + stall_;
      MutexLock lock(mu_);
      while (acks_.empty() && !reads_ended_ && SteadyClock::now() < deadline) {
        changed_.WaitFor(mu_, deadline - SteadyClock::now());
      }
      if (!acks_.empty()) {
        Ack ack = std::move(acks_.front());
        acks_.pop_front();
        return ack;
      }
      if (!reads_ended_) return Stalled();
    }
    return WaitForEnd();
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  // Writes outgoing_ and waits until the transport has taken it.
  absl::Status WriteOutgoing(bool last) {
    {
      MutexLock lock(mu_);
      if (base_released_) return absl::UnavailableError(fmt::format("{} ended the stream", peer_));
      AddHold();
      writing_ = true;
    }
    if (last) {
      StartWriteLast(&outgoing_, grpc::WriteOptions());
    } else {
      StartWrite(&outgoing_);
    }
    const absl::Status written = WaitForWrite();
    RemoveHold();
    return written;
  }

  absl::Status WaitForWrite() {
    const auto deadline = SteadyClock::now() + stall_;
    MutexLock lock(mu_);
    while (writing_ && SteadyClock::now() < deadline) {
      changed_.WaitFor(mu_, deadline - SteadyClock::now());
    }
    if (!writing_) {
      return write_ok_
                 ? absl::OkStatus()
                 : absl::UnavailableError(fmt::format("the connection to {} was lost", peer_));
    }
    context_.TryCancel();  // gRPC may still read the message
    while (writing_) changed_.Wait(mu_);
    return Stalled();
  }

  // The status with which the peer ended the stream.
  absl::Status WaitForEnd() {
    ReleaseBaseHold();
    const auto deadline = SteadyClock::now() + stall_;
    MutexLock lock(mu_);
    while (!done_ && SteadyClock::now() < deadline) {
      changed_.WaitFor(mu_, deadline - SteadyClock::now());
    }
    if (!done_) return Stalled();
    return status_.ok() ? absl::UnavailableError(fmt::format("{} ended the stream early", peer_))
                        : status_;
  }

  absl::Status Stalled() const {
    return absl::DeadlineExceededError(
        fmt::format("no answer from {} for {} ms", peer_, stall_.count()));
  }

  void ReleaseBaseHold() {
    {
      MutexLock lock(mu_);
      if (std::exchange(base_released_, true)) return;
    }
    RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mu_);
    writing_ = false;
    write_ok_ = ok;
    changed_.SignalAll();
  }

  void OnReadDone(bool ok) override {
    {
      MutexLock lock(mu_);
      if (ok) {
        acks_.push_back(FromProto(incoming_));
      } else {
        reads_ended_ = true;
      }
      changed_.SignalAll();
    }
    if (ok) StartRead(&incoming_);
  }

  void OnDone(const grpc::Status& status) override {
    MutexLock lock(mu_);
    status_ = FromRpcStatus(status, peer_);
    done_ = true;
    changed_.SignalAll();
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::DataTransfer::Stub> stub_;
  const std::string peer_;
  const std::chrono::milliseconds stall_;
  grpc::ClientContext context_;
  v1::WritePacket outgoing_;  // of the sending thread
  v1::WriteAck incoming_;     // of OnReadDone

  Mutex mu_;
  CondVar changed_;
  std::deque<Ack> acks_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool write_ok_ ABSL_GUARDED_BY(mu_) = false;
  bool reads_ended_ ABSL_GUARDED_BY(mu_) = false;
  bool base_released_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

// Null when the address does not answer.
std::shared_ptr<grpc::Channel> ConnectTo(ChannelCache* channels, const std::string& address) {
  std::shared_ptr<grpc::Channel> channel = channels->Get(address, ChannelPurpose::kData);
  // A channel that failed earlier pauses between its tries; a new one tries now.
  if (channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) {
    channels->Drop(address);
    channel = channels->Get(address, ChannelPurpose::kData);
  }
  const auto deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(kConnectMs);
  while (true) {
    const grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return channel;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return nullptr;
    if (!channel->WaitForStateChange(state, deadline)) return nullptr;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Downstream>> GrpcConnector::Connect(const WriteHeader& header,
                                                                   int64_t stall_ms) {
  const Target& target = header.targets.front();
  for (const std::string& address : target.addresses) {
    std::shared_ptr<grpc::Channel> channel = ConnectTo(channels_, address);
    if (channel == nullptr) continue;
    auto stream = std::make_unique<GrpcDownstream>(std::move(channel), target.name(), stall_ms);
    RETURN_IF_ERROR(stream->SendHeader(header));
    return stream;
  }
  return absl::UnavailableError(fmt::format("cannot connect to {}", target.name()));
}

}  // namespace cairn::datanode
