#include "datanode/service/convert.h"

#include <utility>

#include "common/status.h"
#include "proto/data_transfer.pb.h"
#include "proto/types.pb.h"

namespace cairn::datanode {
namespace {

absl::StatusOr<WriteStage> StageOf(v1::WriteHeader::Stage stage) {
  switch (stage) {
    case v1::WriteHeader::CREATE:
      return WriteStage::kCreate;
    case v1::WriteHeader::COPY:
      return WriteStage::kCopy;
    case v1::WriteHeader::RECOVER:
      return WriteStage::kRecover;
    case v1::WriteHeader::JOIN:
      return WriteStage::kJoin;
    default:
      return absl::InvalidArgumentError("the header names a stage that this version does not know");
  }
}

v1::WriteHeader::Stage ToProto(WriteStage stage) {
  switch (stage) {
    case WriteStage::kCopy:
      return v1::WriteHeader::COPY;
    case WriteStage::kRecover:
      return v1::WriteHeader::RECOVER;
    case WriteStage::kJoin:
      return v1::WriteHeader::JOIN;
    case WriteStage::kCreate:
      break;
  }
  return v1::WriteHeader::CREATE;
}

// The numbers are the same on both sides.
static_assert(static_cast<int>(Consistency::kStrong) == v1::STRONG);
static_assert(static_cast<int>(Consistency::kEventual) == v1::EVENTUAL);
static_assert(static_cast<int>(Consistency::kWeak) == v1::WEAK);

absl::StatusOr<Consistency> ConsistencyOf(v1::Consistency consistency) {
  if (consistency < v1::STRONG || consistency > v1::WEAK) {
    return absl::InvalidArgumentError(
        "the header names a consistency that this version does not know");
  }
  return static_cast<Consistency>(consistency);
}

}  // namespace

Block FromProto(const v1::Block& block) {
  return {.id = block.id(), .generation = block.generation(), .length = block.length()};
}

Target FromProto(const v1::NodeAddress& address) {
  return {.number = address.number(),
          .id = address.id(),
          .addresses = {address.addresses().begin(), address.addresses().end()}};
}

absl::StatusOr<WriteHeader> FromProto(const v1::WriteHeader& header) {
  WriteHeader out;
  out.block = FromProto(header.block());
  ASSIGN_OR_RETURN(out.stage, StageOf(header.stage()));
  ASSIGN_OR_RETURN(out.consistency, ConsistencyOf(header.consistency()));
  for (const v1::NodeAddress& target : header.targets()) out.targets.push_back(FromProto(target));
  out.token = header.token();
  out.client = header.client();
  out.from_generation = header.from_generation();
  out.from_length = header.from_length();
  return out;
}

void TakePacket(WritePacketMessage* message, Packet* packet) {
  const v1::WritePacket& fields = message->fields;
  packet->seq = fields.seq();
  packet->offset = fields.offset();
  packet->last = fields.last();
  packet->sync = fields.sync();
  packet->crcs.assign(fields.crcs().begin(), fields.crcs().end());
  packet->payload = std::move(message->payload);
}

Ack FromProto(const v1::WriteAck& ack) {
  Ack out{.seq = ack.seq(), .nodes = {}, .alive = ack.alive()};
  for (const v1::NodeAck& node : ack.nodes()) {
    absl::Status status(static_cast<absl::StatusCode>(node.code()), node.message());
    out.nodes.push_back({.node = node.node(),
                         .storage = node.storage(),
                         .status = WithKind(std::move(status), static_cast<ErrorKind>(node.kind())),
                         .durable_length = node.durable_length(),
                         .held_length = node.held_length(),
                         .waited_us = node.waited_us(),
                         .worked_us = node.worked_us()});
  }
  return out;
}

void ToProto(const Block& block, v1::Block* out) {
  out->set_id(block.id);
  out->set_generation(block.generation);
  out->set_length(block.length);
}

void ToProto(const WriteHeader& header, v1::WriteHeader* out) {
  ToProto(header.block, out->mutable_block());
  out->set_stage(ToProto(header.stage));
  out->set_consistency(static_cast<v1::Consistency>(header.consistency));
  out->set_from_generation(header.from_generation);
  out->set_from_length(header.from_length);
  for (size_t i = 1; i < header.targets.size(); ++i) {
    const Target& target = header.targets[i];
    v1::NodeAddress* address = out->add_targets();
    address->set_number(target.number);
    address->set_id(target.id);
    for (const std::string& text : target.addresses) address->add_addresses(text);
  }
  out->set_token(header.token);
  out->set_client(header.client);
}

void ToProto(const Packet& packet, WritePacketMessage* out) {
  v1::WritePacket& fields = out->fields;
  fields.set_seq(packet.seq);
  fields.set_offset(packet.offset);
  fields.set_last(packet.last);
  fields.set_sync(packet.sync);
  fields.mutable_crcs()->Assign(packet.crcs.begin(), packet.crcs.end());
  out->payload = packet.payload;
}

void ToProto(const Ack& ack, v1::WriteAck* out) {
  out->set_seq(ack.seq);
  out->set_alive(ack.alive);
  for (const NodeAck& node : ack.nodes) {
    v1::NodeAck* to = out->add_nodes();
    to->set_node(node.node);
    to->set_storage(node.storage);
    to->set_code(static_cast<int>(node.status.code()));
    to->set_message(std::string(MessageOf(node.status)));
    to->set_kind(static_cast<int>(KindOf(node.status)));
    to->set_durable_length(node.durable_length);
    to->set_held_length(node.held_length);
    to->set_waited_us(node.waited_us);
    to->set_worked_us(node.worked_us);
  }
}

v1::StartRecoveryReply_State ToProto(RecoveryAnswer::State state) {
  switch (state) {
    case RecoveryAnswer::kOpen:
      return v1::StartRecoveryReply::OPEN;
    case RecoveryAnswer::kRestarted:
      return v1::StartRecoveryReply::RESTARTED;
    case RecoveryAnswer::kFinalized:
      return v1::StartRecoveryReply::FINALIZED;
    case RecoveryAnswer::kNone:
      break;
  }
  return v1::StartRecoveryReply::NONE;
}

absl::StatusOr<RecoveryAnswer> FromProto(const v1::StartRecoveryReply& reply) {
  RecoveryAnswer answer{.state = RecoveryAnswer::kNone, .block = FromProto(reply.block())};
  switch (reply.state()) {
    case v1::StartRecoveryReply::NONE:
      return answer;
    case v1::StartRecoveryReply::OPEN:
      answer.state = RecoveryAnswer::kOpen;
      return answer;
    case v1::StartRecoveryReply::RESTARTED:
      answer.state = RecoveryAnswer::kRestarted;
      return answer;
    case v1::StartRecoveryReply::FINALIZED:
      answer.state = RecoveryAnswer::kFinalized;
      return answer;
    default:  // to take it for none could lose bytes
      return absl::InternalError("a replica's state is unknown to this version");
  }
}

}  // namespace cairn::datanode
