#include "datanode/pipeline/open_transfers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/background_task.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/steady_time.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {
OpenTransfers::Ticket::~Ticket() { owner_->Remove(id_); }

void OpenTransfers::Ticket::SetBlock(const Block& block) {
  MutexLock lock(owner_->mu_);
  owner_->open_.at(id_).block = block;
}

void OpenTransfers::Ticket::Done(const absl::Status& status, uint64_t bytes) {
  owner_->Count(kind_, status, bytes);
}

OpenTransfers::Ticket::Wait::Wait(Ticket* ticket, Side side)
    : since_ms_(ticket->waiting_since_ms_[side]) {
  since_ms_.store(SteadyNowMs(), std::memory_order_relaxed);
}

int64_t OpenTransfers::Ticket::WaitedMs(int64_t now_ms) const {
  int64_t longest_ms = 0;
  for (const std::atomic<int64_t>& since : waiting_since_ms_) {
    const int64_t since_ms = since.load(std::memory_order_relaxed);
    if (since_ms != 0) longest_ms = std::max(longest_ms, now_ms - since_ms);
  }
  return longest_ms;
}

OpenTransfers::OpenTransfers(Options options, Metrics* metrics)
    : options_(options),
      limit_(std::max<uint64_t>(1, options.memory_bytes / kMaxPacketBytes)),
      open_gauge_(metrics->AddGauge("cairn_datanode_open_streams",
                                    "Block streams that are open, reads and writes.")),
      bytes_read_(metrics->AddCounter("cairn_datanode_read_bytes_total",
                                      "Bytes of blocks sent to readers.")),
      bytes_written_(metrics->AddCounter("cairn_datanode_written_bytes_total",
                                         "Bytes of blocks written here.")),
      failures_(metrics->AddCounter("cairn_datanode_stream_failures_total",
                                    "Block streams that ended with an error of this node.")),
      disk_errors_(metrics->AddCounter("cairn_datanode_disk_errors_total",
                                       "Block streams that a disk of this node failed.")),
      checksum_errors_(
          metrics->AddCounter("cairn_datanode_checksum_errors_total",
                              "Block streams whose bytes came, or lay here, damaged.")),
      idle_(metrics->AddCounter("cairn_datanode_idle_streams_total",
                                "Block streams that were ended because their peer was silent.")),
      turns_({}, metrics),
      watch_(std::make_unique<BackgroundTask>(
          "idle-streams",
          std::clamp<int64_t>(std::min(options.writer_silence_ms, options.reader_idle_ms) / 4, 10,
                              1'000),
          [this] {
            CancelIdle();
            return absl::OkStatus();
          },
          metrics)) {
  watch_->Start();
}

OpenTransfers::~OpenTransfers() { watch_->Stop(); }

absl::StatusOr<std::unique_ptr<OpenTransfers::Ticket>> OpenTransfers::Admit(Kind kind,
                                                                            const Block& block,
                                                                            CancelFn cancel) {
  MutexLock lock(mu_);
  ++(kind == Kind::kRead ? load_.read_requests : load_.write_requests);
  if (stopped_) return absl::UnavailableError("this DataNode is stopping");
  if (open_.size() >= limit_) {
    return WithKind(
        absl::ResourceExhaustedError(fmt::format("this DataNode serves {} block streams, as many "
                                                 "as --transfer-memory allows; try another node "
                                                 "or later",
                                                 open_.size())),
        ErrorKind::kBusy);
  }
  ++(kind == Kind::kRead ? load_.active_reads : load_.active_writes);
  const uint64_t id = next_id_++;
  std::unique_ptr<Ticket> ticket(new Ticket(this, id, kind));
  open_.emplace(id, Entry{.ticket = ticket.get(), .block = block, .cancel = std::move(cancel)});
  open_gauge_->Set(static_cast<double>(open_.size()));
  return ticket;
}

void OpenTransfers::Remove(uint64_t id) {
  MutexLock lock(mu_);
  const auto it = open_.find(id);
  --(it->second.ticket->kind_ == Kind::kRead ? load_.active_reads : load_.active_writes);
  open_.erase(it);
  open_gauge_->Set(static_cast<double>(open_.size()));
  if (open_.empty()) none_.SignalAll();
}

void OpenTransfers::Count(Kind kind, const absl::Status& status, uint64_t bytes) {
  (kind == Kind::kRead ? bytes_read_ : bytes_written_)->Increment(static_cast<double>(bytes));
  MutexLock lock(mu_);
  (kind == Kind::kRead ? load_.bytes_read : load_.bytes_written) += bytes;
  // A peer that left, or asked for what is not here, is no error of this node.
  if (status.ok() || absl::IsCancelled(status) || absl::IsNotFound(status) ||
      absl::IsAlreadyExists(status) || absl::IsInvalidArgument(status) ||
      absl::IsOutOfRange(status) || absl::IsFailedPrecondition(status) ||
      KindOf(status) == ErrorKind::kIdleStream) {
    return;
  }
  failures_->Increment();
  ++load_.errors;
  if (absl::IsDataLoss(status)) {
    checksum_errors_->Increment();
    ++load_.checksum_errors;
  } else if (absl::IsInternal(status) || absl::IsUnknown(status)) {
    disk_errors_->Increment();
    ++load_.disk_errors;
  }
}

void OpenTransfers::CountLocalRead() {
  MutexLock lock(mu_);
  ++load_.read_requests;
}

void OpenTransfers::CancelWrites(const Block& block) {
  MutexLock lock(mu_);
  for (const auto& [id, entry] : open_) {
    const bool same = entry.block.id == block.id && entry.block.generation == block.generation;
    if (same && entry.ticket->kind_ == Kind::kWrite) entry.cancel(Reason::kStopped);
  }
}

absl::Status OpenTransfers::FenceWrites(BlockId id, GenerationStamp generation) {
  MutexLock lock(mu_);
  GenerationStamp newest = 0;
  for (const auto& [ticket_id, entry] : open_) {
    if (entry.block.id != id || entry.ticket->kind_ != Kind::kWrite) continue;
    newest = std::max(newest, entry.block.generation);
    if (entry.block.generation < generation) entry.cancel(Reason::kStopped);
  }
  if (newest <= generation) return absl::OkStatus();
  return WithKind(absl::FailedPreconditionError(
                      fmt::format("block {} is being written here with generation {}", id, newest)),
                  ErrorKind::kStaleReplica);
}

void OpenTransfers::CancelIdle() {
  const int64_t now_ms = SteadyNowMs();
  MutexLock lock(mu_);
  for (auto& [id, entry] : open_) {
    const bool read = entry.ticket->kind_ == Kind::kRead;
    const int64_t limit_ms = read ? options_.reader_idle_ms : options_.writer_silence_ms;
    if (entry.idle || entry.ticket->WaitedMs(now_ms) < limit_ms) continue;
    entry.idle = true;
    idle_->Increment();
    LogWarn("the {} of block {} was silent for {} ms: its stream is ended",
            read ? "reader" : "writer", entry.block.id, limit_ms);
    entry.cancel(Reason::kIdle);
  }
}

void OpenTransfers::Stop() {
  MutexLock lock(mu_);
  stopped_ = true;
  for (const auto& [id, entry] : open_) entry.cancel(Reason::kStopped);
}

bool OpenTransfers::WaitUntilNone(int64_t timeout_ms) {
  const int64_t deadline_ms = SteadyNowMs() + timeout_ms;
  MutexLock lock(mu_);
  while (!open_.empty()) {
    const int64_t left_ms = deadline_ms - SteadyNowMs();
    if (left_ms <= 0) return false;
    none_.WaitFor(mu_, std::chrono::milliseconds(left_ms));
  }
  return true;
}

TransferLoad OpenTransfers::load() const {
  MutexLock lock(mu_);
  return load_;
}

}  // namespace cairn::datanode
