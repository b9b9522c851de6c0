// The block streams that are open on this node: how many, of which blocks, and how to end them.
//
// Why: memory is bounded by bounding the streams (each holds one packet), heartbeats tell the load,
// a block that is deleted or recovered while being written must not keep its writer, and a peer
// that was stopped, or is cut off, must not keep a stream for ever. Thread-safe. Used by the
// service, the receivers, the control sessions and the copier.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "datanode/pipeline/copy_turns.h"

namespace cairn {
class BackgroundTask;
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
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t disk_errors = 0;      // among the errors: what the disks failed at
  uint64_t checksum_errors = 0;  // ... and bytes that came, or lay here, damaged
};

class OpenTransfers {
 public:
  enum class Kind { kRead, kWrite };

  struct Options {
    // Bounds the packets that are held at a time (at least one stream).
    uint64_t memory_bytes = 512 << 20;
    // A stream is ended whose writer sends nothing for this long (it shows every 5 s that it
    // lives), or takes no ack.
    int64_t writer_silence_ms = 60'000;
    int64_t reader_idle_ms = 60'000;  // whose reader takes nothing
  };

  // A place among the open streams, given back when destroyed.
  class Ticket {
   public:
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

    // The stream's block, where it was not known at the admission.
    void SetBlock(const Block& block);
    // The stream's outcome and the payload bytes that it moved, for the counters.
    void Done(const absl::Status& status, uint64_t bytes);

    // Lives while a call waits for the peer to send something, or to take something.
    class Wait {
     public:
      enum Side { kSend, kReceive };
      Wait(Ticket* ticket, Side side);
      ~Wait() { since_ms_.store(0, std::memory_order_relaxed); }
      Wait(const Wait&) = delete;
      Wait& operator=(const Wait&) = delete;

     private:
      std::atomic<int64_t>& since_ms_;
    };

   private:
    friend class OpenTransfers;
    Ticket(OpenTransfers* owner, uint64_t id, Kind kind) : owner_(owner), id_(id), kind_(kind) {}
    // The longer of the waits that are under way, at steady time `now_ms`.
    int64_t WaitedMs(int64_t now_ms) const;

    OpenTransfers* const owner_;
    const uint64_t id_;
    const Kind kind_;
    std::atomic<int64_t> waiting_since_ms_[2] = {0, 0};  // steady time, by side; 0: not waiting
  };

  // Why a stream is ended by others than its own ends.
  enum class Reason {
    kStopped,  // its block was deleted or recovered, or the node stops
    kIdle,     // ABORTED with kIdleStream
  };
  using CancelFn = std::function<void(Reason)>;

  OpenTransfers(Options options, Metrics* metrics);
  ~OpenTransfers();

  // RESOURCE_EXHAUSTED when as many streams are open as the memory allows. `cancel` must end the
  // stream soon and be quick; it is called from other threads, as long as the ticket lives.
  absl::StatusOr<std::unique_ptr<Ticket>> Admit(Kind kind, const Block& block, CancelFn cancel)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the writes of this very replica.
  void CancelWrites(const Block& block) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the writes of the block with generations below this one: a recovery fences them.
  // FAILED_PRECONDITION with kStaleReplica when there is one with a higher generation: the caller
  // is the one that is fenced.
  absl::Status FenceWrites(BlockId id, GenerationStamp generation) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends all streams and admits no others (UNAVAILABLE).
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);
  // A read that needs no stream here: the reader was given the replica's files.
  void CountLocalRead() ABSL_LOCKS_EXCLUDED(mu_);
  // False when streams are still open after `timeout_ms`.
  bool WaitUntilNone(int64_t timeout_ms) ABSL_LOCKS_EXCLUDED(mu_);
  TransferLoad load() const ABSL_LOCKS_EXCLUDED(mu_);
  // Of clients and copies.
  CopyTurns* turns() { return &turns_; }
  size_t limit() const { return limit_; }

 private:
  struct Entry {
    Ticket* ticket;
    Block block;
    CancelFn cancel;
    bool idle = false;  // cancelled for it
  };
  void Remove(uint64_t id) ABSL_LOCKS_EXCLUDED(mu_);
  void Count(Kind kind, const absl::Status& status, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  void CancelIdle() ABSL_LOCKS_EXCLUDED(mu_);

  const Options options_;
  const size_t limit_;
  Gauge* const open_gauge_;
  Counter* const bytes_read_;
  Counter* const bytes_written_;
  Counter* const failures_;
  Counter* const disk_errors_;
  Counter* const checksum_errors_;
  Counter* const idle_;
  CopyTurns turns_;

  mutable Mutex mu_;
  CondVar none_;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Entry> open_ ABSL_GUARDED_BY(mu_);
  TransferLoad load_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;

  const std::unique_ptr<BackgroundTask> watch_;
};

}  // namespace cairn::datanode
