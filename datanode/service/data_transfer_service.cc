#include "datanode/service/data_transfer_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "common/logging.h"
#include "common/net/rpc_status.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/service/convert.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kReadPacketBytes = 1 << 20;

constexpr uint64_t RoundUpToChunk(uint64_t bytes) {
  return (bytes + kChunkBytes - 1) / kChunkBytes * kChunkBytes;
}

class GrpcUpstream final : public Upstream {
 public:
  GrpcUpstream(grpc::ServerContext* context,
               grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>* stream)
      : context_(context), stream_(stream) {}

  bool ReceiveHeader(WriteHeader* header) {
    if (!stream_->Read(&message_) || !message_.has_header()) return false;
    *header = FromProto(message_.header());
    return true;
  }
  bool Receive(Packet* packet) override {
    if (!stream_->Read(&message_)) return false;
    TakePacket(&message_, packet);
    return true;
  }
  bool Send(const Ack& ack) override {
    v1::WriteAck message;
    ToProto(ack, &message);
    return stream_->Write(message);
  }
  void Cancel() override { context_->TryCancel(); }

 private:
  grpc::ServerContext* const context_;
  grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>* const stream_;
  v1::WritePacket message_;
};

// Sends [offset, end) of the replica; both are chunk borders or the replica's end.
absl::Status SendRange(ReplicaReader& reader, uint64_t offset, uint64_t end, uint64_t* sent,
                       grpc::ServerWriter<v1::ReadPacket>* writer) {
  v1::ReadPacket packet;
  std::vector<uint32_t> crcs;
  packet.set_replica_length(reader.block().length);
  do {
    std::string& payload = *packet.mutable_payload();
    payload.resize(RoundUpToChunk(std::min(kReadPacketBytes, end - offset)));
    // The reader checks the bytes in its own memory.
    ASSIGN_OR_RETURN(const size_t n, reader.Read(offset, {payload.data(), payload.size()},
                                                 /*verify=*/false, &crcs));
    payload.resize(n);
    packet.set_offset(offset);
    packet.mutable_crcs()->Assign(crcs.begin(), crcs.end());
    if (!writer->Write(packet)) return absl::CancelledError("the reader left");
    packet.clear_replica_length();
    offset += n;
    *sent += n;
  } while (offset < end);
  return absl::OkStatus();
}

}  // namespace

DataTransferService::DataTransferService(ReplicaStore* store, const NodeNumbers* numbers,
                                         Connector* connector, OpenTransfers* transfers,
                                         BlockReceiver::Options options)
    : store_(store),
      numbers_(numbers),
      connector_(connector),
      transfers_(transfers),
      options_(options) {}

grpc::Status DataTransferService::WriteBlock(
    grpc::ServerContext* context, grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>* stream) {
  return ToRpcStatus(Write(context, stream));
}

absl::Status DataTransferService::Write(
    grpc::ServerContext* context, grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>* stream) {
  GrpcUpstream upstream(context, stream);
  WriteHeader header;
  if (!upstream.ReceiveHeader(&header)) {
    return absl::InvalidArgumentError("the first message of a write has no header");
  }
  ASSIGN_OR_RETURN(const auto ticket, transfers_->Admit(OpenTransfers::Kind::kWrite, header.block,
                                                        [&upstream] { upstream.Cancel(); }));
  BlockReceiver receiver(store_, numbers_, connector_, options_);
  const absl::Status status = receiver.Run(header, &upstream);
  ticket->Done(status, receiver.bytes());
  if (!status.ok()) {
    LogWarn("write of block {} by {} ({}): {}", header.block.id, header.client, context->peer(),
            MessageOf(status));
  }
  return status;
}

grpc::Status DataTransferService::ReadBlock(grpc::ServerContext* context,
                                            const v1::ReadBlockRequest* request,
                                            grpc::ServerWriter<v1::ReadPacket>* writer) {
  return ToRpcStatus(Read(context, *request, writer));
}

absl::Status DataTransferService::Read(grpc::ServerContext* context,
                                       const v1::ReadBlockRequest& request,
                                       grpc::ServerWriter<v1::ReadPacket>* writer) {
  const Block block = FromProto(request.block());
  ASSIGN_OR_RETURN(const auto ticket, transfers_->Admit(OpenTransfers::Kind::kRead, block,
                                                        [context] { context->TryCancel(); }));
  uint64_t sent = 0;
  absl::Status status;
  auto reader = store_->OpenReader(block);
  if (!reader.ok()) {
    status = reader.status();
  } else {
    const uint64_t length = (*reader)->block().length;
    if (request.offset() > length) {
      status = absl::OutOfRangeError(
          fmt::format("offset {} is beyond the replica's end at {}", request.offset(), length));
    } else {
      const uint64_t left = length - request.offset();
      const uint64_t wanted = request.length() == 0 ? left : std::min(request.length(), left);
      const uint64_t start = request.offset() / kChunkBytes * kChunkBytes;
      const uint64_t end = std::min(length, RoundUpToChunk(request.offset() + wanted));
      status = SendRange(**reader, start, end, &sent, writer);
    }
  }
  ticket->Done(status, sent);
  // Files that are cut, unreadable or not there: find out, mark and report it.
  if (absl::IsDataLoss(status) || absl::IsInternal(status)) {
    LogError("read of block {}: {}", block.id, MessageOf(status));
    store_->Verify(block).status().IgnoreError();
  }
  return status;
}

grpc::Status DataTransferService::VerifyBlock(grpc::ServerContext* context,
                                              const v1::VerifyBlockRequest* request,
                                              v1::VerifyBlockReply* reply) {
  const absl::StatusOr<bool> good = store_->Verify(FromProto(request->block()));
  if (good.ok()) reply->set_good(*good);
  return ToRpcStatus(good.status());
}

}  // namespace cairn::datanode
