// What travels down and up a write pipeline, without the wire: the domain's side of
// data_transfer.proto.
//
// Why: the pipeline decides, the service translates; neither gRPC nor protobuf is known here. Plain
// values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "common/consistency.h"
#include "common/ids.h"

namespace cairn::datanode {

// A DataNode that a replica is sent to. Addresses are tried in order.
struct Target {
  NodeNumber number = 0;
  std::string id;
  std::vector<std::string> addresses;  // host:port

  const std::string& name() const { return addresses.empty() ? id : addresses.front(); }
};

enum class WriteStage {
  kCreate,   // a client's new replica: block.length is the most that may come
  kCopy,     // a copy of a finalized replica: block.length is exact
  kRecover,  // goes on with the replica that is here, which takes block.generation; length as above
  kJoin,     // the start of an open replica, for a node that joins its pipeline: exact, stays open
};

struct WriteHeader {
  Block block;
  WriteStage stage = WriteStage::kCreate;
  std::vector<Target> targets;  // the nodes behind the one that gets this
  std::string token;
  std::string client;  // for logs
  // Weak is for the first node alone: it tells those behind it kEventual.
  Consistency consistency = Consistency::kStrong;
  // kRecover: what the replica must have at least.
  GenerationStamp from_generation = 0;
  uint64_t from_length = 0;
};

struct Packet {
  uint64_t seq = 0;            // counts up from 1
  uint64_t offset = 0;         // of the payload in the block
  bool last = false;           // finalize after this one
  bool sync = false;           // durable up to here before the ack
  std::vector<uint32_t> crcs;  // CRC32C of each 4 KiB chunk of the payload
  absl::Cord payload;          // as it came: shared by who forwards and who stores it
};

struct NodeAck {
  NodeNumber node = 0;
  StorageNumber storage = 0;
  absl::Status status;
  uint64_t durable_length = 0;  // of the last packet and of sync packets: bytes on disk for sure
  uint64_t held_length = 0;     // of the last packet: bytes that the replica has
  // Since the stream began: how long this node waited for those behind it, and worked itself.
  uint64_t waited_us = 0;
  uint64_t worked_us = 0;
};

struct Ack {
  uint64_t seq = 0;            // 0: the setup
  std::vector<NodeAck> nodes;  // the acking node first, then those behind it in order
  bool alive = false;          // acknowledges nothing: the node only says that it is at work
};

// The most that a packet may carry; a stream holds one at a time.
inline constexpr uint64_t kMaxPacketBytes = 2 << 20;

}  // namespace cairn::datanode
