// A DataNode in this process that keeps replicas in memory and fails on demand.
//
// The first node of a pipeline plays those behind it too: it looks them up by number among its
// peers and answers for them, as a real pipeline's acks do. It checks what a DataNode checks:
// order, offsets, chunk borders, checksums, stamps and lengths. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
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
  // What goes wrong, from now on. Counts are of packets of one stream.
  struct Faults {
    bool stopped = false;  // as a process that was stopped: takes calls and says nothing
    bool refuse_setup = false;
    bool refuse_recovery = false;   // the setup of a pipeline that goes on with a replica
    bool silent_setup = false;      // says nothing at all to a setup
    int die_after_packets = -1;     // breaks off its stream as a dying process does
    int refuse_after_packets = -1;  // acks an error instead
    ErrorKind refuse_kind = ErrorKind::kNone;
    int stall_after_packets = -1;      // takes no packet and says nothing any more
    int end_idle_after_packets = -1;   // ends the stream for the writer's silence
    int hang_after_packets = -1;       // says that it is at work, and gets nowhere
    bool hold_last = false;            // lives, but does not acknowledge the last packet
    int die_after_last = -1;           // 0: has finished the block, and dies before its ack
    int wrong_ack_after_packets = -1;  // acknowledges another packet
    int link_ms = 0;                   // a packet takes this long to get here
    int packet_ms = 0;                 // works this long at each packet
    bool corrupts_mirror = false;      // damages what it passes on
    bool short_on_disk = false;        // has one byte less durable than it should
    bool no_storage = false;           // does not say which storage has the replica
    bool cancels = false;              // its errors are CANCELLED, as those of a node that stops
    bool lost_replicas = false;
    bool restarted = false;        // cannot tell what was acknowledged
    bool refuse_copies = false;    // as the target of a transfer
    bool corrupt_copies = false;   // as the source of one: its bytes fail their checksums
    bool stall_copies = false;     // as the source: says nothing any more, to anybody
    bool corrupt_reads = false;    // a byte of what it sends is wrong
    int corrupt_read_packet = -1;  // a byte of this one is wrong, counted from 0
    int die_after_read_packets = -1;
    bool stall_reads = false;
    int stall_after_read_packets = -1;  // and says nothing any more
    bool short_reads = false;           // ends a stream after its first packet
    int idle_after_packets = -1;  // takes the reader for idle after this many, and ends the stream
    int read_delay_ms = 0;        // before the first packet
    int busy_reads = 0;           // its first reads find as many readers as it takes
  };

  explicit FakeDataNode(NodeNumber number);

  NodeNumber number() const { return number_; }
  StorageNumber storage() const { return number_ * 10; }
  v1::NodeAddress Address() const;
  // Others are told this address from now on.
  void AdvertiseAs(std::string address);
  void SetPeers(std::vector<FakeDataNode*> peers);
  void SetFaults(Faults faults);
  // What it says when it is asked for its local socket; an empty path: that there is none.
  void SetLocalSocket(std::string path, std::string instance);
  // Nobody listens any more.
  void Stop() { server_->Shutdown(0); }

  // The bytes of a replica; empty when there is none that is finished.
  std::string Replica(BlockId id) const;
  // Of one that is written, too.
  std::string OpenReplica(BlockId id) const;
  uint64_t Generation(BlockId id) const;  // 0: no replica
  void CutReplica(BlockId id, uint64_t length);

  int setups() const;            // pipelines that reached it
  int recoveries() const;        // of these, with a replica that is there
  int copies() const;            // replicas that it was given by another node
  int reads() const;             // streams
  int broken_off_reads() const;  // that were silent until their reader left
  std::vector<v1::ReadBlockRequest> read_requests() const;
  int verifies() const;        // VerifyBlock calls
  int heartbeats() const;      // packets without bytes, as the first node
  int resent_packets() const;  // that began before the end of what was there
  int syncs() const;           // sync packets
  std::vector<v1::WriteHeader> headers() const;

  grpc::Status WriteBlock(grpc::ServerContext* context,
                          grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>* stream) override;
  grpc::Status ReadBlock(grpc::ServerContext* context, const v1::ReadBlockRequest* request,
                         grpc::ServerWriter<v1::ReadPacket>* writer) override;
  grpc::Status VerifyBlock(grpc::ServerContext* context, const v1::VerifyBlockRequest* request,
                           v1::VerifyBlockReply* reply) override;
  grpc::Status GetReplica(grpc::ServerContext* context, const v1::GetReplicaRequest* request,
                          v1::GetReplicaReply* reply) override;
  grpc::Status BlockChecksum(grpc::ServerContext* context, const v1::BlockChecksumRequest* request,
                             v1::BlockChecksumReply* reply) override;
  grpc::Status TransferBlock(grpc::ServerContext* context, const v1::TransferBlockRequest* request,
                             v1::TransferBlockReply* reply) override;
  grpc::Status GetLocalSocket(grpc::ServerContext* context,
                              const v1::GetLocalSocketRequest* request,
                              v1::GetLocalSocketReply* reply) override;

 private:
  // A read that is never answered.
  grpc::Status StallRead(grpc::ServerContext* context);
  using Stream = grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>;
  struct Replicated {
    uint64_t generation = 0;
    std::string bytes;
    bool finished = false;
  };
  struct Times {
    int64_t waited_us = 0;
    int64_t worked_us = 0;
  };
  Faults faults() const;
  FakeDataNode* Peer(NodeNumber number) const;
  v1::NodeAck NewAck() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::NodeAck Setup(const v1::WriteHeader& header);
  absl::Status SetupReplica(const v1::WriteHeader& header) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // This node's ack of a packet; `count` packets came before it.
  v1::NodeAck TakePacket(const v1::WriteHeader& header, const v1::WritePacket& packet, int count);
  absl::Status Store(const v1::WriteHeader& header, const v1::WritePacket& packet, int count)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::string> CopyOf(const v1::Block& block);
  absl::Status TakeCopy(const v1::Block& block, std::string bytes);
  // Acks for all nodes, one after another, up to the first that fails.
  v1::WriteAck AckOf(const std::vector<FakeDataNode*>& nodes, grpc::ServerContext* context,
                     Stream* stream, uint64_t seq,
                     const std::function<v1::NodeAck(FakeDataNode&)>& take);

  const NodeNumber number_;

  mutable Mutex mu_;
  std::string advertised_ ABSL_GUARDED_BY(mu_);  // empty: its own address
  std::vector<FakeDataNode*> peers_ ABSL_GUARDED_BY(mu_);
  Faults faults_ ABSL_GUARDED_BY(mu_);
  std::map<BlockId, Replicated> replicas_ ABSL_GUARDED_BY(mu_);
  int setups_ ABSL_GUARDED_BY(mu_) = 0;
  int recoveries_ ABSL_GUARDED_BY(mu_) = 0;
  int copies_ ABSL_GUARDED_BY(mu_) = 0;
  int reads_ ABSL_GUARDED_BY(mu_) = 0;
  int broken_off_reads_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<v1::ReadBlockRequest> read_requests_ ABSL_GUARDED_BY(mu_);
  int verifies_ ABSL_GUARDED_BY(mu_) = 0;
  int heartbeats_ ABSL_GUARDED_BY(mu_) = 0;
  int resent_packets_ ABSL_GUARDED_BY(mu_) = 0;
  int syncs_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<v1::WriteHeader> headers_ ABSL_GUARDED_BY(mu_);
  v1::GetLocalSocketReply local_socket_ ABSL_GUARDED_BY(mu_);

  std::unique_ptr<RpcServer> server_;
};

}  // namespace cairn::testing
