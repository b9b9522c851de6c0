// A DataNode in this process that keeps replicas in memory and fails on demand.
//
// The first node of a pipeline plays those behind it too: it looks them up by number among its
// peers and answers for them, as a real pipeline's acks do. It checks what a DataNode checks:
// order, offsets, chunk borders and checksums. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/mutex.h"
#include "common/net/rpc_server.h"
#include "common/status.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn::testing {

class FakeDataNode final : public v1::DataTransfer::Service {
 public:
  // What goes wrong, from now on.
  struct Faults {
    bool refuse_setup = false;
    int die_after_packets = -1;     // breaks off its stream as a dying process does
    int refuse_after_packets = -1;  // acks an error instead
    int stall_after_packets = -1;   // takes no packet and says nothing any more
    bool short_on_disk = false;     // has one byte less durable than it should
    bool no_storage = false;        // does not say which storage has the replica
    bool cancels = false;           // its errors are CANCELLED, as those of a node that stops
    bool corrupt_reads = false;     // a byte of what it sends is wrong
    int die_after_read_packets = -1;
    bool stall_reads = false;
    bool short_reads = false;  // ends a stream after its first packet
    bool lost_replicas = false;
  };

  explicit FakeDataNode(NodeNumber number);

  NodeNumber number() const { return number_; }
  StorageNumber storage() const { return number_ * 10; }
  v1::NodeAddress Address() const;
  void SetPeers(std::vector<FakeDataNode*> peers);
  void SetFaults(Faults faults);
  // Nobody listens any more.
  void Stop() { server_->Shutdown(0); }

  // The bytes of a replica; empty when there is none that is finished.
  std::string Replica(BlockId id) const;
  int setups() const;    // pipelines that reached it
  int reads() const;     // streams
  int verifies() const;  // VerifyBlock calls

  grpc::Status WriteBlock(grpc::ServerContext* context,
                          grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>* stream) override;
  grpc::Status ReadBlock(grpc::ServerContext* context, const v1::ReadBlockRequest* request,
                         grpc::ServerWriter<v1::ReadPacket>* writer) override;
  grpc::Status VerifyBlock(grpc::ServerContext* context, const v1::VerifyBlockRequest* request,
                           v1::VerifyBlockReply* reply) override;

 private:
  struct Replicated {
    uint64_t generation = 0;
    std::string bytes;
    bool finished = false;
  };
  Faults faults() const;
  FakeDataNode* Peer(NodeNumber number) const;
  void StartReplica(const v1::Block& block);
  // This node's ack of a packet; `count` packets came before it.
  v1::NodeAck TakePacket(const v1::Block& block, const v1::WritePacket& packet, int count);

  const NodeNumber number_;

  mutable Mutex mu_;
  std::vector<FakeDataNode*> peers_ ABSL_GUARDED_BY(mu_);
  Faults faults_ ABSL_GUARDED_BY(mu_);
  std::map<BlockId, Replicated> replicas_ ABSL_GUARDED_BY(mu_);
  int setups_ ABSL_GUARDED_BY(mu_) = 0;
  int reads_ ABSL_GUARDED_BY(mu_) = 0;
  int verifies_ ABSL_GUARDED_BY(mu_) = 0;

  std::unique_ptr<RpcServer> server_;
};

}  // namespace cairn::testing
