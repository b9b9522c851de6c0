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

}  // namespace cairn::namenode
