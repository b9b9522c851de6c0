#include "client/block_pipeline.h"

#include <fmt/format.h>

#include <utility>

#include "client/client_core.h"
#include "client/convert.h"
#include "common/status.h"

namespace cairn {

BlockPipeline::BlockPipeline(ClientCore* core, Spec spec) : core_(core), spec_(std::move(spec)) {}
BlockPipeline::~BlockPipeline() = default;

absl::Status BlockPipeline::Open() {
  const TransferOptions& options = core_->options().transfer;
  const v1::LocatedBlock& target = spec_.target;
  auto channel = core_->datanodes().Connect(target.nodes(0), options.connect_ms);
  if (!channel.ok()) {
    failed_nodes_ = {target.nodes(0).number()};
    return channel.status();
  }
  stream_ = std::make_unique<WriteStream>(
      *std::move(channel),
      WriteStream::Options{.nodes = {target.nodes().begin(), target.nodes().end()},
                           .weak = spec_.consistency == Consistency::kWeak,
                           .find_slow_nodes = spec_.find_slow_nodes,
                           .stopped = spec_.stopped,
                           .transfer = options},
      &core_->clock(), &core_->pipelines(), &core_->packet_size());
  stream_->Start(std::make_shared<v1::WritePacket>(Header()));
  return Take(stream_->WaitForSetup());
}

v1::WritePacket BlockPipeline::Header() const {
  v1::WritePacket packet;
  v1::WriteHeader& header = *packet.mutable_header();
  const v1::LocatedBlock& target = spec_.target;
  *header.mutable_block() = target.block();
  header.mutable_block()->set_length(spec_.max_length);
  header.set_stage(spec_.from_generation == 0 ? v1::WriteHeader::CREATE : v1::WriteHeader::RECOVER);
  for (int i = 1; i < target.nodes_size(); ++i) *header.add_targets() = target.nodes(i);
  header.set_token(target.token());
  header.set_client(core_->name());
  header.set_consistency(ToProto(spec_.consistency));
  header.set_from_generation(spec_.from_generation);
  header.set_from_length(spec_.from_length);
  return packet;
}

absl::Status BlockPipeline::Take(absl::Status status) {
  if (status.ok()) return status;
  const int index = stream_->failed_index();
  failed_nodes_ = {spec_.target.nodes(index).number()};
  before_failed_ = index == 0 ? 0 : spec_.target.nodes(index - 1).number();
  return status;
}

absl::Status BlockPipeline::Send(Packet packet) { return Take(stream_->Send(std::move(packet))); }

absl::Status BlockPipeline::WaitForAcks() { return Take(stream_->WaitForAcks()); }

uint64_t BlockPipeline::acked_seq() { return stream_ == nullptr ? 0 : stream_->acked_seq(); }

bool BlockPipeline::Holds(const v1::NodeAck& node, uint64_t length) const {
  // Without a storage's number the NameNode could not tell where the replica is.
  if (node.storage() == 0) return false;
  return spec_.consistency == Consistency::kStrong ? node.durable_length() == length
                                                   : node.held_length() == length;
}

absl::Status BlockPipeline::Finish(uint64_t length, uint32_t min_replicas) {
  const v1::WriteAck ack = stream_->last_ack();
  finished_.Clear();
  *finished_.mutable_block() = spec_.target.block();
  finished_.mutable_block()->set_length(length);
  failed_nodes_.clear();
  for (int i = 0; i < spec_.target.nodes_size(); ++i) {
    if (i < ack.nodes_size() && Holds(ack.nodes(i), length)) {
      finished_.add_storages(ack.nodes(i).storage());
    } else {
      failed_nodes_.push_back(spec_.target.nodes(i).number());
    }
  }
  if (static_cast<uint32_t>(finished_.storages_size()) < min_replicas) {
    return absl::UnavailableError(
        fmt::format("{} of {} DataNodes have the block{}, {} needed", finished_.storages_size(),
                    spec_.target.nodes_size(),
                    spec_.consistency == Consistency::kStrong ? " on disk" : "", min_replicas));
  }
  if (spec_.consistency != Consistency::kWeak) return absl::OkStatus();
  // The first node passes the block on to the others, whose storages their setup told.
  const v1::WriteAck setup = stream_->setup_ack();
  for (int i = ack.nodes_size(); i < setup.nodes_size(); ++i) {
    if (setup.nodes(i).storage() != 0) finished_.add_storages(setup.nodes(i).storage());
  }
  return absl::OkStatus();
}

}  // namespace cairn
