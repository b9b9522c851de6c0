// What a stream of packets must look like: order, borders, lengths, checksums.
//
// Why: nothing that comes from the network is trusted before this has seen it; a misbehaving writer
// gets a clear error and nothing else happens. Of one thread. Used by the receiver.
#pragma once

#include <cstdint>

#include "common/status.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {

// INVALID_ARGUMENT when the header cannot be served: no block id, no generation, no length.
absl::Status CheckHeader(const WriteHeader& header);

class PacketCheck {
 public:
  explicit PacketCheck(const WriteHeader& header);

  // INVALID_ARGUMENT for a packet that does not continue the stream, DATA_LOSS with kChecksum for
  // one whose bytes fail their CRC. Bytes that came before may come again: the store compares them.
  absl::Status Check(const Packet& packet);
  // Bytes so far, those that are here from before included.
  uint64_t length() const { return length_; }

 private:
  const uint64_t limit_;
  const bool exact_;
  uint64_t next_seq_ = 1;
  uint64_t length_;
};

}  // namespace cairn::datanode
