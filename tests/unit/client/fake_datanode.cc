#include "tests/unit/client/fake_datanode.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "common/crc32c.h"
#include "common/net/rpc_status.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kReadPacketBytes = 64 << 10;
constexpr int kMirrorStallMs = 100;  // after which a node behind that is stopped is reported
constexpr int kAliveMs = 20;

// What the client sees of a process that died: a failure without details.
grpc::Status Died() { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Connection reset"); }

// False when the call was cancelled before.
bool PauseFor(grpc::ServerContext* context, int ms) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  while (!context->IsCancelled() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(ms, 5)));
  }
  return !context->IsCancelled();
}

grpc::Status WaitForCancel(grpc::ServerContext* context) {
  while (PauseFor(context, 1000)) {
  }
  return grpc::Status::OK;
}

bool Reached(int after_packets, int count) { return after_packets >= 0 && count >= after_packets; }

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

void SetError(v1::NodeAck& ack, const absl::Status& status) {
  ack.set_code(static_cast<int>(status.code()));
  ack.set_message(std::string(MessageOf(status)));
  ack.set_kind(static_cast<int>(KindOf(status)));
}

absl::Status Refusal(ErrorKind kind, bool cancels) {
  if (cancels) return absl::CancelledError("No space left on device");
  if (kind == ErrorKind::kNoSpace) {
    return WithKind(absl::ResourceExhaustedError("No space left on device"), kind);
  }
  return WithKind(absl::DataLossError("No space left on device"), kind);
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
  MutexLock lock(mu_);
  address.add_addresses(advertised_.empty() ? server_->address().ToString() : advertised_);
  return address;
}

void FakeDataNode::AdvertiseAs(std::string address) {
  MutexLock lock(mu_);
  advertised_ = std::move(address);
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

std::string FakeDataNode::OpenReplica(BlockId id) const {
  MutexLock lock(mu_);
  const auto it = replicas_.find(id);
  return it == replicas_.end() ? "" : it->second.bytes;
}

uint64_t FakeDataNode::Generation(BlockId id) const {
  MutexLock lock(mu_);
  const auto it = replicas_.find(id);
  return it == replicas_.end() ? 0 : it->second.generation;
}

void FakeDataNode::CutReplica(BlockId id, uint64_t length) {
  MutexLock lock(mu_);
  replicas_.at(id).bytes.resize(length);
}

#define CAIRN_COUNT(name)          \
  int FakeDataNode::name() const { \
    MutexLock lock(mu_);           \
    return name##_;                \
  }
CAIRN_COUNT(setups)
CAIRN_COUNT(recoveries)
CAIRN_COUNT(copies)
CAIRN_COUNT(reads)
CAIRN_COUNT(broken_off_reads)
CAIRN_COUNT(verifies)
CAIRN_COUNT(heartbeats)
CAIRN_COUNT(resent_packets)
CAIRN_COUNT(syncs)
#undef CAIRN_COUNT

std::vector<v1::WriteHeader> FakeDataNode::headers() const {
  MutexLock lock(mu_);
  return headers_;
}

std::vector<v1::ReadBlockRequest> FakeDataNode::read_requests() const {
  MutexLock lock(mu_);
  return read_requests_;
}

v1::NodeAck FakeDataNode::NewAck() const {
  v1::NodeAck ack;
  ack.set_node(number_);
  ack.set_storage(faults_.no_storage ? 0 : storage());
  return ack;
}

v1::NodeAck FakeDataNode::Setup(const v1::WriteHeader& header) {
  MutexLock lock(mu_);
  v1::NodeAck ack = NewAck();
  ++setups_;
  headers_.push_back(header);
  if (const absl::Status status = SetupReplica(header); !status.ok()) SetError(ack, status);
  return ack;
}

absl::Status FakeDataNode::SetupReplica(const v1::WriteHeader& header) {
  const v1::Block& block = header.block();
  if (faults_.refuse_setup) return absl::UnavailableError("not now");
  if (header.stage() == v1::WriteHeader::CREATE) {
    if (replicas_.contains(block.id())) return absl::AlreadyExistsError("the block is there");
    replicas_[block.id()] = {.generation = block.generation(), .bytes = "", .finished = false};
    return absl::OkStatus();
  }
  ++recoveries_;
  if (faults_.refuse_recovery) return absl::UnavailableError("not again");
  const auto it = replicas_.find(block.id());
  if (it == replicas_.end()) return absl::NotFoundError("no such replica");
  Replicated& replica = it->second;
  if (replica.generation < header.from_generation() || replica.generation >= block.generation() ||
      replica.bytes.size() < header.from_length()) {
    return WithKind(absl::FailedPreconditionError(fmt::format(
                        "stamp {} and {} bytes", replica.generation, replica.bytes.size())),
                    ErrorKind::kStaleReplica);
  }
  replica.generation = block.generation();
  replica.finished = false;
  return absl::OkStatus();
}

v1::NodeAck FakeDataNode::TakePacket(const v1::WriteHeader& header, const v1::WritePacket& packet,
                                     int count) {
  MutexLock lock(mu_);
  v1::NodeAck ack = NewAck();
  if (const absl::Status status = Store(header, packet, count); !status.ok()) {
    SetError(ack, status);
    return ack;
  }
  const uint64_t length = replicas_[header.block().id()].bytes.size();
  if (packet.last()) ack.set_held_length(length - (faults_.short_on_disk ? 1 : 0));
  const bool durable = packet.sync() || (packet.last() && header.consistency() == v1::STRONG);
  if (durable) ack.set_durable_length(length - (faults_.short_on_disk ? 1 : 0));
  return ack;
}

absl::Status FakeDataNode::Store(const v1::WriteHeader& header, const v1::WritePacket& packet,
                                 int count) {
  const auto it = replicas_.find(header.block().id());
  if (it == replicas_.end() || it->second.generation != header.block().generation()) {
    return WithKind(absl::FailedPreconditionError("stale"), ErrorKind::kStaleReplica);
  }
  std::string& bytes = it->second.bytes;
  const std::string& payload = packet.payload();
  const uint64_t end = packet.offset() + payload.size();
  const bool heartbeat = payload.empty() && !packet.last() && !packet.sync();
  const bool fits = packet.offset() % kChunkBytes == 0 && packet.offset() <= bytes.size() &&
                    packet.seq() == static_cast<uint64_t>(count) + 1 &&
                    end <= header.block().length() && (!packet.last() || end >= bytes.size());
  if (!fits) return absl::DataLossError("the packet does not fit");
  if (!ChecksumsFit(packet)) return Refusal(ErrorKind::kChecksum, false);
  if (Reached(faults_.refuse_after_packets, count)) {
    return Refusal(faults_.refuse_kind, faults_.cancels);
  }
  heartbeats_ += heartbeat;
  syncs_ += packet.sync();
  resent_packets_ += !heartbeat && packet.offset() < bytes.size();
  const uint64_t there = std::min<uint64_t>(bytes.size(), end) - packet.offset();
  if (!heartbeat && bytes.compare(packet.offset(), there, payload, 0, there) != 0) {
    return WithKind(absl::DataLossError("other bytes are there"), ErrorKind::kChecksum);
  }
  if (end > bytes.size()) bytes.append(payload, there);
  it->second.finished |= packet.last();
  return absl::OkStatus();
}

v1::WriteAck FakeDataNode::AckOf(const std::vector<FakeDataNode*>& nodes,
                                 grpc::ServerContext* context, Stream* stream, uint64_t seq,
                                 const std::function<v1::NodeAck(FakeDataNode&)>& take) {
  v1::WriteAck ack;
  ack.set_seq(seq);
  bool cut_off = false;
  for (FakeDataNode* node : nodes) {
    v1::NodeAck* own = ack.add_nodes();
    own->set_node(node->number_);
    if (cut_off) {
      SetError(*own, absl::AbortedError("cut off"));
      continue;
    }
    if (node != this && node->faults().stopped) {
      v1::WriteAck alive;
      alive.set_alive(true);
      for (int ms = 0; ms < kMirrorStallMs && PauseFor(context, kAliveMs); ms += kAliveMs) {
        stream->Write(alive);
      }
      SetError(*own, absl::DeadlineExceededError("no answer"));
    } else {
      *own = take(*node);
    }
    cut_off = own->code() != 0;
  }
  return ack;
}

grpc::Status FakeDataNode::WriteBlock(grpc::ServerContext* context, Stream* stream) {
  v1::WritePacket packet;
  if (!stream->Read(&packet) || !packet.has_header()) return grpc::Status::OK;
  const v1::WriteHeader header = packet.header();
  if (faults().stopped || faults().silent_setup) return WaitForCancel(context);
  std::vector<FakeDataNode*> nodes = {this};
  for (const v1::NodeAddress& target : header.targets()) nodes.push_back(Peer(target.number()));
  stream->Write(
      AckOf(nodes, context, stream, 0, [&](FakeDataNode& node) { return node.Setup(header); }));

  std::vector<Times> times(nodes.size());
  for (int count = 0; stream->Read(&packet); ++count) {
    const Faults faults = this->faults();
    if (Reached(faults.die_after_packets, count)) {
      return faults.cancels ? grpc::Status::CANCELLED : Died();
    }
    if (Reached(faults.end_idle_after_packets, count)) {
      return ToRpcStatus(WithKind(absl::AbortedError("idle"), ErrorKind::kIdleStream));
    }
    if (faults.stopped || Reached(faults.stall_after_packets, count)) return WaitForCancel(context);
    v1::WriteAck alive;
    alive.set_alive(true);
    while (Reached(faults.hang_after_packets, count) && PauseFor(context, kAliveMs)) {
      stream->Write(alive);
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      const Faults slow = nodes[i]->faults();
      const int ms = slow.packet_ms + slow.link_ms;
      if (!PauseFor(context, ms)) return grpc::Status::OK;
      times[i].worked_us += slow.packet_ms * 1000;
      for (size_t before = 0; before < i; ++before) times[before].waited_us += ms * 1000;
    }
    v1::WritePacket passed_on = packet;
    v1::WriteAck ack = AckOf(nodes, context, stream, packet.seq(), [&](FakeDataNode& node) {
      const v1::NodeAck own = node.TakePacket(header, passed_on, count);
      if (node.faults().corrupts_mirror && !packet.payload().empty()) {
        passed_on.mutable_payload()->front() ^= 1;
      }
      return own;
    });
    for (size_t i = 0; i < nodes.size(); ++i) {
      ack.mutable_nodes(static_cast<int>(i))->set_waited_us(times[i].waited_us);
      ack.mutable_nodes(static_cast<int>(i))->set_worked_us(times[i].worked_us);
    }
    while (packet.last() && this->faults().hold_last && PauseFor(context, kAliveMs)) {
      stream->Write(alive);
    }
    if (packet.last() && faults.die_after_last >= 0) return Died();
    if (Reached(faults.wrong_ack_after_packets, count)) ack.set_seq(packet.seq() + 7);
    // Of a weak block it is the first node alone that must have all.
    if (packet.last() && header.consistency() == v1::WEAK) {
      ack.mutable_nodes()->DeleteSubrange(1, ack.nodes_size() - 1);
    }
    stream->Write(ack);
  }
  return grpc::Status::OK;
}

grpc::Status FakeDataNode::StallRead(grpc::ServerContext* context) {
  const grpc::Status ended = WaitForCancel(context);
  MutexLock lock(mu_);
  ++broken_off_reads_;
  return ended;
}

grpc::Status FakeDataNode::ReadBlock(grpc::ServerContext* context,
                                     const v1::ReadBlockRequest* request,
                                     grpc::ServerWriter<v1::ReadPacket>* writer) {
  const Faults faults = this->faults();
  if (faults.stopped) return WaitForCancel(context);
  std::string bytes;
  {
    MutexLock lock(mu_);
    ++reads_;
    read_requests_.push_back(*request);
    if (reads_ <= faults.busy_reads) {
      return ToRpcStatus(WithKind(absl::ResourceExhaustedError("busy"), ErrorKind::kBusy));
    }
    const auto it = replicas_.find(request->block().id());
    if (it == replicas_.end() || faults.lost_replicas) {
      return ToRpcStatus(absl::NotFoundError("no such replica"));
    }
    if (it->second.generation < request->block().generation()) {
      return ToRpcStatus(
          WithKind(absl::FailedPreconditionError("an old replica"), ErrorKind::kStaleReplica));
    }
    bytes = it->second.bytes;
    if (bytes.size() < request->block().length()) {
      return ToRpcStatus(absl::OutOfRangeError("a short replica"));
    }
  }
  if (faults.stall_reads) return StallRead(context);
  if (!PauseFor(context, faults.read_delay_ms)) return grpc::Status::OK;
  const uint64_t length = request->length() == 0 ? bytes.size() : request->length();
  const uint64_t end = std::min<uint64_t>(
      bytes.size(), (request->offset() + length + kChunkBytes - 1) / kChunkBytes * kChunkBytes);
  uint64_t offset = request->offset() / kChunkBytes * kChunkBytes;
  for (int count = 0; offset < end; ++count) {
    if (Reached(faults.die_after_read_packets, count)) return Died();
    if (Reached(faults.idle_after_packets, count)) {
      return ToRpcStatus(WithKind(absl::AbortedError("idle"), ErrorKind::kIdleStream));
    }
    if (Reached(faults.stall_after_read_packets, count)) return StallRead(context);
    v1::ReadPacket packet;
    packet.set_offset(offset);
    if (count == 0) packet.set_replica_length(bytes.size());
    packet.set_payload(bytes.substr(offset, std::min(kReadPacketBytes, end - offset)));
    for (uint64_t at = 0; at < packet.payload().size(); at += kChunkBytes) {
      packet.add_crcs(Crc32c(std::string_view(packet.payload()).substr(at, kChunkBytes)));
    }
    offset += packet.payload().size();
    if (faults.corrupt_reads || faults.corrupt_read_packet == count) {
      packet.mutable_payload()->back() ^= 1;
    }
    if (!writer->Write(packet) || faults.short_reads) break;
  }
  return grpc::Status::OK;
}

void FakeDataNode::SetLocalSocket(std::string path, std::string instance) {
  MutexLock lock(mu_);
  local_socket_.set_path(std::move(path));
  local_socket_.set_instance(std::move(instance));
}

grpc::Status FakeDataNode::GetLocalSocket(grpc::ServerContext* context,
                                          const v1::GetLocalSocketRequest* request,
                                          v1::GetLocalSocketReply* reply) {
  MutexLock lock(mu_);
  if (local_socket_.path().empty()) return {grpc::StatusCode::NOT_FOUND, "none"};
  *reply = local_socket_;
  return grpc::Status::OK;
}

grpc::Status FakeDataNode::VerifyBlock(grpc::ServerContext* context,
                                       const v1::VerifyBlockRequest* request,
                                       v1::VerifyBlockReply* reply) {
  MutexLock lock(mu_);
  ++verifies_;
  return grpc::Status::OK;
}

grpc::Status FakeDataNode::GetReplica(grpc::ServerContext* context,
                                      const v1::GetReplicaRequest* request,
                                      v1::GetReplicaReply* reply) {
  if (faults().stopped) return WaitForCancel(context);
  MutexLock lock(mu_);
  if (faults_.restarted && request->block().length() == 0) {
    return ToRpcStatus(absl::UnavailableError("this node was restarted"));
  }
  const auto it = replicas_.find(request->block().id());
  if (it == replicas_.end() || faults_.lost_replicas ||
      it->second.generation < request->block().generation()) {
    return ToRpcStatus(absl::NotFoundError("no such replica"));
  }
  reply->mutable_block()->set_id(request->block().id());
  reply->mutable_block()->set_generation(it->second.generation);
  reply->mutable_block()->set_length(it->second.bytes.size());
  reply->set_open(!it->second.finished);
  return grpc::Status::OK;
}

grpc::Status FakeDataNode::BlockChecksum(grpc::ServerContext* context,
                                         const v1::BlockChecksumRequest* request,
                                         v1::BlockChecksumReply* reply) {
  if (faults().stopped) return WaitForCancel(context);
  const absl::StatusOr<std::string> bytes = CopyOf(request->block());
  if (!bytes.ok()) return ToRpcStatus(bytes.status());
  reply->set_crc(Crc32c(*bytes));
  return grpc::Status::OK;
}

absl::StatusOr<std::string> FakeDataNode::CopyOf(const v1::Block& block) {
  MutexLock lock(mu_);
  const auto it = replicas_.find(block.id());
  if (it == replicas_.end() || faults_.lost_replicas ||
      it->second.generation < block.generation() || it->second.bytes.size() < block.length()) {
    return absl::NotFoundError("no such replica");
  }
  return it->second.bytes.substr(0, block.length());
}

absl::Status FakeDataNode::TakeCopy(const v1::Block& block, std::string bytes) {
  MutexLock lock(mu_);
  if (faults_.refuse_copies) return absl::ResourceExhaustedError("no room for a copy");
  ++copies_;
  replicas_[block.id()] = {
      .generation = block.generation(), .bytes = std::move(bytes), .finished = false};
  return absl::OkStatus();
}

grpc::Status FakeDataNode::TransferBlock(grpc::ServerContext* context,
                                         const v1::TransferBlockRequest* request,
                                         v1::TransferBlockReply* reply) {
  if (faults().stall_copies) {
    MutexLock lock(mu_);
    faults_.stopped = true;
  }
  if (faults().stopped) return WaitForCancel(context);
  if (faults().corrupt_copies) {
    return ToRpcStatus(WithKind(absl::DataLossError("bad bytes"), ErrorKind::kChecksum));
  }
  const absl::StatusOr<std::string> bytes = CopyOf(request->block());
  if (!bytes.ok()) return ToRpcStatus(bytes.status());
  for (const v1::NodeAddress& target : request->targets()) {
    FakeDataNode* peer = Peer(target.number());
    const absl::Status taken = peer->faults().stopped ? absl::DeadlineExceededError("no answer")
                                                      : peer->TakeCopy(request->block(), *bytes);
    if (!taken.ok()) return ToRpcStatus(taken);
  }
  return grpc::Status::OK;
}

}  // namespace cairn::testing
