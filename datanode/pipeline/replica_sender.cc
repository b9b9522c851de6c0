#include "datanode/pipeline/replica_sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "datanode/pipeline/open_transfers.h"
#include "datanode/pipeline/streams.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kPacketBytes = 1 << 20;
constexpr uint64_t kWindow = 8;  // packets on their way
constexpr int64_t kStallMs = 30'000;

absl::Status CheckAck(const absl::StatusOr<Ack>& ack, const std::vector<Target>& targets) {
  if (!ack.ok()) return Annotate(ack.status(), targets.front().name());
  for (size_t i = 0; i < ack->nodes.size() && i < targets.size(); ++i) {
    RETURN_IF_ERROR(Annotate(ack->nodes[i].status, targets[i].name()));
  }
  return absl::OkStatus();
}

absl::Status SendAll(ReplicaReader& reader, Downstream& stream,
                     const std::vector<Target>& targets) {
  RETURN_IF_ERROR(CheckAck(stream.ReceiveAck(), targets));  // of the setup
  const uint64_t length = reader.block().length;
  Packet packet;
  uint64_t acked = 0;
  while (!packet.last) {
    packet.offset += packet.payload.size();
    packet.payload.resize(kPacketBytes);
    ASSIGN_OR_RETURN(const size_t n,
                     reader.Read(packet.offset, {packet.payload.data(), packet.payload.size()},
                                 /*verify=*/true, &packet.crcs));
    packet.payload.resize(n);
    packet.last = packet.offset + n == length;
    ++packet.seq;
    RETURN_IF_ERROR(stream.Send(packet));
    while (acked < packet.seq && (packet.last || packet.seq - acked >= kWindow)) {
      RETURN_IF_ERROR(CheckAck(stream.ReceiveAck(), targets));
      ++acked;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SendReplica(ReplicaStore* store, Connector* connector, OpenTransfers* transfers,
                         const Block& block, std::vector<Target> targets) {
  if (targets.empty()) return absl::InvalidArgumentError("a copy without targets");
  absl::StatusOr<std::unique_ptr<ReplicaReader>> reader = store->OpenReader(block);
  absl::Status status = reader.status();
  if (reader.ok()) {
    const WriteHeader header{.block = (*reader)->block(),
                             .stage = WriteStage::kCopy,
                             .targets = targets,
                             .token = {},
                             .client = "copy"};
    ASSIGN_OR_RETURN(const std::unique_ptr<Downstream> stream,
                     connector->Connect(header, kStallMs));
    ASSIGN_OR_RETURN(const auto ticket,
                     transfers->Admit(OpenTransfers::Kind::kRead, block,
                                      [stream = stream.get()] { stream->Cancel(); }));
    status = SendAll(**reader, *stream, targets);
    ticket->Done(status, status.ok() ? header.block.length : 0);
  }
  // Mark and report it, if it is truly bad.
  if (KindOf(status) == ErrorKind::kChecksum) store->Verify(block).status().IgnoreError();
  return status;
}

}  // namespace cairn::datanode
