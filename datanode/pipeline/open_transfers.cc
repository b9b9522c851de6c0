#include "datanode/pipeline/open_transfers.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/metrics.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {

OpenTransfers::Ticket::~Ticket() { owner_->Remove(id_); }

void OpenTransfers::Ticket::Done(const absl::Status& status, uint64_t bytes) {
  owner_->Count(kind_, status, bytes);
}

OpenTransfers::OpenTransfers(uint64_t memory_bytes, Metrics* metrics)
    : limit_(std::max<uint64_t>(1, memory_bytes / kMaxPacketBytes)),
      open_gauge_(metrics->AddGauge("cairn_datanode_open_streams",
                                    "Block streams that are open, reads and writes.")),
      bytes_read_(metrics->AddCounter("cairn_datanode_read_bytes_total",
                                      "Bytes of blocks sent to readers.")),
      bytes_written_(metrics->AddCounter("cairn_datanode_written_bytes_total",
                                         "Bytes of blocks written here.")),
      failures_(metrics->AddCounter("cairn_datanode_stream_failures_total",
                                    "Block streams that ended with an error of this node.")) {}

absl::StatusOr<std::unique_ptr<OpenTransfers::Ticket>> OpenTransfers::Admit(
    Kind kind, const Block& block, std::function<void()> cancel) {
  MutexLock lock(mu_);
  ++(kind == Kind::kRead ? load_.read_requests : load_.write_requests);
  if (stopped_) return absl::UnavailableError("this DataNode is stopping");
  if (open_.size() >= limit_) {
    return absl::ResourceExhaustedError(fmt::format(
        "this DataNode serves {} block streams, as many as --transfer-memory allows; try another "
        "node or later",
        open_.size()));
  }
  ++(kind == Kind::kRead ? load_.active_reads : load_.active_writes);
  const uint64_t id = next_id_++;
  open_.emplace(id, Entry{kind, block, std::move(cancel)});
  open_gauge_->Set(static_cast<double>(open_.size()));
  return std::unique_ptr<Ticket>(new Ticket(this, id, kind));
}

void OpenTransfers::Remove(uint64_t id) {
  MutexLock lock(mu_);
  const auto it = open_.find(id);
  --(it->second.kind == Kind::kRead ? load_.active_reads : load_.active_writes);
  open_.erase(it);
  open_gauge_->Set(static_cast<double>(open_.size()));
}

void OpenTransfers::Count(Kind kind, const absl::Status& status, uint64_t bytes) {
  (kind == Kind::kRead ? bytes_read_ : bytes_written_)->Increment(static_cast<double>(bytes));
  // A peer that left, or asked for what is not here, is no error of this node.
  if (status.ok() || absl::IsCancelled(status) || absl::IsNotFound(status) ||
      absl::IsInvalidArgument(status) || absl::IsOutOfRange(status)) {
    return;
  }
  failures_->Increment();
  MutexLock lock(mu_);
  ++load_.errors;
}

void OpenTransfers::CancelWrites(const Block& block) {
  MutexLock lock(mu_);
  for (const auto& [id, entry] : open_) {
    const bool same = entry.block.id == block.id && entry.block.generation == block.generation;
    if (entry.kind == Kind::kWrite && same) entry.cancel();
  }
}

void OpenTransfers::Stop() {
  MutexLock lock(mu_);
  stopped_ = true;
  for (const auto& [id, entry] : open_) entry.cancel();
}

TransferLoad OpenTransfers::load() const {
  MutexLock lock(mu_);
  return load_;
}

}  // namespace cairn::datanode
