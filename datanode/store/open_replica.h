// What memory knows of an open replica: how far it goes, how much of it readers may have, how much
// of it is durable.
//
// Why: the writer moves on while others read, so what they may rely on is taken in one piece, under
// a mutex of its own. The files are changed before the numbers here grow and after they shrink.
// Thread-safe. Shared by the replica's entry in the map, its writer and its readers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "common/mutex.h"
#include "common/status.h"
#include "datanode/store/checksum_file.h"

namespace cairn::datanode {

class OpenReplica {
 public:
  // Where a replica ends. The CRC is that of its last chunk, as far as it goes; 0 without bytes.
  struct Extent {
    uint64_t length = 0;
    uint32_t tail_crc = 0;
  };

  OpenReplica(Extent written, uint64_t acknowledged, ChecksumSlot durable)
      : written_(written), acknowledged_(acknowledged), durable_(durable) {}

  Extent written() const {
    MutexLock lock(mu_);
    return written_;
  }
  void SetWritten(Extent written) {
    MutexLock lock(mu_);
    written_ = written;
  }

  // What this node has and all nodes behind it have acknowledged.
  uint64_t visible() const {
    MutexLock lock(mu_);
    return std::min(written_.length, acknowledged_);
  }
  void Acknowledge(uint64_t length) {
    MutexLock lock(mu_);
    acknowledged_ = std::max(acknowledged_, length);
  }

  ChecksumSlot durable() const {
    MutexLock lock(mu_);
    return durable_;
  }
  void SetDurable(const ChecksumSlot& slot) {
    MutexLock lock(mu_);
    durable_ = slot;
  }

  // The files are about to lose what is beyond `length`: readers that go further must stop.
  void AnnounceCut(uint64_t length) {
    MutexLock lock(mu_);
    cut_ = std::min(cut_, length);
  }
  bool IsCutBelow(uint64_t length) const {
    MutexLock lock(mu_);
    return cut_ < length;
  }

  // Why the replica must not be used any more: it was found bad, or a sync lost something. The
  // first reason counts.
  void Fail(absl::Status why) {
    MutexLock lock(mu_);
    if (failure_.ok()) failure_ = std::move(why);
  }
  absl::Status failure() const {
    MutexLock lock(mu_);
    return failure_;
  }

 private:
  mutable Mutex mu_;
  Extent written_ ABSL_GUARDED_BY(mu_);
  uint64_t acknowledged_ ABSL_GUARDED_BY(mu_);
  ChecksumSlot durable_ ABSL_GUARDED_BY(mu_);
  uint64_t cut_ ABSL_GUARDED_BY(mu_) = std::numeric_limits<uint64_t>::max();
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
