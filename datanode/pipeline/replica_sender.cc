#include "datanode/pipeline/replica_sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "common/mutex.h"
#include "datanode/pipeline/ack_relay.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/pipeline/streams.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kPacketBytes = 1 << 20;

// Stands where a relay has its writer, and keeps what the acks say of the targets.
class AckCollector final : public Upstream {
 public:
  explicit AckCollector(const std::vector<Target>& targets) : targets_(targets) {}

  bool Receive(Packet*) override { return false; }
  bool Send(const Ack& ack) override {
    if (ack.alive) return true;
    MutexLock lock(mu_);
    ++acks_;
    for (size_t i = 0; i < targets_.size() && i + 1 < ack.nodes.size(); ++i) {
      if (failure_.ok()) failure_ = Annotate(ack.nodes[i + 1].status, targets_[i].name());
    }
    return true;
  }
  void Cancel() override {}

  // Not OK when a target has failed, or fewer than `acks` have come.
  absl::Status Status(uint64_t acks) const {
    MutexLock lock(mu_);
    if (!failure_.ok() || acks_ >= acks) return failure_;
    return absl::CancelledError("the copy was cancelled");
  }

 private:
  const std::vector<Target>& targets_;
  mutable Mutex mu_;
  uint64_t acks_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

// What this node fails at is told in `own`, too. `turns`: clients go first; else nullptr.
absl::Status SendAll(ReplicaReader& reader, AckRelay& relay, const AckCollector& acks,
                     const std::function<bool()>& stopped, CopyTurns* turns, absl::Status* own) {
  relay.Push(0, {}, 0);
  relay.Drain();
  RETURN_IF_ERROR(acks.Status(1));
  const uint64_t length = reader.block().length;
  Packet packet;
  while (!packet.last) {
    if (stopped()) return absl::CancelledError("the copy is not wanted any more");
    packet.offset += packet.payload.size();
    if (turns != nullptr) turns->Wait();
    absl::StatusOr<absl::Cord> payload =
        reader.ReadShared(packet.offset, kPacketBytes, /*verify=*/true, &packet.crcs);
    *own = payload.status();
    RETURN_IF_ERROR(*own);
    packet.payload = *std::move(payload);
    packet.last = packet.offset + packet.payload.size() == length;
    ++packet.seq;
    relay.Forward(packet);
    relay.Push(packet.seq, {}, 0);
    RETURN_IF_ERROR(acks.Status(0));
  }
  relay.Drain();
  return acks.Status(1 + packet.seq);
}

}  // namespace

absl::Status ReplicaSender::Copy(const Block& block, std::vector<Target> targets) {
  return Send(block, WriteStage::kCopy, std::move(targets), [] { return false; });
}

absl::Status ReplicaSender::Join(const Block& block, std::vector<Target> targets,
                                 const std::function<bool()>& stopped) {
  return Send(block, WriteStage::kJoin, std::move(targets), stopped);
}

absl::Status ReplicaSender::Send(const Block& block, WriteStage stage, std::vector<Target> targets,
                                 const std::function<bool()>& stopped) {
  if (targets.empty()) return absl::InvalidArgumentError("a copy without targets");
  const bool join = stage == WriteStage::kJoin;
  absl::StatusOr<std::unique_ptr<ReplicaReader>> reader =
      store_->OpenReader(block, join ? ReadAs::kExact : ReadAs::kFinalized);
  absl::Status status = reader.status();
  absl::Status own = status;
  if (reader.ok()) {
    WriteHeader header{.block = (*reader)->block(), .stage = stage, .targets = targets};
    header.block.generation = block.generation;  // of an open one that went on meanwhile: the older
    header.client = join ? "join" : "copy";
    AckCollector acks(targets);
    AckRelay relay(&ack_threads_, &acks, targets, {}, {});
    ASSIGN_OR_RETURN(const auto ticket,
                     transfers_->Admit(OpenTransfers::Kind::kRead, block,
                                       [&relay](OpenTransfers::Reason) { relay.Cancel(); }));
    absl::StatusOr<std::unique_ptr<Downstream>> stream = connector_->Connect(header);
    status = stream.status();
    if (stream.ok()) {
      relay.SetMirror(std::move(stream));
      // A writer waits for a node that joins its pipeline.
      CopyTurns* const turns = join ? nullptr : transfers_->turns();
      status = SendAll(**reader, relay, acks, stopped, turns, &own);
    }
    // A target whose disk fails is no reason to doubt the disks here.
    const bool elsewhere = own.ok() && !status.ok() && !absl::IsCancelled(status);
    ticket->Done(elsewhere ? absl::UnavailableError(status.message()) : status,
                 status.ok() ? header.block.length : 0);
  }
  // Bytes that are wrong at the other end may be so here. A writer that waits for a node that joins
  // does not wait for a disk that fails, too.
  if (KindOf(status) == ErrorKind::kChecksum) {
    store_->VerifyIfDoubtful(block, status);
  } else if (!join) {
    store_->VerifyIfDoubtful(block, own);
  }
  return status;
}

}  // namespace cairn::datanode
