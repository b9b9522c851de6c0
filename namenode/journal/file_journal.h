// The journal in local files: one writer thread, group commit, several data directories.
//
// Records that were appended while the last sync ran form the next batch: one frame, written to all
// directories, one fdatasync each; then `durable` advances. After `marker_after_ms` without a
// record an empty marker batch is written, so that damage to anything before it cannot pass for a
// torn tail (docs/formats/journal.md). The directories are used by one process (DataDir holds the
// lock) and were recovered (journal_recovery.h) before Start.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/env.h"
#include "common/mutex.h"
#include "namenode/journal/journal.h"

namespace cairn {
class Counter;
class Histogram;
class Metrics;
}  // namespace cairn

namespace cairn::namenode {

class SegmentWriter;

struct FileJournalOptions {
  std::vector<std::string> dirs;          // the current/ folder of each data directory, in order
  uint64_t preallocate_bytes = 4u << 20;  // disk space is reserved in steps of this
  uint64_t max_batch_bytes = 4u << 20;    // a batch takes no further record beyond this
  int64_t marker_after_ms = 100;          // idle time before a marker batch
  // Called once, on the writer's thread, when the journal can go on no more; nothing is reported
  // durable afterwards. Empty: logs and ends the process at once. One that returns is for tests.
  std::function<void(const absl::Status&)> fatal;
  Metrics* metrics = nullptr;  // optional: cairn_journal_*
};

class FileJournal final : public Journal {
 public:
  FileJournal(Env* env, FileJournalOptions options);
  ~FileJournal() override;

  void OnDurable(std::function<void(TxId)> callback) override;
  absl::Status Start(TxId next) override;
  TxId Append(absl::FunctionRef<void(std::string* out)> encode) override ABSL_LOCKS_EXCLUDED(mu_);
  void BeginGroup() override ABSL_LOCKS_EXCLUDED(mu_);
  void EndGroup() override ABSL_LOCKS_EXCLUDED(mu_);
  TxId last() const override ABSL_LOCKS_EXCLUDED(mu_);
  TxId durable() const override { return durable_.load(std::memory_order_acquire); }
  uint64_t pending_bytes() const override { return pending_bytes_.load(std::memory_order_relaxed); }
  absl::StatusOr<TxId> Roll() override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status DropBefore(TxId txid) override;
  void Stop() override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Records that travel to the disk together.
  struct Batch {
    TxId first = 0;
    TxId last = 0;        // first - 1 while empty
    std::string records;  // each with its length before it
    bool roll = false;    // the segment ends after this batch
  };
  enum class Work { kBatch, kMarker, kStop };

  // Once for each time that the writer waits.
  void WakeWriter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Batch& OpenBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunWriter() ABSL_LOCKS_EXCLUDED(mu_);
  Work NextWork(Batch* batch) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Write(const Batch& batch);
  absl::Status RollSegment(const Batch& batch) ABSL_LOCKS_EXCLUDED(mu_);
  void Recycle(Batch batch) ABSL_LOCKS_EXCLUDED(mu_);
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);

  Env* const env_;
  const FileJournalOptions options_;
  std::function<void(TxId)> on_durable_;
  Counter* syncs_ = nullptr;
  Counter* bytes_ = nullptr;
  Histogram* sync_seconds_ = nullptr;

  std::atomic<TxId> durable_{0};
  std::atomic<uint64_t> pending_bytes_{0};

  // Of the writer's thread alone, once it runs.
  std::unique_ptr<SegmentWriter> segment_;
  bool marked_ = true;  // nothing but a marker was written since the last record

  mutable Mutex mu_;
  CondVar wake_cv_;  // for the writer: work
  CondVar roll_cv_;  // for Roll: a roll is done, or the journal failed
  bool writer_waits_ ABSL_GUARDED_BY(mu_) = false;  // and was not woken
  bool in_group_ ABSL_GUARDED_BY(mu_) = false;      // more records are about to come
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status failed_ ABSL_GUARDED_BY(mu_);
  TxId next_ ABSL_GUARDED_BY(mu_) = 1;
  TxId rolled_to_ ABSL_GUARDED_BY(mu_) = 0;  // rolls up to this txid are done
  std::deque<Batch> pending_ ABSL_GUARDED_BY(mu_);
  std::string spare_ ABSL_GUARDED_BY(mu_);  // a written batch's buffer, to be used again
  std::thread writer_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::namenode
