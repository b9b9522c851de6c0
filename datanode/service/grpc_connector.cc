#include "datanode/service/grpc_connector.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/packet_message.h"
#include "common/net/rpc_status.h"
#include "datanode/service/connect.h"
#include "datanode/service/convert.h"
#include "proto/data_transfer.pb.h"

namespace cairn::datanode {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Far above what any block takes: stalls end a stream, not its length.
constexpr int64_t kStreamDeadlineMs = int64_t{24} * 3600 * 1000;
// After the peer has ended its side, the status is on its way already.
constexpr int64_t kEndMs = 5'000;

// Callbacks run on gRPC's threads and only hand over under the lock. Start... functions are called
// without it, because gRPC may call back at once; a hold keeps the call from ending before them.
class GrpcDownstream final : public Downstream,
                             public grpc::ClientBidiReactor<WritePacketMessage, v1::WriteAck> {
 public:
  GrpcDownstream(std::shared_ptr<grpc::Channel> channel, std::string peer)
      : channel_(std::move(channel)), stub_(channel_), peer_(std::move(peer)) {
    SetupContext(context_, kStreamDeadlineMs);
    stub_.PrepareBidiStreamingCall(&context_, kWriteBlockMethod, {}, this);
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

  // Nobody watches the stream yet: bounded as connecting is.
  absl::Status SendHeader(const WriteHeader& header, int64_t limit_ms) {
    ToProto(header, outgoing_.fields.mutable_header());
    RETURN_IF_ERROR(StartOutgoing(/*last=*/false));
    const absl::Status sent = WaitForWrite(limit_ms);
    outgoing_.fields.clear_header();
    return sent;
  }

  absl::Status Send(const Packet& packet) override {
    RETURN_IF_ERROR(WaitForWrite(kStreamDeadlineMs));  // of the packet before
    ToProto(packet, &outgoing_);
    return StartOutgoing(packet.last);
  }

  absl::StatusOr<std::optional<Ack>> ReceiveAck(int64_t wait_ms) override {
    const auto deadline = SteadyClock::now() + std::chrono::milliseconds(wait_ms);
    {
      MutexLock lock(mu_);
      while (acks_.empty() && !reads_ended_) {
        const auto left = deadline - SteadyClock::now();
        if (left <= left.zero()) return std::nullopt;
        changed_.WaitFor(mu_, left);
      }
      if (!acks_.empty()) {
        Ack ack = std::move(acks_.front());
        acks_.pop_front();
        return ack;
      }
    }
    return WaitForEnd();
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  // Starts to write outgoing_, which must stay as it is until WaitForWrite.
  absl::Status StartOutgoing(bool last) {
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
    RemoveHold();
    return absl::OkStatus();
  }

  // Until the transport has taken what was started last.
  absl::Status WaitForWrite(int64_t limit_ms) {
    const auto deadline = SteadyClock::now() + std::chrono::milliseconds(limit_ms);
    bool in_time;
    {
      MutexLock lock(mu_);
      while (writing_ && SteadyClock::now() < deadline) {
        changed_.WaitFor(mu_, deadline - SteadyClock::now());
      }
      in_time = !writing_;
    }
    if (!in_time) context_.TryCancel();  // gRPC may still read the message
    MutexLock lock(mu_);
    while (writing_) changed_.Wait(mu_);
    if (!in_time) {
      return absl::DeadlineExceededError(fmt::format("{} took nothing for {} ms", peer_, limit_ms));
    }
    return write_ok_ ? absl::OkStatus()
                     : absl::UnavailableError(fmt::format("the connection to {} was lost", peer_));
  }

  // The status with which the peer ended the stream.
  absl::Status WaitForEnd() {
    ReleaseBaseHold();
    const auto deadline = SteadyClock::now() + std::chrono::milliseconds(kEndMs);
    MutexLock lock(mu_);
    while (!done_ && SteadyClock::now() < deadline) {
      changed_.WaitFor(mu_, deadline - SteadyClock::now());
    }
    if (done_ && !status_.ok()) return status_;
    return absl::UnavailableError(fmt::format("{} ended the stream early", peer_));
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
  grpc::TemplatedGenericStub<WritePacketMessage, v1::WriteAck> stub_;
  const std::string peer_;
  grpc::ClientContext context_;
  WritePacketMessage outgoing_;  // of the sending thread
  v1::WriteAck incoming_;        // of OnReadDone

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

}  // namespace

absl::StatusOr<std::unique_ptr<Downstream>> GrpcConnector::Connect(const WriteHeader& header) {
  const Target& target = header.targets.front();
  ASSIGN_OR_RETURN(auto channel, ConnectTo(channels_, target, connect_ms_));
  auto stream = std::make_unique<GrpcDownstream>(std::move(channel), target.name());
  RETURN_IF_ERROR(stream->SendHeader(header, connect_ms_));
  return stream;
}

}  // namespace cairn::datanode
