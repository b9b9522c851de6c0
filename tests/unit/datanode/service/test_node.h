// DataNodes' data services in this process, over real gRPC on 127.0.0.1 and files in memory, and a
// writer that speaks the protocol packet by packet.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "common/metrics.h"
#include "common/mutex.h"
#include "common/net/channel.h"
#include "common/net/rpc_server.h"
#include "common/net/rpc_status.h"
#include "datanode/pipeline/node_numbers.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/pipeline/peer_latencies.h"
#include "datanode/pipeline/replica_sender.h"
#include "datanode/service/convert.h"
#include "datanode/service/data_transfer_service.h"
#include "datanode/service/grpc_connector.h"
#include "datanode/service/grpc_recovery_peers.h"
#include "proto/data_transfer.grpc.pb.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {

inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Threads of this process with this name.
inline int ThreadsNamed(const std::string& name) {
  int count = 0;
  std::error_code ignored;  // threads come and go
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream file(task.path() / "comm");
    std::string comm;
    if (std::getline(file, comm) && comm == name) ++count;
  }
  return count;
}

class TestNode {
 public:
  struct Options {
    OpenTransfers::Options transfers = {.memory_bytes = 64 << 20};
    // Patient: a test machine may be slow.
    BlockReceiver::Options receiver = {
        .stall_ms = 20'000, .max_progress_ms = 60'000, .fence_ms = 20'000};
    bool registered = true;
  };

  TestNode(NodeNumber number, Options options)
      : number_(number),
        options_(options),
        transfers_(options.transfers, &metrics_),
        connector_(&channels_, /*connect_ms=*/20'000),
        peers_(&channels_, /*connect_ms=*/20'000) {
    if (options.registered) numbers_.Set(number, {number * 10});
    Start();
  }
  ~TestNode() { Kill(); }

  static constexpr uint64_t kCapacity = 1 << 30;

  void Kill() {
    if (server_ != nullptr) server_->Shutdown(0);
    server_.reset();
  }
  // As after a restart of the process: the same disk at another address.
  void Restart() {
    Kill();
    service_.reset();
    store_.reset();
    Start();
  }
  // The same after a loss of power.
  void CutPower() {
    Kill();
    service_.reset();
    store_.reset();
    env_.Crash();
    Start();
  }

  v1::NodeAddress Address() const { return AddressOf(number_, address_); }
  static v1::NodeAddress AddressOf(NodeNumber number, const std::string& at) {
    v1::NodeAddress address;
    address.set_number(number);
    address.set_id("node-" + std::to_string(number));
    address.add_addresses(at);
    return address;
  }
  Target AsTarget() const { return {.number = number_, .id = "node", .addresses = {address_}}; }

  // No stream is open, no replica has a writer, and no room is promised to one.
  bool IsIdle() {
    const VolumeInfo volume = store_->Volumes()[0];
    for (const ReplicaInfo& replica : store_->Replicas(0)) {
      if (replica.state == ReplicaState::kOpen && !replica.waiting) return false;
    }
    const TransferLoad load = transfers_.load();
    return load.active_writes == 0 && load.active_reads == 0 &&
           volume.remaining_bytes == kCapacity - volume.used_bytes;
  }
  // "open 5", "finalized 5", ... for the replica of a block; "none".
  std::string StateOf(BlockId id) {
    for (const ReplicaInfo& replica : store_->Replicas(0)) {
      if (replica.block.id != id) continue;
      std::string state = "finalized ";
      if (replica.state == ReplicaState::kOpen) state = replica.waiting ? "waiting " : "open ";
      return state + std::to_string(replica.block.generation) + "/" +
             std::to_string(replica.block.length);
    }
    return "none";
  }

  FaultEnv& env() { return env_; }
  ReplicaStore& store() { return *store_; }
  OpenTransfers& transfers() { return transfers_; }
  // What it told of packets to this node; all zero: nothing.
  PeerLatencies::Peer LatencyTo(NodeNumber node) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    for (const PeerLatencies::Peer& peer :
         latencies_.Report(std::chrono::duration_cast<std::chrono::milliseconds>(now).count())) {
      if (peer.node == node) return peer;
    }
    return {};
  }
  RecoveryPeers& peers() { return peers_; }
  ReplicaSender Sender() { return {store_.get(), &connector_, &transfers_}; }
  NodeNumber number() const { return number_; }
  const std::string& address() const { return address_; }

 private:
  void Start() {
    ReplicaStore::Options store_options;
    store_options.data_dirs = {"/d0"};
    store_options.capacity_bytes = kCapacity;
    store_options.reserved_bytes = 0;
    store_ = *ReplicaStore::Open(&env_, store_options);
    EXPECT_TRUE(store_->AdoptCluster(kCluster).ok());
    service_ =
        std::make_unique<DataTransferService>(store_.get(), &numbers_, &connector_, &transfers_,
                                              options_.receiver, LocalSocket{}, &latencies_);
    server_ = *RpcServer::Start({"127.0.0.1", 0}, {service_.get()});
    address_ = server_->address().ToString();
  }

  const NodeNumber number_;
  const Options options_;
  FaultEnv env_;
  Metrics metrics_;
  ChannelCache channels_;
  NodeNumbers numbers_;
  OpenTransfers transfers_;
  PeerLatencies latencies_{3'600'000};
  GrpcConnector connector_;
  GrpcRecoveryPeers peers_;
  std::unique_ptr<ReplicaStore> store_;
  std::unique_ptr<DataTransferService> service_;
  std::unique_ptr<RpcServer> server_;
  std::string address_;
};

// A disk that hangs: its node stays connected and lives, but stores nothing.
class Hang {
 public:
  explicit Hang(FaultEnv& env) {
    env.SetHook([gate = gate_](FaultOp op, const std::string&) {
      if (op == FaultOp::kWrite) gate->Wait();
      return absl::OkStatus();
    });
  }
  ~Hang() { End(); }
  Hang(const Hang&) = delete;
  Hang& operator=(const Hang&) = delete;
  void End() const { gate_->Open(); }
  // Writes that hang now.
  int waiting() const { return gate_->waiting(); }

 private:
  class Gate {
   public:
    void Wait() {
      MutexLock lock(mu_);
      ++waiting_;
      while (!open_) changed_.Wait(mu_);
      --waiting_;
    }
    void Open() {
      MutexLock lock(mu_);
      open_ = true;
      changed_.SignalAll();
    }
    int waiting() {
      MutexLock lock(mu_);
      return waiting_;
    }

   private:
    Mutex mu_;
    CondVar changed_;
    int waiting_ ABSL_GUARDED_BY(mu_) = 0;
    bool open_ ABSL_GUARDED_BY(mu_) = false;
  };
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

// What the ack says of a node; a failure of the test, and nothing, where it says nothing of it.
inline v1::NodeAck NodeOf(const v1::WriteAck& ack, int index) {
  EXPECT_GT(ack.nodes_size(), index);
  return ack.nodes_size() > index ? ack.nodes(index) : v1::NodeAck();
}

// A writer that sends what it is told, right or wrong.
class TestWriter {
 public:
  explicit TestWriter(const TestNode& first) : TestWriter(first.address()) {}
  explicit TestWriter(const std::string& address)
      : TestWriter(MakeChannel(address, ChannelPurpose::kData)) {}
  explicit TestWriter(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)), stub_(v1::DataTransfer::NewStub(channel_)) {
    SetupContext(context_, 60'000);
    stream_ = stub_->WriteBlock(&context_);
  }
  ~TestWriter() {
    context_.TryCancel();
    if (stream_ != nullptr) stream_->Finish();
  }

  // What a header says beside block and targets.
  struct How {
    v1::WriteHeader::Stage stage = v1::WriteHeader::CREATE;
    v1::Consistency consistency = v1::STRONG;
    uint64_t from_generation = 0;
    uint64_t from_length = 0;
  };
  // Sends the header; the setup ack is to be read by ReadAck.
  void OpenTo(const Block& block, const std::vector<v1::NodeAddress>& behind, How how) {
    v1::WritePacket packet;
    v1::WriteHeader& header = *packet.mutable_header();
    ToProto(block, header.mutable_block());
    for (const v1::NodeAddress& node : behind) *header.add_targets() = node;
    header.set_client("test");
    header.set_stage(how.stage);
    header.set_consistency(how.consistency);
    header.set_from_generation(how.from_generation);
    header.set_from_length(how.from_length);
    stream_->Write(packet);
  }
  void Open(const Block& block, const std::vector<const TestNode*>& behind, How how) {
    std::vector<v1::NodeAddress> addresses;
    for (const TestNode* node : behind) addresses.push_back(node->Address());
    OpenTo(block, addresses, how);
  }
  void Open(const Block& block, const std::vector<const TestNode*>& behind) {
    Open(block, behind, How{});
  }
  static v1::WritePacket Packet(uint64_t seq, uint64_t offset, std::string payload, bool last) {
    v1::WritePacket packet;
    packet.set_seq(seq);
    packet.set_offset(offset);
    packet.set_last(last);
    for (const uint32_t crc : CrcsOf(payload)) packet.add_crcs(crc);
    packet.set_payload(std::move(payload));
    return packet;
  }
  bool Send(const v1::WritePacket& packet) { return stream_->Write(packet); }
  static v1::WritePacket SyncPacket(uint64_t seq, uint64_t offset, std::string payload) {
    v1::WritePacket packet = Packet(seq, offset, std::move(payload), false);
    packet.set_sync(true);
    return packet;
  }
  // The next ack, signs of life left out; empty when the stream has ended.
  v1::WriteAck ReadAck() {
    v1::WriteAck ack;
    do {
      if (!stream_->Read(&ack)) return {};
    } while (ack.alive());
    return ack;
  }
  // True when the next message is a sign of life.
  bool ReadSignOfLife() {
    v1::WriteAck ack;
    return stream_->Read(&ack) && ack.alive() && ack.nodes().empty();
  }
  // Codes of the nodes in the next ack.
  std::vector<int> ReadCodes() {
    std::vector<int> codes;
    const v1::WriteAck ack = ReadAck();
    for (const v1::NodeAck& node : ack.nodes()) codes.push_back(node.code());
    return codes;
  }
  // Sends all of `bytes` in packets of `piece` and returns the ack of the last one.
  v1::WriteAck SendAll(const std::string& bytes, size_t piece) {
    std::thread sender([&] {
      uint64_t seq = 0;
      for (size_t at = 0; at < bytes.size(); at += piece) {
        if (!Send(Packet(++seq, at, bytes.substr(at, piece), at + piece >= bytes.size()))) return;
      }
    });
    v1::WriteAck last;
    for (size_t at = 0; at < bytes.size(); at += piece) last = ReadAck();
    sender.join();
    return last;
  }
  void Leave() { context_.TryCancel(); }
  absl::Status Finish() {
    stream_->WritesDone();
    const grpc::Status status = stream_->Finish();
    stream_.reset();
    return FromRpcStatus(status, "node");
  }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::DataTransfer::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WritePacket, v1::WriteAck>> stream_;
};

// Writes a replica to the DataNode at `address` alone; what that says of itself with the last ack.
inline v1::NodeAck WriteReplica(const std::string& address, const Block& block,
                                const std::string& bytes) {
  TestWriter writer(address);
  writer.Open(block, {});
  writer.ReadAck();
  const v1::WriteAck last = writer.SendAll(bytes, 1 << 20);
  EXPECT_TRUE(writer.Finish().ok());
  EXPECT_EQ(last.nodes_size(), 1);
  if (last.nodes_size() == 0) return {};
  EXPECT_EQ(NodeOf(last, 0).durable_length(), bytes.size());
  return NodeOf(last, 0);
}

class PipelineTest : public ::testing::Test {
 protected:
  using How = TestWriter::How;

  void Start(size_t count, TestNode::Options options = {}) {
    for (size_t i = 0; i < count; ++i) {
      nodes_.push_back(std::make_unique<TestNode>(static_cast<NodeNumber>(i + 1), options));
    }
  }
  std::vector<const TestNode*> Behind(size_t first = 0) const {
    std::vector<const TestNode*> behind;
    for (size_t i = first + 1; i < nodes_.size(); ++i) behind.push_back(nodes_[i].get());
    return behind;
  }
  // Back to where it began: no streams, writers or promises. Relays' threads are kept for the next
  // stream; a node waits for those at work when it ends.
  void ExpectAllIdle() {
    for (const auto& node : nodes_) {
      EXPECT_TRUE(Eventually([&] { return node->IsIdle(); })) << node->address();
    }
  }
  std::vector<std::string> States(BlockId id) {
    std::vector<std::string> states;
    for (const auto& node : nodes_) states.push_back(node->StateOf(id));
    return states;
  }
  // Writes the first bytes of a block through all nodes and waits for the acks.
  void WriteStart(TestWriter& writer, const Block& block, const std::string& bytes) {
    writer.Open(block, Behind());
    ASSERT_EQ(writer.ReadAck().nodes_size(), static_cast<int>(nodes_.size()));
    writer.Send(TestWriter::Packet(1, 0, bytes, false));
    ASSERT_EQ(writer.ReadCodes(), std::vector<int>(nodes_.size(), 0));
  }

  std::vector<std::unique_ptr<TestNode>> nodes_;
};

// One call to a node over a channel of its own.
class TestCaller {
 public:
  explicit TestCaller(const TestNode& node)
      : stub_(v1::DataTransfer::NewStub(MakeChannel(node.address(), ChannelPurpose::kData))) {}

  absl::StatusOr<v1::GetReplicaReply> GetReplica(const Block& block) {
    v1::GetReplicaRequest request;
    ToProto(block, request.mutable_block());
    return Call<v1::GetReplicaReply>(request, &v1::DataTransfer::Stub::GetReplica);
  }
  absl::StatusOr<v1::BlockChecksumReply> BlockChecksum(const Block& block) {
    v1::BlockChecksumRequest request;
    ToProto(block, request.mutable_block());
    return Call<v1::BlockChecksumReply>(request, &v1::DataTransfer::Stub::BlockChecksum);
  }
  absl::StatusOr<v1::VerifyBlockReply> VerifyBlock(const Block& block) {
    v1::VerifyBlockRequest request;
    ToProto(block, request.mutable_block());
    return Call<v1::VerifyBlockReply>(request, &v1::DataTransfer::Stub::VerifyBlock);
  }
  absl::Status TransferBlock(const Block& block, const std::vector<v1::NodeAddress>& targets) {
    v1::TransferBlockRequest request;
    ToProto(block, request.mutable_block());
    for (const v1::NodeAddress& target : targets) *request.add_targets() = target;
    return Call<v1::TransferBlockReply>(request, &v1::DataTransfer::Stub::TransferBlock).status();
  }
  absl::StatusOr<v1::StartRecoveryReply> StartRecovery(const Block& block,
                                                       GenerationStamp recovery) {
    v1::StartRecoveryRequest request;
    ToProto(block, request.mutable_block());
    request.set_recovery_generation(recovery);
    return Call<v1::StartRecoveryReply>(request, &v1::DataTransfer::Stub::StartRecovery);
  }
  absl::StatusOr<v1::FinishRecoveryReply> FinishRecovery(const Block& block,
                                                         GenerationStamp recovery) {
    v1::FinishRecoveryRequest request;
    ToProto(block, request.mutable_block());
    request.set_recovery_generation(recovery);
    return Call<v1::FinishRecoveryReply>(request, &v1::DataTransfer::Stub::FinishRecovery);
  }

  struct ReadResult {
    absl::Status status;
    uint64_t offset = 0;  // of the first byte
    uint64_t replica_length = 0;
    std::string bytes;
  };
  // Reads a range and checks its CRCs.
  ReadResult Read(const Block& block, uint64_t offset, uint64_t length) {
    grpc::ClientContext context;
    SetupContext(context, 60'000);
    v1::ReadBlockRequest request;
    ToProto(block, request.mutable_block());
    request.set_offset(offset);
    request.set_length(length);
    const auto reader = stub_->ReadBlock(&context, request);
    ReadResult result;
    v1::ReadPacket packet;
    bool first = true;
    while (reader->Read(&packet)) {
      if (std::exchange(first, false)) {
        result.offset = packet.offset();
        result.replica_length = packet.replica_length();
      }
      EXPECT_EQ(packet.offset(), result.offset + result.bytes.size());
      EXPECT_EQ(CrcsOf(packet.payload()),
                std::vector<uint32_t>(packet.crcs().begin(), packet.crcs().end()));
      result.bytes += packet.payload();
    }
    result.status = FromRpcStatus(reader->Finish(), "node");
    return result;
  }

 private:
  template <typename Reply, typename Request, typename Method>
  absl::StatusOr<Reply> Call(const Request& request, Method method) {
    grpc::ClientContext context;
    SetupContext(context, 60'000);
    Reply reply;
    const grpc::Status status = ((*stub_).*method)(&context, request, &reply);
    if (!status.ok()) return FromRpcStatus(status, "node");
    return reply;
  }

  const std::unique_ptr<v1::DataTransfer::Stub> stub_;
};

}  // namespace cairn::datanode
