// The two ends of a hop of a write pipeline, as the pipeline sees them.
//
// Why interfaces: the pipeline knows no gRPC; the service implements them over data_transfer.proto.
// One thread may receive while another one sends; Cancel may come from any thread, more than once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/status.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {

// Towards the writer: packets come in, acks go back.
class Upstream {
 public:
  virtual ~Upstream() = default;
  // False when no packet will come any more: the writer is done, gone, or was cancelled.
  virtual bool Receive(Packet* packet) = 0;
  // False when the writer is gone. Of one thread at a time.
  virtual bool Send(const Ack& ack) = 0;
  // Ends calls that wait.
  virtual void Cancel() = 0;
};

// Towards the next node: packets go out, acks come back. Destroying it cancels what is under way.
class Downstream {
 public:
  virtual ~Downstream() = default;
  // Hands the packet to the transport, which may still be at work on it. Waits until the one before
  // was taken: as long as the node takes none, until Cancel. An error may be of an earlier one.
  virtual absl::Status Send(const Packet& packet) = 0;
  // The next ack or sign of life; nullopt when none came within `wait_ms`. Once the stream has
  // ended, and all that came before it was received: why.
  virtual absl::StatusOr<std::optional<Ack>> ReceiveAck(int64_t wait_ms) = 0;
  // Ends calls that wait, with an error.
  virtual void Cancel() = 0;
};

// Thread-safe.
class Connector {
 public:
  virtual ~Connector() = default;
  // Connects to header.targets[0] and sends it the header with the targets after it. Does not wait
  // for the setup ack. UNAVAILABLE when no address of it answers within 1.5 s.
  virtual absl::StatusOr<std::unique_ptr<Downstream>> Connect(const WriteHeader& header) = 0;
};

}  // namespace cairn::datanode
