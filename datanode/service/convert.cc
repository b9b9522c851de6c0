#include "datanode/service/convert.h"

#include <utility>

#include "common/status.h"
#include "proto/data_transfer.pb.h"
#include "proto/types.pb.h"

namespace cairn::datanode {

Block FromProto(const v1::Block& block) {
  return {.id = block.id(), .generation = block.generation(), .length = block.length()};
}

WriteHeader FromProto(const v1::WriteHeader& header) {
  WriteHeader out;
  out.block = FromProto(header.block());
  out.stage = header.stage() == v1::WriteHeader::COPY ? WriteStage::kCopy : WriteStage::kCreate;
  for (const v1::NodeAddress& target : header.targets()) {
    out.targets.push_back({.number = target.number(),
                           .id = target.id(),
                           .addresses = {target.addresses().begin(), target.addresses().end()}});
  }
  out.token = header.token();
  out.client = header.client();
  return out;
}

void TakePacket(v1::WritePacket* message, Packet* packet) {
  packet->seq = message->seq();
  packet->offset = message->offset();
  packet->last = message->last();
  packet->sync = message->sync();
  packet->crcs.assign(message->crcs().begin(), message->crcs().end());
  packet->payload.swap(*message->mutable_payload());
}

Ack FromProto(const v1::WriteAck& ack) {
  Ack out{.seq = ack.seq(), .nodes = {}};
  for (const v1::NodeAck& node : ack.nodes()) {
    absl::Status status(static_cast<absl::StatusCode>(node.code()), node.message());
    out.nodes.push_back({.node = node.node(),
                         .storage = node.storage(),
                         .status = WithKind(std::move(status), static_cast<ErrorKind>(node.kind())),
                         .durable_length = node.durable_length()});
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
  out->set_stage(header.stage == WriteStage::kCopy ? v1::WriteHeader::COPY
                                                   : v1::WriteHeader::CREATE);
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

void ToProto(const Packet& packet, v1::WritePacket* out) {
  out->set_seq(packet.seq);
  out->set_offset(packet.offset);
  out->set_last(packet.last);
  out->set_sync(packet.sync);
  out->mutable_crcs()->Assign(packet.crcs.begin(), packet.crcs.end());
}

void ToProto(const Ack& ack, v1::WriteAck* out) {
  out->set_seq(ack.seq);
  for (const NodeAck& node : ack.nodes) {
    v1::NodeAck* to = out->add_nodes();
    to->set_node(node.node);
    to->set_storage(node.storage);
    to->set_code(static_cast<int>(node.status.code()));
    to->set_message(std::string(MessageOf(node.status)));
    to->set_kind(static_cast<int>(KindOf(node.status)));
    to->set_durable_length(node.durable_length);
  }
}

}  // namespace cairn::datanode
