// The small-replica log of one volume: makes whole small replicas durable, many with one sync.
//
// Why: a small replica by itself costs three syncs, one after another, for a few bytes each. Here
// it is one record; whoever waits first writes the records of all that wait, with one write and one
// fdatasync. Its files follow lazily: one syncfs makes those of a whole segment durable, then the
// segment is used again. As long as a record is live, its replica's files may be replaced by newer
// durable ones, but must not go without Retire: a start brings back what it finds no file of
// (small_log_replay.h). Knows segments and records, not the replicas' states. Thread-safe; no lock
// is held across I/O. Used by the store.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "datanode/store/small_log_format.h"

namespace cairn::datanode {

// Since the start; bytes as in the segments.
struct SmallLogStats {
  uint64_t records = 0;
  uint64_t commits = 0;
  uint64_t bytes = 0;
  uint64_t pending = 0;        // records that are live now
  uint64_t segment_bytes = 0;  // what the segments take from the disk now
};

class SmallLog {
 public:
  struct Options {
    std::string folder;
    uint64_t segment_bytes = 16 << 20;
    size_t max_segments = 16;
    // Takes that much from the volume for a segment, or says no.
    std::function<bool(uint64_t bytes)> take_space;
    std::function<void(uint64_t bytes)> give_back;
    // Keeps durably whether the log may hold replicas.
    std::function<absl::Status(bool in_use)> mark;
    // Half of the segments are full: Retire should come soon. Called by writers, without a lock.
    std::function<void()> on_full;
  };

  // Of an Append. Its record is not retired while this lives: until the replica's files have the
  // names under which a start looks for them. Of one thread.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(SmallLog* log, uint64_t sequence, bool durable)
        : log_(log), sequence_(sequence), durable_(durable) {}
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(log_, other.log_);
      std::swap(sequence_, other.sequence_);
      std::swap(durable_, other.durable_);
      return *this;
    }
    ~Ticket() {
      if (log_ != nullptr) log_->EndFlight(sequence_);
    }

    // False: the log has no room, the replica is to be synced by itself.
    bool durable() const { return durable_; }
    // The use of the segment that has the record, or may have it; 0: none.
    uint64_t sequence() const { return sequence_; }

   private:
    SmallLog* log_ = nullptr;
    uint64_t sequence_ = 0;
    bool durable_ = false;
  };

  SmallLog(Env* env, Options options);
  SmallLog(const SmallLog&) = delete;
  SmallLog& operator=(const SmallLog&) = delete;

  // Returns when the (sealed) record is durable, or has found no room. An error is one of the disk.
  absl::StatusOr<Ticket> Append(SmallRecord record) ABSL_LOCKS_EXCLUDED(mu_);

  // Makes the files of all replicas in the log durable, tells of each of them, and frees the
  // segments. Without `all` only when half of the segments are full, or some records have waited
  // for five calls. Waits for another call that is under way. After an error the records are live
  // as before.
  absl::Status Retire(bool all,
                      const std::function<void(uint64_t sequence, const Block&)>& on_settled)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Whether a record of this use of a segment may be replayed by a start.
  bool IsLive(uint64_t sequence) ABSL_LOCKS_EXCLUDED(mu_);
  // After Retire(all), when nobody appends any more: removes the segments.
  absl::Status Close() ABSL_LOCKS_EXCLUDED(mu_);
  // When nobody appends any more: closes the segments and leaves them to the next start.
  void Abandon() ABSL_LOCKS_EXCLUDED(mu_);

  SmallLogStats stats() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Segment {
    std::string path;
    std::unique_ptr<File> file;
    SmallSegmentHeader header;
    uint64_t end = kSmallLogAlignment;
    std::vector<Block> blocks;
    size_t in_flight = 0;  // tickets
  };
  struct Waiter {
    explicit Waiter(SmallRecord r) : record(std::move(r)) {}
    SmallRecord record;
    bool done = false;
    absl::Status status;
    uint64_t sequence = 0;
    bool durable = false;
  };

  void EndFlight(uint64_t sequence) ABSL_LOCKS_EXCLUDED(mu_);
  // None is left; Retire finds nothing any more.
  std::vector<std::unique_ptr<Segment>> TakeSegments() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of the one thread that commits. They let go of the lock for I/O.
  void CommitSome() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Segment*> FindRoom(uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Segment*> AddSegment() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::unique_ptr<File>> CreateFile(const std::string& path,
                                                   const SmallSegmentHeader& header);
  void SealActive() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  SmallSegmentHeader NextUse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whose turn it is to be retired.
  std::vector<Segment*> TakeDue(bool all) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Env* const env_;
  const Options options_;

  Mutex mu_;
  CondVar changed_;
  std::vector<std::unique_ptr<Segment>> segments_ ABSL_GUARDED_BY(mu_);
  Segment* active_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::deque<Segment*> sealed_ ABSL_GUARDED_BY(mu_);  // the oldest first
  std::deque<Segment*> free_ ABSL_GUARDED_BY(mu_);    // the lowest sequence first
  std::deque<Waiter*> queue_ ABSL_GUARDED_BY(mu_);
  bool committing_ ABSL_GUARDED_BY(mu_) = false;
  bool retiring_ ABSL_GUARDED_BY(mu_) = false;
  bool seal_wanted_ ABSL_GUARDED_BY(mu_) = false;
  bool full_ ABSL_GUARDED_BY(mu_) = false;  // a segment became so, and nobody was told
  bool marked_ ABSL_GUARDED_BY(mu_) = false;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;  // of Retire that found records and left them
  uint64_t next_sequence_ ABSL_GUARDED_BY(mu_) = 1;
  SmallLogStats stats_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
