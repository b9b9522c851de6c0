// One hop of a write pipeline: packets come in, go to the mirror and to disk, acks go back.
//
// Why: this is where a write becomes durable (P3) and where every byte is checked on its way (P4).
// Per packet: check it, send it to the mirror, write it; the ack follows when the mirror's has come
// too (ack_relay.h). The last packet makes the replica durable, at the same time as on the nodes
// behind. A stream that ends before that leaves nothing on disk and gives its space back. One
// thread runs it. Called by the service.
#pragma once

#include <cstdint>
#include <memory>

#include "common/status.h"
#include "datanode/pipeline/messages.h"
#include "datanode/pipeline/node_numbers.h"
#include "datanode/pipeline/streams.h"

namespace cairn::datanode {

class AckRelay;
class ReplicaStore;
class ReplicaWriter;

class BlockReceiver {
 public:
  struct Options {
    // A mirror that owes an ack this long, for itself and each node behind it, has failed. The
    // writer waits longer than the first node, and that one longer than the second, so that each
    // blames the right one.
    int64_t stall_ms_per_node = 8'000;
    int64_t max_stall_ms = 24'000;
  };

  // All must outlive the receiver.
  BlockReceiver(ReplicaStore* store, const NodeNumbers* numbers, Connector* connector,
                Options options);
  ~BlockReceiver();

  // Serves a stream to its end. Failures of single nodes are told in the acks; the status is OK
  // then. An error is returned for a stream that breaks the protocol (INVALID_ARGUMENT), fails a
  // checksum (DATA_LOSS, kChecksum), is left by its writer (CANCELLED), or has no node left that
  // stores it.
  absl::Status Run(const WriteHeader& header, Upstream* upstream);

  uint64_t bytes() const { return bytes_; }  // of payload, received

 private:
  absl::Status Setup(const WriteHeader& header, AckRelay* relay);
  void Store(const Packet& packet);
  NodeAck OwnAck(bool last) const;

  ReplicaStore* const store_;
  const NodeNumbers* const numbers_;
  Connector* const connector_;
  const Options options_;
  std::unique_ptr<ReplicaWriter> writer_;
  absl::Status own_;  // of this node's replica; stays as it was first failed
  uint64_t bytes_ = 0;
};

}  // namespace cairn::datanode
