// The DataTransfer service: gRPC in and out, no decisions.
//
// Why: block streams are served with a thread each (the blocking API was as fast as callbacks, and
// a disk that waits then stalls nobody else). Thread-safe; registered with an RpcServer by the
// composition root.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "common/ids.h"
#include "common/mutex.h"
#include "common/net/packet_message.h"
#include "common/status.h"
#include "common/thread_cache.h"
#include "datanode/pipeline/block_receiver.h"
#include "datanode/pipeline/damage_watch.h"
#include "datanode/pipeline/replica_sender.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn::datanode {

class Connector;
class NodeNumbers;
class OpenTransfers;
class PeerLatencies;
class ReplicaReader;
class ReplicaStore;

using WriteBlockStream = grpc::ServerReaderWriter<v1::WriteAck, WritePacketMessage>;
using ReadBlockStream = grpc::ServerSplitStreamer<v1::ReadBlockRequest, ReadPacketMessage>;

// Where local clients get descriptors (local_reads.h); an empty path: nowhere.
struct LocalSocket {
  std::string path;
  std::string instance;
};

class DataTransferService final : public v1::DataTransfer::Service {
 public:
  // All must outlive the service. Without `latencies` the next nodes of pipelines are not measured.
  DataTransferService(ReplicaStore* store, const NodeNumbers* numbers, Connector* connector,
                      OpenTransfers* transfers, BlockReceiver::Options options,
                      LocalSocket local = {}, PeerLatencies* latencies = nullptr);

  // The socket has moved: its directory was removed.
  void SetLocalSocket(LocalSocket local) ABSL_LOCKS_EXCLUDED(mu_);

  grpc::Status VerifyBlock(grpc::ServerContext* context, const v1::VerifyBlockRequest* request,
                           v1::VerifyBlockReply* reply) override;
  grpc::Status GetReplica(grpc::ServerContext* context, const v1::GetReplicaRequest* request,
                          v1::GetReplicaReply* reply) override;
  grpc::Status BlockChecksum(grpc::ServerContext* context, const v1::BlockChecksumRequest* request,
                             v1::BlockChecksumReply* reply) override;
  grpc::Status TransferBlock(grpc::ServerContext* context, const v1::TransferBlockRequest* request,
                             v1::TransferBlockReply* reply) override;
  grpc::Status StartRecovery(grpc::ServerContext* context, const v1::StartRecoveryRequest* request,
                             v1::StartRecoveryReply* reply) override;
  grpc::Status FinishRecovery(grpc::ServerContext* context,
                              const v1::FinishRecoveryRequest* request,
                              v1::FinishRecoveryReply* reply) override;
  grpc::Status GetLocalSocket(grpc::ServerContext* context,
                              const v1::GetLocalSocketRequest* request,
                              v1::GetLocalSocketReply* reply) override;

 private:
  // In the place of the generated WriteBlock and ReadBlock, whose messages copy payloads.
  void ServeWithoutCopies();
  absl::Status Write(grpc::ServerContext* context, WriteBlockStream* stream);
  absl::Status Read(grpc::ServerContext* context, const v1::ReadBlockRequest& request,
                    ReadBlockStream* stream);
  // No writer of the block with a generation below this one is left, and none comes.
  absl::Status Fence(const Block& block, GenerationStamp recovery);
  absl::Status Start(const v1::StartRecoveryRequest& request, v1::StartRecoveryReply* reply);
  absl::Status Finish(const v1::FinishRecoveryRequest& request, v1::FinishRecoveryReply* reply);

  ReplicaStore* const store_;
  const NodeNumbers* const numbers_;
  Connector* const connector_;
  OpenTransfers* const transfers_;
  const BlockReceiver::Options options_;
  PeerLatencies* const latencies_;
  DamageWatch damage_;
  ThreadCache ack_threads_{"ack-relay"};
  ReplicaSender sender_;

  Mutex mu_;
  LocalSocket local_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
