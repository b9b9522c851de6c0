#include "datanode/pipeline/block_receiver.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "common/logging.h"
#include "common/steady_time.h"
#include "common/thread_cache.h"
#include "datanode/pipeline/ack_relay.h"
#include "datanode/pipeline/damage_watch.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/pipeline/packet_check.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

// Adds the time that it lives.
class Stopwatch {
 public:
  explicit Stopwatch(int64_t* total_us) : total_us_(total_us), start_us_(SteadyNowUs()) {}
  ~Stopwatch() { *total_us_ += SteadyNowUs() - start_us_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  int64_t* const total_us_;
  const int64_t start_us_;
};

bool IsWeak(const WriteHeader& header) {
  const bool client = header.stage == WriteStage::kCreate || header.stage == WriteStage::kRecover;
  return client && header.consistency == Consistency::kWeak;
}

WriteHeader HeaderForMirror(const WriteHeader& header) {
  WriteHeader behind = header;
  if (behind.consistency == Consistency::kWeak) behind.consistency = Consistency::kEventual;
  return behind;
}

}  // namespace

BlockReceiver::BlockReceiver(Parts parts, Options options, Upstream* upstream)
    : parts_(parts), options_(options), upstream_(upstream) {}

BlockReceiver::~BlockReceiver() = default;

void BlockReceiver::Cancel() {
  {
    MutexLock lock(mu_);
    cancelled_ = true;
    if (relay_ != nullptr) relay_->Cancel();
  }
  upstream_->Cancel();
}

void BlockReceiver::SetRelay(AckRelay* relay) {
  MutexLock lock(mu_);
  relay_ = relay;
  if (relay_ != nullptr && cancelled_) relay_->Cancel();
}

absl::Status BlockReceiver::Run(const WriteHeader& header) {
  RETURN_IF_ERROR(CheckHeader(header));
  const auto behind = static_cast<int64_t>(header.targets.size());
  AckRelay::Options relay_options{.alive_ms = options_.alive_ms, .stall_ms = options_.stall_ms};
  relay_options.max_progress_ms =
      options_.max_progress_ms - options_.max_progress_ms / (5 * std::max<int64_t>(behind, 1));
  AckRelay relay(
      parts_.threads, upstream_, header.targets, relay_options,
      {.visible =
           [this](uint64_t length) {
             if (writer_ != nullptr) writer_->SetVisible(length);
           },
       .damaged = [this](NodeNumber mirror) { return parts_.damage->Note(mirror, SteadyNowMs()); },
       .latencies = header.stage == WriteStage::kCopy ? nullptr : parts_.latencies});
  SetRelay(&relay);
  absl::Status status = Serve(header, &relay);
  SetRelay(nullptr);
  return status;
}

absl::Status BlockReceiver::Serve(const WriteHeader& header, AckRelay* relay) {
  RETURN_IF_ERROR(Setup(header, relay));
  const bool weak = IsWeak(header);
  const bool copy = header.stage == WriteStage::kCopy;
  PacketCheck check(header);
  Packet packet;
  while (upstream_->Receive(&packet)) {
    if (copy) parts_.transfers->turns()->Wait();
    {
      const Stopwatch work(&worked_us_);
      RETURN_IF_ERROR(check.Check(packet));
    }
    bytes_ += packet.payload.size();
    const bool early = weak && packet.last;
    if (early) {
      Store(header, packet);
      if (own_.ok()) relay->PushLastEarly(packet.seq, OwnAck(/*last=*/true, packet.sync));
    }
    relay->Forward(packet);
    if (!early) Store(header, packet);
    relay->Push(packet.seq, OwnAck(packet.last, packet.sync), check.length());
    if (packet.last) {
      relay->Drain();
      return absl::OkStatus();
    }
    if (!own_.ok() && !relay->mirror_works()) {
      relay->Drain();
      return own_;  // nobody stores it any more
    }
  }
  return absl::CancelledError(
      fmt::format("the writer of block {} left before its end", header.block.id));
}

absl::Status BlockReceiver::Setup(const WriteHeader& header, AckRelay* relay) {
  // The nodes behind get ready while this one does.
  if (!header.targets.empty()) relay->SetMirror(parts_.connector->Connect(HeaderForMirror(header)));
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> writer = OpenReplica(header);
  if (writer.ok()) {
    writer_ = *std::move(writer);
  } else {
    FailOwn(writer.status());
    LogWarn("block {} for {}: {}", header.block.id, header.client, MessageOf(own_));
  }
  relay->Push(0, OwnAck(/*last=*/false, /*sync=*/false), header.from_length);
  relay->Drain();
  return own_.ok() || relay->mirror_works() ? absl::OkStatus() : own_;
}

absl::StatusOr<std::unique_ptr<ReplicaWriter>> BlockReceiver::OpenReplica(
    const WriteHeader& header) {
  const Block& block = header.block;
  if (parts_.numbers->node() == 0) {
    return absl::UnavailableError("this DataNode has not registered yet; try another");
  }
  // Whoever wrote to it under an older stamp does so no more.
  RETURN_IF_ERROR(parts_.transfers->FenceWrites(block.id, block.generation));
  switch (header.stage) {
    case WriteStage::kCreate:
      return parts_.store->Create(block);
    case WriteStage::kCopy:
      return parts_.store->CreateCopy(block);
    case WriteStage::kJoin:
      return parts_.store->CreateJoin(block);
    case WriteStage::kRecover:
      break;
  }
  if (!parts_.store->WaitForWriter(block.id, options_.fence_ms)) {
    return absl::UnavailableError(fmt::format(
        "block {} is still being written here by a stream that does not end", block.id));
  }
  auto writer = parts_.store->Reopen(block, header.from_generation, header.from_length);
  // A replica without a byte does not outlive its writer, and a node that joins needs none.
  if (absl::IsNotFound(writer.status()) && header.from_length == 0) {
    return parts_.store->Create(block);
  }
  return writer;
}

void BlockReceiver::Store(const WriteHeader& header, const Packet& packet) {
  if (!own_.ok()) return;
  const Stopwatch work(&worked_us_);
  std::optional<CopyTurns::ClientWork> client;
  if (header.stage != WriteStage::kCopy) client.emplace(parts_.transfers->turns());
  const uint64_t offset = packet.payload.empty() ? 0 : packet.offset;
  absl::Status stored = writer_->Append(offset, packet.payload, packet.crcs);
  if (stored.ok() && packet.last) {
    stored = Finish(header, packet.sync);
  } else if (stored.ok() && packet.sync) {
    stored = writer_->Sync();
  }
  if (stored.ok()) return;
  FailOwn(std::move(stored));
  LogWarn("block {}: packet {} was not stored: {}", header.block.id, packet.seq, MessageOf(own_));
}

void BlockReceiver::FailOwn(absl::Status status) {
  // To those before us that kind says that bytes were damaged on their way; here the replica is the
  // wrong one.
  if (KindOf(status) == ErrorKind::kChecksum) {
    status = WithKind(std::move(status), ErrorKind::kNone);
  }
  own_ = std::move(status);
}

absl::Status BlockReceiver::Finish(const WriteHeader& header, bool sync) {
  switch (header.stage) {
    case WriteStage::kJoin:
      return writer_->Seal();
    case WriteStage::kCopy:
      return writer_->Finalize(Durability::kNow);
    case WriteStage::kCreate:
    case WriteStage::kRecover:
      break;
  }
  const bool now = sync || header.consistency == Consistency::kStrong;
  return writer_->Finalize(now ? Durability::kNow : Durability::kLater);
}

NodeAck BlockReceiver::OwnAck(bool last, bool sync) const {
  NodeAck ack{.node = parts_.numbers->node(), .status = own_};
  ack.worked_us = static_cast<uint64_t>(worked_us_);
  if (writer_ == nullptr) return ack;
  ack.storage = parts_.numbers->storage(writer_->volume().index());
  if (!own_.ok()) return ack;
  if (last || sync) ack.durable_length = writer_->durable_length();
  if (last) ack.held_length = writer_->length();
  return ack;
}

}  // namespace cairn::datanode
