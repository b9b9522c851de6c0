// DataNodes' data services in this process, over real gRPC on 127.0.0.1 and files in memory, and a
// writer that speaks the protocol packet by packet.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/metrics.h"
#include "common/net/channel.h"
#include "common/net/rpc_server.h"
#include "common/net/rpc_status.h"
#include "datanode/pipeline/node_numbers.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/service/data_transfer_service.h"
#include "datanode/service/grpc_connector.h"
#include "proto/data_transfer.grpc.pb.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {

inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class TestNode {
 public:
  struct Options {
    uint64_t transfer_memory = 64 << 20;
    BlockReceiver::Options receiver;
    bool registered = true;
  };

  TestNode(NodeNumber number, Options options)
      : number_(number), transfers_(options.transfer_memory, &metrics_), connector_(&channels_) {
    ReplicaStore::Options store_options;
    store_options.data_dirs = {"/d0"};
    store_options.capacity_bytes = kCapacity;
    store_options.reserved_bytes = 0;
    store_ = *ReplicaStore::Open(&env_, store_options);
    EXPECT_TRUE(store_->AdoptCluster(kCluster).ok());
    if (options.registered) numbers_.Set(number, {number * 10});
    service_ = std::make_unique<DataTransferService>(store_.get(), &numbers_, &connector_,
                                                     &transfers_, options.receiver);
    server_ = *RpcServer::Start({"127.0.0.1", 0}, {service_.get()});
    address_ = server_->address().ToString();
  }
  ~TestNode() { Kill(); }

  static constexpr uint64_t kCapacity = 1 << 30;

  void Kill() {
    if (server_ != nullptr) server_->Shutdown(0);
    server_.reset();
  }

  v1::NodeAddress Address() const {
    v1::NodeAddress address;
    address.set_number(number_);
    address.set_id("node-" + std::to_string(number_));
    address.add_addresses(address_);
    return address;
  }
  Target AsTarget() const { return {.number = number_, .id = "node", .addresses = {address_}}; }

  // Nothing is being written, and all room but that of finalized replicas is free.
  bool IsIdle() {
    const VolumeInfo volume = store_->Volumes()[0];
    return transfers_.load().active_writes == 0 && env_.List("/d0/current/rbw")->empty() &&
           volume.remaining_bytes == kCapacity - volume.used_bytes;
  }

  FaultEnv& env() { return env_; }
  ReplicaStore& store() { return *store_; }
  OpenTransfers& transfers() { return transfers_; }
  Connector& connector() { return connector_; }
  const std::string& address() const { return address_; }

 private:
  const NodeNumber number_;
  FaultEnv env_;
  Metrics metrics_;
  ChannelCache channels_;
  NodeNumbers numbers_;
  OpenTransfers transfers_;
  GrpcConnector connector_;
  std::unique_ptr<ReplicaStore> store_;
  std::unique_ptr<DataTransferService> service_;
  std::unique_ptr<RpcServer> server_;
  std::string address_;
};

// A writer that sends what it is told, right or wrong.
class TestWriter {
 public:
  explicit TestWriter(const TestNode& first) : TestWriter(first.address()) {}
  explicit TestWriter(const std::string& address)
      : channel_(MakeChannel(address, ChannelPurpose::kData)),
        stub_(v1::DataTransfer::NewStub(channel_)) {
    SetupContext(context_, 60'000);
    stream_ = stub_->WriteBlock(&context_);
  }
  ~TestWriter() {
    context_.TryCancel();
    if (stream_ != nullptr) stream_->Finish();
  }

  // Sends the header; the setup ack is to be read by ReadAck.
  void Open(const Block& block, const std::vector<const TestNode*>& behind) {
    v1::WritePacket packet;
    v1::WriteHeader& header = *packet.mutable_header();
    header.mutable_block()->set_id(block.id);
    header.mutable_block()->set_generation(block.generation);
    header.mutable_block()->set_length(block.length);
    for (const TestNode* node : behind) *header.add_targets() = node->Address();
    header.set_client("test");
    stream_->Write(packet);
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
  // The next ack; empty when the stream has ended.
  v1::WriteAck ReadAck() {
    v1::WriteAck ack;
    if (!stream_->Read(&ack)) ack.Clear();
    return ack;
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

class PipelineTest : public testing::Test {
 protected:
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
  void ExpectAllIdle() {
    for (const auto& node : nodes_) {
      EXPECT_TRUE(Eventually([&] { return node->IsIdle(); })) << node->address();
    }
  }

  std::vector<std::unique_ptr<TestNode>> nodes_;
};

}  // namespace cairn::datanode
