// The two ends of a hop of a write pipeline, as the pipeline sees them.
//
// Why interfaces: the pipeline knows no gRPC; the service implements them over data_transfer.proto.
// One thread may receive while another one sends; Cancel may come from any thread.
#pragma once

#include <cstdint>
#include <memory>

#include "common/status.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {

// Towards the writer: packets come in, acks go back.
class Upstream {
 public:
  virtual ~Upstream() = default;
  // False when no packet will come any more: the writer is done, gone, or was cancelled.
  virtual bool Receive(Packet* packet) = 0;
  // False when the writer is gone.
  virtual bool Send(const Ack& ack) = 0;
  // Ends a Receive that waits.
  virtual void Cancel() = 0;
};

// Towards the next node: packets go out, acks come back. Destroying it cancels what is under way.
class Downstream {
 public:
  virtual ~Downstream() = default;
  // The packet is not changed, but may be moved out and back meanwhile: no other thread may use it.
  // DEADLINE_EXCEEDED when the node does not take it in time.
  virtual absl::Status Send(Packet& packet) = 0;
  // The next ack. Fails when the node is gone, has ended the stream, or does not ack in time.
  virtual absl::StatusOr<Ack> ReceiveAck() = 0;
  // Ends calls that wait, with an error.
  virtual void Cancel() = 0;
};

// Thread-safe.
class Connector {
 public:
  virtual ~Connector() = default;
  // Connects to header.targets[0] and sends it the header with the targets after it. Does not wait
  // for the setup ack. UNAVAILABLE when no address of it answers. On the stream, no call waits for
  // the node longer than `stall_ms`.
  virtual absl::StatusOr<std::unique_ptr<Downstream>> Connect(const WriteHeader& header,
                                                              int64_t stall_ms) = 0;
};

}  // namespace cairn::datanode
