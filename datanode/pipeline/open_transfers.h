// The block streams that are open on this node: how many, of which blocks, and how to end them.
//
// Why: memory is bounded by bounding the streams (each holds one packet), heartbeats tell the load,
// and a block that is deleted while being written must not keep its writer waiting. Thread-safe.
// Used by the service, the control sessions and the copier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"

namespace cairn {
class Counter;
class Gauge;
class Metrics;
}  // namespace cairn

namespace cairn::datanode {

struct TransferLoad {
  uint32_t active_writes = 0;
  uint32_t active_reads = 0;
  uint64_t read_requests = 0;  // since the start, as all below
  uint64_t write_requests = 0;
  uint64_t errors = 0;
};

class OpenTransfers {
 public:
  enum class Kind { kRead, kWrite };

  // A place among the open streams, given back when destroyed.
  class Ticket {
   public:
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    // The stream's outcome and the payload bytes that it moved, for the counters.
    void Done(const absl::Status& status, uint64_t bytes);

   private:
    friend class OpenTransfers;
    Ticket(OpenTransfers* owner, uint64_t id, Kind kind) : owner_(owner), id_(id), kind_(kind) {}
    OpenTransfers* const owner_;
    const uint64_t id_;
    const Kind kind_;
  };

  // `memory_bytes` bounds the packets that are held at a time (at least one stream).
  OpenTransfers(uint64_t memory_bytes, Metrics* metrics);

  // RESOURCE_EXHAUSTED when as many streams are open as the memory allows. `cancel` must end the
  // stream soon; it is called from other threads, as long as the ticket lives.
  absl::StatusOr<std::unique_ptr<Ticket>> Admit(Kind kind, const Block& block,
                                                std::function<void()> cancel)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the writes of this very replica.
  void CancelWrites(const Block& block) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends all streams and admits no others (UNAVAILABLE).
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);
  TransferLoad load() const ABSL_LOCKS_EXCLUDED(mu_);
  size_t limit() const { return limit_; }

 private:
  struct Entry {
    Kind kind;
    Block block;
    std::function<void()> cancel;
  };
  void Remove(uint64_t id) ABSL_LOCKS_EXCLUDED(mu_);
  void Count(Kind kind, const absl::Status& status, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);

  const size_t limit_;
  Gauge* const open_gauge_;
  Counter* const bytes_read_;
  Counter* const bytes_written_;
  Counter* const failures_;

  mutable Mutex mu_;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Entry> open_ ABSL_GUARDED_BY(mu_);
  TransferLoad load_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace cairn::datanode
