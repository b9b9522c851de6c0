#include "namenode/journal/file_journal.h"

#include <fmt/format.h>
#include <pthread.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "common/logging.h"
#include "common/metrics.h"
#include "namenode/journal/segment_format.h"
#include "namenode/journal/segment_writer.h"

namespace cairn::namenode {
namespace {

void EndProcess(const absl::Status& status) {
  LogError("journal: {}; ending the process, since memory is now ahead of the disk",
           MessageOf(status));
  FlushLog();
  std::_Exit(1);
}

}  // namespace

FileJournal::FileJournal(Env* env, FileJournalOptions options)
    : env_(env), options_(std::move(options)) {
  if (options_.metrics == nullptr) return;
  syncs_ = options_.metrics->AddCounter("cairn_journal_syncs_total",
                                        "Batches written and synced to all data directories");
  bytes_ = options_.metrics->AddCounter("cairn_journal_bytes_total",
                                        "Bytes of records written, per data directory");
  sync_seconds_ = options_.metrics->AddHistogram(
      "cairn_journal_sync_seconds", "Time to write and sync a batch to all data directories");
}

FileJournal::~FileJournal() { Stop(); }

void FileJournal::OnDurable(std::function<void(TxId)> callback) {
  on_durable_ = std::move(callback);
}

absl::Status FileJournal::Start(TxId next) {
  if (next == 0) return absl::InvalidArgumentError("txids begin at 1");
  ASSIGN_OR_RETURN(segment_,
                   SegmentWriter::Create(env_, options_.dirs, next, options_.preallocate_bytes));
  durable_.store(next - 1, std::memory_order_release);
  MutexLock lock(mu_);
  next_ = next;
  rolled_to_ = next - 1;
  writer_ = std::thread([this] { RunWriter(); });
  pthread_setname_np(writer_.native_handle(), "journal");
  return absl::OkStatus();
}

FileJournal::Batch& FileJournal::OpenBatch() {
  if (pending_.empty() || pending_.back().roll ||
      pending_.back().records.size() >= options_.max_batch_bytes) {
    Batch batch{.first = next_, .last = next_ - 1, .records = std::move(spare_), .roll = false};
    batch.records.clear();
    spare_ = std::string();
    pending_.push_back(std::move(batch));
  }
  return pending_.back();
}

TxId FileJournal::Append(absl::FunctionRef<void(std::string* out)> encode) {
  MutexLock lock(mu_);
  Batch& batch = OpenBatch();
  const size_t start = batch.records.size();
  batch.records.resize(start + kRecordPrefixBytes);
  encode(&batch.records);
  const size_t added = batch.records.size() - start;
  PutU32(static_cast<uint32_t>(added - kRecordPrefixBytes), batch.records.data() + start);
  batch.last = next_++;
  pending_bytes_.fetch_add(added, std::memory_order_relaxed);
  if (!failed_.ok()) pending_.clear();  // txids go on, nothing of them is ever durable
  if (!in_group_) WakeWriter();
  return next_ - 1;
}

void FileJournal::WakeWriter() {
  if (!writer_waits_) return;
  writer_waits_ = false;
  wake_cv_.Signal();
}

void FileJournal::BeginGroup() {
  MutexLock lock(mu_);
  in_group_ = true;
}

void FileJournal::EndGroup() {
  MutexLock lock(mu_);
  in_group_ = false;
  if (!pending_.empty()) WakeWriter();
}

TxId FileJournal::last() const {
  MutexLock lock(mu_);
  return next_ - 1;
}

absl::StatusOr<TxId> FileJournal::Roll() {
  MutexLock lock(mu_);
  if (stopping_) return absl::FailedPreconditionError("the journal was stopped");
  const TxId last = next_ - 1;
  if (rolled_to_ == last) return last;  // nothing in this segment yet
  OpenBatch().roll = true;
  wake_cv_.Signal();
  while (failed_.ok() && rolled_to_ < last) roll_cv_.Wait(mu_);
  if (!failed_.ok()) return failed_;
  return last;
}

// Waits for something to do, and takes it.
FileJournal::Work FileJournal::NextWork(Batch* batch) {
  const auto idle = std::chrono::milliseconds(options_.marker_after_ms);
  MutexLock lock(mu_);
  while (pending_.empty() && !stopping_) {
    writer_waits_ = true;
    bool timed_out = false;
    if (marked_) {
      wake_cv_.Wait(mu_);
    } else {
      timed_out = !wake_cv_.WaitFor(mu_, idle);
    }
    writer_waits_ = false;
    if (timed_out && pending_.empty()) {
      *batch = Batch{.first = next_, .last = next_ - 1, .records = "", .roll = false};
      return Work::kMarker;
    }
  }
  if (pending_.empty()) return Work::kStop;
  *batch = std::move(pending_.front());
  pending_.pop_front();
  return Work::kBatch;
}

void FileJournal::RunWriter() {
  while (true) {
    Batch batch;
    const Work work = NextWork(&batch);
    absl::Status status;
    switch (work) {
      case Work::kBatch:
        if (batch.last >= batch.first) status = Write(batch);
        if (status.ok() && batch.roll) status = RollSegment(batch);
        break;
      case Work::kMarker:
        status = segment_->Append(batch.first, batch.last, "");
        marked_ = true;
        break;
      case Work::kStop:
        status = segment_->Close();
        break;
    }
    if (!status.ok()) return Fail(status);
    if (work == Work::kStop) return;
    Recycle(std::move(batch));
  }
}

absl::Status FileJournal::Write(const Batch& batch) {
  if (batch.records.size() > kMaxBatchRecordBytes) {
    return absl::ResourceExhaustedError(
        fmt::format("a record of {} bytes is more than a batch can hold", batch.records.size()));
  }
  const auto start = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(segment_->Append(batch.first, batch.last, batch.records));
  marked_ = false;
  durable_.store(batch.last, std::memory_order_release);
  pending_bytes_.fetch_sub(batch.records.size(), std::memory_order_relaxed);
  if (syncs_ != nullptr) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    syncs_->Increment();
    bytes_->Increment(static_cast<double>(batch.records.size()));
    sync_seconds_->Observe(took.count());
  }
  if (on_durable_) on_durable_(batch.last);
  return absl::OkStatus();
}

absl::Status FileJournal::RollSegment(const Batch& batch) {
  if (segment_->last() >= segment_->first()) {  // else two rolls met, and it was rolled already
    RETURN_IF_ERROR(segment_->Close());
    ASSIGN_OR_RETURN(segment_, SegmentWriter::Create(env_, options_.dirs, batch.last + 1,
                                                     options_.preallocate_bytes));
    marked_ = true;
  }
  MutexLock lock(mu_);
  rolled_to_ = batch.last;
  roll_cv_.SignalAll();
  return absl::OkStatus();
}

void FileJournal::Recycle(Batch batch) {
  constexpr size_t kKept = 16u << 20;  // bytes; a larger buffer was for one unusual batch
  if (batch.records.capacity() > kKept) return;
  MutexLock lock(mu_);
  if (spare_.capacity() < batch.records.capacity()) spare_ = std::move(batch.records);
}

void FileJournal::Fail(const absl::Status& status) {
  {
    MutexLock lock(mu_);
    failed_ = status;
    pending_.clear();
    roll_cv_.SignalAll();
  }
  if (options_.fatal) {
    options_.fatal(status);
  } else {
    EndProcess(status);
  }
}

absl::Status FileJournal::DropBefore(TxId txid) {
  TxId rolled_to = 0;
  {
    MutexLock lock(mu_);
    rolled_to = rolled_to_;
  }
  for (const std::string& dir : options_.dirs) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, env_->List(dir));
    std::vector<std::string> drop;
    bool newest = true;  // among the closed ones; the names sort by txid
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      const auto segment = ParseSegmentName(*name);
      if (!segment) continue;
      if (segment->closed) {
        if (!newest && segment->last < txid) drop.push_back(*name);
        newest = false;
      } else if (segment->first < txid && segment->first <= rolled_to) {
        drop.push_back(*name);  // left by a time when this directory was not in use
      }
    }
    // The oldest first, so that what is left has no gap.
    for (auto name = drop.rbegin(); name != drop.rend(); ++name) {
      RETURN_IF_ERROR(env_->Remove(fmt::format("{}/{}", dir, *name)));
    }
    if (!drop.empty()) RETURN_IF_ERROR(env_->SyncDir(dir));
  }
  return absl::OkStatus();
}

void FileJournal::Stop() {
  std::thread writer;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    writer = std::move(writer_);
    wake_cv_.Signal();
  }
  if (writer.joinable()) writer.join();
}

}  // namespace cairn::namenode
