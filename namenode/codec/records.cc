#include "namenode/codec/records.h"

#include <algorithm>

namespace cairn::namenode {

absl::StatusOr<ClientId> ToClientId(const std::string& bytes) {
  ClientId id{};
  if (bytes.size() != id.size()) return absl::DataLossError("a client id is not 16 bytes long");
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

NewBlock FromProto(const v1::NewBlockRecord& proto) {
  return {proto.id(),
          proto.generation(),
          proto.offset(),
          {proto.targets().begin(), proto.targets().end()}};
}

void ToProto(const NewBlock& block, v1::NewBlockRecord* proto) {
  proto->set_id(block.id);
  proto->set_generation(block.generation);
  proto->set_offset(block.offset);
  proto->mutable_targets()->Add(block.targets.begin(), block.targets.end());
}

AppendedAnswer FromProto(const v1::AppendedAnswer& proto) {
  AppendedAnswer answer;
  answer.inode = proto.inode();
  answer.length = proto.length();
  answer.replication = proto.replication();
  answer.block_size = proto.block_size();
  answer.min_replicas = proto.min_replicas();
  if (proto.has_block()) answer.block = FromProto(proto.block());
  answer.block_length = proto.block_length();
  return answer;
}

void ToProto(const AppendedAnswer& answer, v1::AppendedAnswer* proto) {
  proto->set_inode(answer.inode);
  proto->set_length(answer.length);
  proto->set_replication(answer.replication);
  proto->set_block_size(answer.block_size);
  proto->set_min_replicas(answer.min_replicas);
  if (answer.block) ToProto(*answer.block, proto->mutable_block());
  proto->set_block_length(answer.block_length);
}

}  // namespace cairn::namenode
