#include "datanode/pipeline/block_receiver.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/logging.h"
#include "datanode/pipeline/ack_relay.h"
#include "datanode/pipeline/packet_check.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
BlockReceiver::BlockReceiver(ReplicaStore* store, const NodeNumbers* numbers, Connector* connector,
                             Options options)
    : store_(store), numbers_(numbers), connector_(connector), options_(options) {}

BlockReceiver::~BlockReceiver() = default;

absl::Status BlockReceiver::Run(const WriteHeader& header, Upstream* upstream) {
  RETURN_IF_ERROR(CheckHeader(header));
  AckRelay relay(upstream, header.targets);
  RETURN_IF_ERROR(Setup(header, &relay));

  PacketCheck check(header);
  Packet packet;
  while (upstream->Receive(&packet)) {
    RETURN_IF_ERROR(check.Check(packet));
    bytes_ += packet.payload.size();
    relay.Forward(packet);
    Store(packet);
    relay.Push(packet.seq, OwnAck(packet.last));
    if (packet.last) {
      relay.Drain();
      return absl::OkStatus();
    }
    if (!own_.ok() && !relay.mirror_works()) {
      relay.Drain();
      return own_;  // nobody stores it any more
    }
  }
  return absl::CancelledError(
      fmt::format("the writer of block {} left before its end", header.block.id));
}

absl::Status BlockReceiver::Setup(const WriteHeader& header, AckRelay* relay) {
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> writer = store_->Create(header.block);
  if (writer.ok() && numbers_->storage((*writer)->volume().index()) == 0) {
    writer->reset();
    writer = absl::UnavailableError("this DataNode has not registered yet; try another");
  }
  if (writer.ok()) {
    writer_ = *std::move(writer);
  } else {
    own_ = writer.status();
    LogWarn("block {} for {}: {}", header.block.id, header.client, MessageOf(own_));
  }
  if (!header.targets.empty()) {
    const auto behind = static_cast<int64_t>(header.targets.size());
    const int64_t stall_ms =
        std::min(options_.stall_ms_per_node * (behind + 1), options_.max_stall_ms);
    relay->SetMirror(connector_->Connect(header, stall_ms));
  }
  relay->Push(0, OwnAck(/*last=*/false));
  relay->Drain();
  return own_.ok() || relay->mirror_works() ? absl::OkStatus() : own_;
}

void BlockReceiver::Store(const Packet& packet) {
  if (!own_.ok()) return;
  own_ = writer_->Append(packet.payload, packet.crcs);
  if (own_.ok() && packet.last) own_ = writer_->Finalize();
  if (own_.ok()) return;
  LogWarn("packet {} was not stored: {}", packet.seq, MessageOf(own_));
  writer_.reset();  // removes what there is and gives its space back
}

NodeAck BlockReceiver::OwnAck(bool last) const {
  NodeAck ack{.node = numbers_->node(), .status = own_};
  if (writer_ != nullptr) ack.storage = numbers_->storage(writer_->volume().index());
  if (last && own_.ok()) ack.durable_length = writer_->length();
  return ack;
}

}  // namespace cairn::datanode
