#include "tests/unit/client/fake_datanode.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "common/crc32c.h"
#include "common/net/rpc_status.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kReadPacketBytes = 64 << 10;

// What the client sees of a process that died: a failure without details.
grpc::Status Died() { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Connection reset"); }

void WaitForCancel(grpc::ServerContext* context) {
  while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

bool ChecksumsFit(const v1::WritePacket& packet) {
  const std::string_view payload = packet.payload();
  const uint64_t chunks = (payload.size() + kChunkBytes - 1) / kChunkBytes;
  if (static_cast<uint64_t>(packet.crcs_size()) != chunks) return false;
  for (uint64_t i = 0; i < chunks; ++i) {
    const auto chunk = payload.substr(i * kChunkBytes, kChunkBytes);
    if (Crc32c(chunk) != packet.crcs(static_cast<int>(i))) return false;
  }
  return true;
}

}  // namespace

FakeDataNode::FakeDataNode(NodeNumber number) : number_(number) {
  auto server = RpcServer::Start({.host = "127.0.0.1", .port = 0}, {this});
  if (!server.ok()) std::abort();
  server_ = *std::move(server);
}

v1::NodeAddress FakeDataNode::Address() const {
  v1::NodeAddress address;
  address.set_number(number_);
  address.set_id(fmt::format("node-{}", number_));
  address.add_addresses(server_->address().ToString());
  return address;
}

void FakeDataNode::SetPeers(std::vector<FakeDataNode*> peers) {
  MutexLock lock(mu_);
  peers_ = std::move(peers);
}

FakeDataNode* FakeDataNode::Peer(NodeNumber number) const {
  MutexLock lock(mu_);
  for (FakeDataNode* peer : peers_) {
    if (peer->number_ == number) return peer;
  }
  return nullptr;
}

void FakeDataNode::SetFaults(Faults faults) {
  MutexLock lock(mu_);
  faults_ = faults;
}

FakeDataNode::Faults FakeDataNode::faults() const {
  MutexLock lock(mu_);
  return faults_;
}

std::string FakeDataNode::Replica(BlockId id) const {
  MutexLock lock(mu_);
  const auto it = replicas_.find(id);
  return it != replicas_.end() && it->second.finished ? it->second.bytes : "";
}

int FakeDataNode::setups() const {
  MutexLock lock(mu_);
  return setups_;
}
int FakeDataNode::reads() const {
  MutexLock lock(mu_);
  return reads_;
}
int FakeDataNode::verifies() const {
  MutexLock lock(mu_);
  return verifies_;
}

void FakeDataNode::StartReplica(const v1::Block& block) {
  MutexLock lock(mu_);
  ++setups_;
  replicas_[block.id()] = {.generation = block.generation(), .bytes = "", .finished = false};
}

v1::NodeAck FakeDataNode::TakePacket(const v1::Block& block, const v1::WritePacket& packet,
                                     int count) {
  MutexLock lock(mu_);
  v1::NodeAck ack;
  ack.set_node(number_);
  ack.set_storage(faults_.no_storage ? 0 : storage());
  Replicated& replica = replicas_[block.id()];
  const bool fits = packet.offset() == replica.bytes.size() && packet.offset() % kChunkBytes == 0 &&
                    packet.seq() == static_cast<uint64_t>(count) + 1 && ChecksumsFit(packet) &&
                    packet.offset() + packet.payload().size() <= block.length();
  if (!fits || (faults_.refuse_after_packets >= 0 && count >= faults_.refuse_after_packets)) {
    ack.set_code(static_cast<int>(faults_.cancels ? absl::StatusCode::kCancelled
                                                  : absl::StatusCode::kDataLoss));
    ack.set_message(fits ? "No space left on device" : "the packet does not fit");
    return ack;
  }
  replica.bytes += packet.payload();
  if (packet.last()) {
    replica.finished = true;
    ack.set_durable_length(replica.bytes.size() - (faults_.short_on_disk ? 1 : 0));
  }
  return ack;
}

grpc::Status FakeDataNode::WriteBlock(
    grpc::ServerContext* context, grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>* stream) {
  v1::WritePacket packet;
  if (!stream->Read(&packet) || !packet.has_header()) return grpc::Status::OK;
  const v1::Block block = packet.header().block();
  std::vector<FakeDataNode*> nodes = {this};
  for (const v1::NodeAddress& target : packet.header().targets()) {
    nodes.push_back(Peer(target.number()));
  }

  v1::WriteAck setup;
  for (FakeDataNode* node : nodes) {
    node->StartReplica(block);
    v1::NodeAck* ack = setup.add_nodes();
    ack->set_node(node->number_);
    if (!node->faults().refuse_setup) continue;
    ack->set_code(static_cast<int>(absl::StatusCode::kUnavailable));
    ack->set_message("not now");
  }
  stream->Write(setup);

  for (int count = 0; stream->Read(&packet); ++count) {
    const Faults faults = this->faults();
    if (faults.die_after_packets >= 0 && count >= faults.die_after_packets) {
      return faults.cancels ? grpc::Status::CANCELLED : Died();
    }
    if (faults.stall_after_packets >= 0 && count >= faults.stall_after_packets) {
      WaitForCancel(context);
      return grpc::Status::OK;
    }
    v1::WriteAck ack;
    ack.set_seq(packet.seq());
    for (FakeDataNode* node : nodes) *ack.add_nodes() = node->TakePacket(block, packet, count);
    stream->Write(ack);
  }
  return grpc::Status::OK;
}

grpc::Status FakeDataNode::ReadBlock(grpc::ServerContext* context,
                                     const v1::ReadBlockRequest* request,
                                     grpc::ServerWriter<v1::ReadPacket>* writer) {
  const Faults faults = this->faults();
  std::string bytes;
  {
    MutexLock lock(mu_);
    ++reads_;
    const auto it = replicas_.find(request->block().id());
    if (it == replicas_.end() || faults.lost_replicas ||
        it->second.generation != request->block().generation()) {
      return ToRpcStatus(absl::NotFoundError("no such replica"));
    }
    bytes = it->second.bytes;
  }
  if (faults.stall_reads) {
    WaitForCancel(context);
    return grpc::Status::OK;
  }
  const uint64_t length = request->length() == 0 ? bytes.size() : request->length();
  const uint64_t end = std::min<uint64_t>(
      bytes.size(), (request->offset() + length + kChunkBytes - 1) / kChunkBytes * kChunkBytes);
  uint64_t offset = request->offset() / kChunkBytes * kChunkBytes;
  for (int count = 0; offset < end; ++count) {
    if (faults.die_after_read_packets >= 0 && count >= faults.die_after_read_packets) return Died();
    v1::ReadPacket packet;
    packet.set_offset(offset);
    if (count == 0) packet.set_replica_length(bytes.size());
    packet.set_payload(bytes.substr(offset, std::min(kReadPacketBytes, end - offset)));
    for (uint64_t at = 0; at < packet.payload().size(); at += kChunkBytes) {
      packet.add_crcs(Crc32c(std::string_view(packet.payload()).substr(at, kChunkBytes)));
    }
    offset += packet.payload().size();
    if (faults.corrupt_reads) packet.mutable_payload()->back() ^= 1;
    if (!writer->Write(packet) || faults.short_reads) break;
  }
  return grpc::Status::OK;
}

grpc::Status FakeDataNode::VerifyBlock(grpc::ServerContext* context,
                                       const v1::VerifyBlockRequest* request,
                                       v1::VerifyBlockReply* reply) {
  MutexLock lock(mu_);
  ++verifies_;
  return grpc::Status::OK;
}

}  // namespace cairn::testing
