// The single calls to DataNodes that are no streams: what a node has of a block, bringing a node up
// to date, a block's checksum.
//
// Every call is bounded, so that a node that fell silent costs its caller no more than it must.
// Thread-safe: functions. For this room alone.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/data_transfer.pb.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

// How long nodes are given to say what they have: alive, they know at once.
int64_t AskReplicaMs(const ClientCore& core);

struct ReplicaAnswer {
  absl::Status status;    // OK: the node has the replica, and `replica` tells of it
  bool answered = false;  // the node spoke, if only to refuse
  v1::GetReplicaReply replica;
};

// Asks all `nodes` at once for their replicas of `block` (its id, and the least generation), and
// waits for all of them, at most `timeout_ms`. Answers stand in the order of the nodes.
std::vector<ReplicaAnswer> AskForReplicas(ClientCore& core, const v1::LocatedBlock& block,
                                          const std::vector<v1::NodeAddress>& nodes,
                                          int64_t timeout_ms);

struct TransferResult {
  absl::Status status;
  bool source_is_gone = false;  // the source failed, and not what it copies or to whom
};

// Has `source` copy the first block.length bytes of its replica to the request's targets. A source
// that falls silent meanwhile is given up.
TransferResult TransferBlock(ClientCore& core, const v1::NodeAddress& source,
                             const v1::TransferBlockRequest& request);

// The CRC32C of the first block.length bytes, from the first of the block's nodes that tells it.
absl::StatusOr<uint32_t> BlockChecksum(ClientCore& core, const v1::LocatedBlock& block);

}  // namespace cairn
