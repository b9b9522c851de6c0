#include "datanode/service/data_transfer_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/logging.h"
#include "common/net/rpc_status.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/service/convert.h"
#include "datanode/service/grpc_upstream.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kReadPacketBytes = 1 << 20;

constexpr uint64_t RoundUpToChunk(uint64_t bytes) {
  return (bytes + kChunkBytes - 1) / kChunkBytes * kChunkBytes;
}

// Sends [offset, end) of the replica; both are chunk borders or the replica's end.
absl::Status SendRange(ReplicaReader& reader, uint64_t offset, uint64_t end, uint64_t* sent,
                       OpenTransfers::Ticket* ticket, CopyTurns* turns, ReadBlockStream* stream) {
  ReadPacketMessage packet;
  std::vector<uint32_t> crcs;
  packet.fields.set_replica_length(reader.block().length);
  do {
    // The reader checks the bytes in its own memory.
    const uint64_t wanted = RoundUpToChunk(std::min(kReadPacketBytes, end - offset));
    {
      const CopyTurns::ClientWork work(turns);
      ASSIGN_OR_RETURN(packet.payload, reader.ReadShared(offset, wanted, /*verify=*/false, &crcs));
    }
    packet.fields.set_offset(offset);
    packet.fields.mutable_crcs()->Assign(crcs.begin(), crcs.end());
    {
      const OpenTransfers::Ticket::Wait wait(ticket, OpenTransfers::Ticket::Wait::kSend);
      if (!stream->Write(packet)) return absl::CancelledError("the reader left");
    }
    packet.fields.clear_replica_length();
    offset += packet.payload.size();
    *sent += packet.payload.size();
  } while (offset < end);
  return absl::OkStatus();
}

}  // namespace

DataTransferService::DataTransferService(ReplicaStore* store, const NodeNumbers* numbers,
                                         Connector* connector, OpenTransfers* transfers,
                                         BlockReceiver::Options options, LocalSocket local,
                                         PeerLatencies* latencies)
    : store_(store),
      numbers_(numbers),
      connector_(connector),
      transfers_(transfers),
      options_(options),
      latencies_(latencies),
      sender_(store, connector, transfers),
      local_(std::move(local)) {
  ServeWithoutCopies();
}

// The methods are numbered in the order of the .proto. MarkMethodStreamed replaces the handler that
// the generated constructor has put there; to gRPC every one is then a stream in both directions,
// which looks the same to clients.
void DataTransferService::ServeWithoutCopies() {
  using grpc::internal::BidiStreamingHandler;
  using grpc::internal::SplitServerStreamingHandler;
  constexpr int kWriteBlock = 0;
  constexpr int kReadBlock = 1;
  MarkMethodStreamed(
      kWriteBlock,
      new BidiStreamingHandler<DataTransferService, WritePacketMessage, v1::WriteAck>(
          [](DataTransferService* self, grpc::ServerContext* context, WriteBlockStream* stream) {
            return ToRpcStatus(self->Write(context, stream));
          },
          this));
  MarkMethodStreamed(kReadBlock,
                     new SplitServerStreamingHandler<v1::ReadBlockRequest, ReadPacketMessage>(
                         [this](grpc::ServerContext* context, ReadBlockStream* stream) {
                           v1::ReadBlockRequest request;
                           if (!stream->Read(&request)) {
                             return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                                                 "no request that can be read");
                           }
                           return ToRpcStatus(Read(context, request, stream));
                         }));
}

absl::Status DataTransferService::Write(grpc::ServerContext* context, WriteBlockStream* stream) {
  GrpcUpstream upstream(context, stream);
  BlockReceiver receiver({.store = store_,
                          .numbers = numbers_,
                          .connector = connector_,
                          .transfers = transfers_,
                          .damage = &damage_,
                          .latencies = latencies_,
                          .threads = &ack_threads_},
                         options_, &upstream);
  const auto cancel = [&](OpenTransfers::Reason reason) {
    if (reason == OpenTransfers::Reason::kIdle) upstream.EndIdle();
    receiver.Cancel();
  };
  ASSIGN_OR_RETURN(const auto ticket,
                   transfers_->Admit(OpenTransfers::Kind::kWrite, /*block=*/{}, cancel));
  upstream.SetTicket(ticket.get());
  absl::StatusOr<WriteHeader> header = upstream.ReceiveHeader();
  absl::Status status = header.status();
  if (header.ok()) {
    ticket->SetBlock(header->block);
    status = receiver.Run(*header);
  }
  if (upstream.idle() && !status.ok()) status = IdleStatus();
  // A replica that was not stored is this node's error, even where the others have it.
  ticket->Done(status.ok() ? receiver.own_status() : status, receiver.bytes());
  if (!status.ok()) {
    LogWarn("write of block {} by {} ({}): {}", header.ok() ? header->block.id : 0,
            header.ok() ? header->client : "nobody", context->peer(), MessageOf(status));
  }
  return status;
}

absl::Status DataTransferService::Read(grpc::ServerContext* context,
                                       const v1::ReadBlockRequest& request,
                                       ReadBlockStream* stream) {
  const Block block = FromProto(request.block());
  std::atomic<bool> idle = false;
  const auto cancel = [&](OpenTransfers::Reason reason) {
    if (reason == OpenTransfers::Reason::kIdle) {
      idle.store(true);
      EndIdleCall(context);
    }
    context->TryCancel();
  };
  ASSIGN_OR_RETURN(const auto ticket, transfers_->Admit(OpenTransfers::Kind::kRead, block, cancel));
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
      status = SendRange(**reader, start, end, &sent, ticket.get(), transfers_->turns(), stream);
    }
  }
  if (idle.load() && !status.ok()) status = IdleStatus();
  ticket->Done(status, sent);
  store_->VerifyIfDoubtful(block, status);
  return status;
}

grpc::Status DataTransferService::VerifyBlock(grpc::ServerContext* context,
                                              const v1::VerifyBlockRequest* request,
                                              v1::VerifyBlockReply* reply) {
  const absl::StatusOr<bool> good = store_->Verify(FromProto(request->block()));
  if (good.ok()) reply->set_good(*good);
  return ToRpcStatus(good.status());
}

grpc::Status DataTransferService::GetReplica(grpc::ServerContext* context,
                                             const v1::GetReplicaRequest* request,
                                             v1::GetReplicaReply* reply) {
  const absl::StatusOr<ReadableReplica> replica = store_->GetReplica(FromProto(request->block()));
  if (replica.ok()) {
    ToProto(replica->block, reply->mutable_block());
    reply->set_open(replica->open);
  }
  return ToRpcStatus(replica.status());
}

grpc::Status DataTransferService::BlockChecksum(grpc::ServerContext* context,
                                                const v1::BlockChecksumRequest* request,
                                                v1::BlockChecksumReply* reply) {
  const Block block = FromProto(request->block());
  const absl::StatusOr<uint32_t> crc = store_->Checksum(block);
  if (crc.ok()) reply->set_crc(*crc);
  store_->VerifyIfDoubtful(block, crc.status());
  return ToRpcStatus(crc.status());
}

grpc::Status DataTransferService::TransferBlock(grpc::ServerContext* context,
                                                const v1::TransferBlockRequest* request,
                                                v1::TransferBlockReply* reply) {
  const Block block = FromProto(request->block());
  std::vector<Target> targets;
  for (const v1::NodeAddress& target : request->targets()) targets.push_back(FromProto(target));
  const absl::Status sent =
      sender_.Join(block, std::move(targets), [context] { return context->IsCancelled(); });
  if (!sent.ok()) LogWarn("transfer of block {}: {}", block.id, MessageOf(sent));
  return ToRpcStatus(sent);
}

void DataTransferService::SetLocalSocket(LocalSocket local) {
  MutexLock lock(mu_);
  local_ = std::move(local);
}

grpc::Status DataTransferService::GetLocalSocket(grpc::ServerContext* context,
                                                 const v1::GetLocalSocketRequest* request,
                                                 v1::GetLocalSocketReply* reply) {
  MutexLock lock(mu_);
  if (local_.path.empty()) {
    return ToRpcStatus(absl::NotFoundError("this DataNode passes no files to local clients"));
  }
  reply->set_path(local_.path);
  reply->set_instance(local_.instance);
  return grpc::Status::OK;
}

// --- block recovery ------------------------------------------------------------------------------

grpc::Status DataTransferService::StartRecovery(grpc::ServerContext* context,
                                                const v1::StartRecoveryRequest* request,
                                                v1::StartRecoveryReply* reply) {
  return ToRpcStatus(Start(*request, reply));
}

grpc::Status DataTransferService::FinishRecovery(grpc::ServerContext* context,
                                                 const v1::FinishRecoveryRequest* request,
                                                 v1::FinishRecoveryReply* reply) {
  return ToRpcStatus(Finish(*request, reply));
}

absl::Status DataTransferService::Fence(const Block& block, GenerationStamp recovery) {
  if (block.id == 0 || recovery <= block.generation) {
    return absl::InvalidArgumentError(fmt::format("a recovery of block {} from generation {} to {}",
                                                  block.id, block.generation, recovery));
  }
  RETURN_IF_ERROR(transfers_->FenceWrites(block.id, recovery));
  if (store_->WaitForWriter(block.id, options_.fence_ms)) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("block {} is still being written here by a stream that does not end", block.id));
}

absl::Status DataTransferService::Start(const v1::StartRecoveryRequest& request,
                                        v1::StartRecoveryReply* reply) {
  const Block block = FromProto(request.block());
  RETURN_IF_ERROR(Fence(block, request.recovery_generation()));
  ASSIGN_OR_RETURN(const RecoveryAnswer answer,
                   store_->StartRecovery(block, request.recovery_generation()));
  reply->set_state(ToProto(answer.state));
  ToProto(answer.block, reply->mutable_block());
  return absl::OkStatus();
}

absl::Status DataTransferService::Finish(const v1::FinishRecoveryRequest& request,
                                         v1::FinishRecoveryReply* reply) {
  const Block block = FromProto(request.block());
  // A retry finds the recovery's stamp on the replica already; then there is no writer either.
  if (block.generation < request.recovery_generation()) {
    RETURN_IF_ERROR(Fence(block, request.recovery_generation()));
  }
  ASSIGN_OR_RETURN(const size_t volume,
                   store_->FinishRecovery(block, request.recovery_generation()));
  const StorageNumber storage = numbers_->storage(volume);
  if (storage == 0) return absl::UnavailableError("this DataNode has not registered yet");
  reply->set_storage(storage);
  return absl::OkStatus();
}

}  // namespace cairn::datanode
