// The writer's end of a WriteBlock stream over gRPC's blocking API.
//
// Why the blocking API: see data_transfer_service.h; one thread receives while another one sends.
// Header-only, used by the service alone.
#pragma once

#include <grpc/grpc.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>

#include "common/net/packet_message.h"
#include "common/status.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/pipeline/streams.h"
#include "datanode/service/convert.h"
#include "proto/data_transfer.pb.h"

namespace cairn::datanode {

// Ends a call whose peer is silent, from any thread. The peer gets ABORTED without details, which
// only this makes (common/net/rpc_status.cc reads it as kIdleStream): the call's own status cannot
// be sent while a thread waits in it.
inline void EndIdleCall(grpc::ServerContext* context) {
  grpc_call_cancel_with_status(context->c_call(), GRPC_STATUS_ABORTED, "idle", nullptr);
}

inline absl::Status IdleStatus() {
  return WithKind(absl::AbortedError("the peer neither sent nor took anything for too long"),
                  ErrorKind::kIdleStream);
}

class GrpcUpstream final : public Upstream {
 public:
  using Stream = grpc::ServerReaderWriter<v1::WriteAck, WritePacketMessage>;

  GrpcUpstream(grpc::ServerContext* context, Stream* stream) : context_(context), stream_(stream) {}

  // Before anything else; must outlive all calls but Cancel.
  void SetTicket(OpenTransfers::Ticket* ticket) { ticket_ = ticket; }

  absl::StatusOr<WriteHeader> ReceiveHeader() {
    if (!Read() || !message_.fields.has_header()) {
      return absl::InvalidArgumentError("the first message of a write has no header");
    }
    return FromProto(message_.fields.header());
  }
  bool Receive(Packet* packet) override {
    if (!Read()) return false;
    TakePacket(&message_, packet);
    return true;
  }
  bool Send(const Ack& ack) override {
    v1::WriteAck message;
    ToProto(ack, &message);
    const OpenTransfers::Ticket::Wait wait(ticket_, OpenTransfers::Ticket::Wait::kSend);
    return stream_->Write(message);
  }
  void Cancel() override { context_->TryCancel(); }
  void EndIdle() {
    idle_.store(true);
    EndIdleCall(context_);
  }
  bool idle() const { return idle_.load(); }

 private:
  bool Read() {
    const OpenTransfers::Ticket::Wait wait(ticket_, OpenTransfers::Ticket::Wait::kReceive);
    return stream_->Read(&message_);
  }

  grpc::ServerContext* const context_;
  Stream* const stream_;
  OpenTransfers::Ticket* ticket_ = nullptr;
  WritePacketMessage message_;
  std::atomic<bool> idle_ = false;
};

}  // namespace cairn::datanode
