#include "datanode/scrubber/replica_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/units.h"
#include "datanode/scrubber/scan_progress.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr size_t kPieceBytes = 1 << 20;
// Finding a replica moves the heads of a disk for as long as reading this takes.
constexpr uint64_t kSeekBytes = 64 << 10;
constexpr size_t kBatch = 4'096;      // replicas that are known ahead
constexpr int64_t kSaveMs = 60'000;   // so much may be read again after a crash
constexpr double kMostSavedUp = 2.0;  // seconds' worth: no burst after a pause

uint64_t CostOf(const Block& block) { return block.length + kSeekBytes; }

bool ById(const Block& a, const Block& b) { return a.id < b.id; }

// Whether what came of reading it may be the replica's fault. One that was deleted, cut, stamped or
// is being changed is not, nor is one on a disk that failed.
bool IsSuspicious(const absl::Status& status) {
  return !status.ok() && !absl::IsNotFound(status) && !absl::IsFailedPrecondition(status) &&
         !absl::IsUnavailable(status);
}

MetricLabels LabelsFor(const std::string& path) { return {{"path", path}}; }

}  // namespace

ReplicaScan::ReplicaScan(Options options, size_t volume, std::string path, ReplicaStore* store,
                         Clock* clock, Metrics* metrics, const std::atomic<bool>* stop)
    : options_(options),
      volume_(volume),
      path_(std::move(path)),
      store_(store),
      clock_(clock),
      stop_(stop),
      replicas_(metrics->AddCounter("cairn_datanode_scan_replicas_total",
                                    "Replicas that the scrubber has read and found good.",
                                    LabelsFor(path_))),
      bytes_(metrics->AddCounter("cairn_datanode_scan_bytes_total",
                                 "Bytes that the scrubber has read.", LabelsFor(path_))),
      bad_(metrics->AddCounter("cairn_datanode_scan_bad_total",
                               "Replicas that the scrubber has found bad.", LabelsFor(path_))),
      vanished_(metrics->AddCounter("cairn_datanode_scan_vanished_total",
                                    "Replicas whose files somebody has removed.",
                                    LabelsFor(path_))),
      last_pass_(metrics->AddGauge("cairn_datanode_scan_last_pass_seconds",
                                   "How long the scrubber's last whole pass took; 0: none yet.",
                                   LabelsFor(path_))),
      rate_(metrics->AddGauge("cairn_datanode_scan_rate_bytes",
                              "Bytes a second that the scrubber may read now; 0 between passes.",
                              LabelsFor(path_))),
      left_gauge_(metrics->AddGauge("cairn_datanode_scan_left_bytes",
                                    "What the scrubber's pass has yet to read.", LabelsFor(path_))),
      buffer_(kPieceBytes) {}

absl::Status ReplicaScan::RunOnce() {
  if (!store_->InUse(volume_)) return absl::OkStatus();
  const int64_t now = clock_->SteadyMs();
  if (!loaded_) LoadProgress(now);
  if (finished_) {
    if (now < began_ + options_.period_ms) return absl::OkStatus();
    Begin(now);
  }
  Earn(now);
  while (!stop_->load()) {
    if (!FindNext()) {
      Finish(now);
      return SaveProgress();
    }
    if (budget_ <= 0) break;
    RETURN_IF_ERROR(ReadSome(batch_[at_]));
  }
  left_gauge_->Set(static_cast<double>(left_));
  return now - saved_at_ >= kSaveMs ? SaveProgress() : absl::OkStatus();
}

// --- passes --------------------------------------------------------------------------------------

// Whatever is wrong with the file, the worst that follows is that replicas are read once more.
void ReplicaScan::LoadProgress(int64_t now) {
  loaded_ = true;
  saved_at_ = now;
  const absl::StatusOr<std::string> bytes = store_->ReadScanFile(volume_);
  const absl::StatusOr<ScanProgress> progress =
      bytes.ok() ? DecodeScanProgress(*bytes) : absl::StatusOr<ScanProgress>(bytes.status());
  if (!progress.ok()) {
    if (!absl::IsNotFound(progress.status())) {
      LogWarn("{}: where the scrubber was is not known, it begins anew: {}", path_,
              MessageOf(progress.status()));
    }
    Begin(now);
    return;
  }
  // The wall clock may have been set back since.
  began_ = now - std::max<int64_t>(clock_->WallMs() - progress->began_ms, 0);
  done_ = progress->done;
  finished_ = progress->finished;
  last_pass_ms_ = progress->last_pass_ms;
  last_pass_->Set(static_cast<double>(std::max<int64_t>(last_pass_ms_, 0)) / 1000);
  if (!finished_) Resume(now);
}

void ReplicaScan::Begin(int64_t now) {
  finished_ = false;
  began_ = now;
  done_ = 0;
  pass_replicas_ = pass_bad_ = 0;
  told_of_rate_ = false;
  unsaved_ = true;
  Resume(now);
}

// What is written from now on was checked as it came, and is the next pass's.
void ReplicaScan::Resume(int64_t now) {
  last_ = 0;
  store_->ForEachFinalized(volume_,
                           [this](const Block& block) { last_ = std::max(last_, block.id); });
  // A little early. Where the node was off for long, the rest is not read in one breath.
  due_ = std::max(began_ + options_.period_ms / 100 * 99, now + options_.period_ms / 10);
  batch_.clear();
  at_ = 0;
  offset_ = 0;
  budget_ = 0;
  last_run_ = now;
  FindNext();  // how much there is says how fast to go
}

void ReplicaScan::Finish(int64_t now) {
  finished_ = true;
  unsaved_ = true;
  last_pass_ms_ = now - began_;
  last_pass_->Set(static_cast<double>(last_pass_ms_) / 1000);
  rate_->Set(0);
  left_gauge_->Set(0);
  if (pass_replicas_ + pass_bad_ == 0) return;
  LogInfo("{}: all replicas were read once in {}; since this start {} good ones and {} bad ones",
          path_, FormatDurationMs(last_pass_ms_), pass_replicas_, pass_bad_);
}

absl::Status ReplicaScan::SaveProgress() {
  if (!unsaved_ || !store_->InUse(volume_)) return absl::OkStatus();
  const ScanProgress progress{.began_ms = clock_->WallMs() - (clock_->SteadyMs() - began_),
                              .done = done_,
                              .finished = finished_,
                              .last_pass_ms = last_pass_ms_};
  saved_at_ = clock_->SteadyMs();
  RETURN_IF_ERROR(store_->WriteScanFile(volume_, EncodeScanProgress(progress)));
  unsaved_ = false;
  return absl::OkStatus();
}

// --- the rate ------------------------------------------------------------------------------------

void ReplicaScan::Earn(int64_t now) {
  const auto rate = static_cast<double>(RateNow(now));
  const auto seconds = static_cast<double>(std::max<int64_t>(now - last_run_, 0)) / 1000;
  budget_ = std::min(budget_ + rate * seconds, rate * kMostSavedUp);
  last_run_ = now;
  rate_->Set(rate);
}

uint64_t ReplicaScan::RateNow(int64_t now) {
  if (now >= due_ && left_ > 0) {
    LogWarn("{}: the disk is too slow to read all replicas within --scan-period {}; {} are left",
            path_, FormatDurationMs(options_.period_ms), FormatSize(left_));
    due_ = now + options_.period_ms / 10;
  }
  const int64_t time_left = std::max({due_ - now, options_.period_ms / 1000, int64_t{1}});
  const double needed = static_cast<double>(left_) * 1000 / static_cast<double>(time_left);
  if (needed <= static_cast<double>(options_.bytes_per_second)) return options_.bytes_per_second;
  if (!std::exchange(told_of_rate_, true)) {
    LogInfo("{}: replicas are read at {}/s and not at --scan-rate {}, to be through within {}",
            path_, FormatSize(static_cast<uint64_t>(needed)), FormatSize(options_.bytes_per_second),
            FormatDurationMs(options_.period_ms));
  }
  return static_cast<uint64_t>(needed) + 1;
}

// --- reading -------------------------------------------------------------------------------------

// Whether there is another replica; then it is batch_[at_].
bool ReplicaScan::FindNext() {
  if (at_ < batch_.size()) return true;
  batch_.clear();
  at_ = 0;
  left_ = 0;
  store_->ForEachFinalized(volume_, [this](const Block& block) {
    if (block.id <= done_ || block.id > last_) return;
    left_ += CostOf(block);
    batch_.push_back(block);
    if (batch_.size() < 2 * kBatch) return;
    std::nth_element(batch_.begin(), batch_.begin() + kBatch, batch_.end(), ById);
    batch_.resize(kBatch);
  });
  std::sort(batch_.begin(), batch_.end(), ById);
  batch_.resize(std::min(batch_.size(), kBatch));
  return !batch_.empty();
}

// One replica, or as much of it as may be read now. It is opened anew each time: one that is gone,
// or has changed meanwhile, is not read on.
absl::Status ReplicaScan::ReadSome(const Block& block) {
  if (offset_ == 0) budget_ -= static_cast<double>(kSeekBytes);
  const auto reader = store_->OpenReader(block, ReadAs::kExact);
  absl::Status status = reader.status();
  if (status.ok()) {
    (*reader)->DropFromCache();  // what counts is what the disk has
    status = ReadChunks(**reader);
    (*reader)->DropFromCache();
    if (status.ok() && offset_ < block.length) return status;
  }
  if (absl::IsResourceExhausted(status)) return status;  // of descriptors, say: later
  if (status.ok()) {
    replicas_->Increment();
    ++pass_replicas_;
  } else if (IsSuspicious(status)) {
    Judge(block, status);
  }
  MoveOn(block);
  return absl::OkStatus();
}

absl::Status ReplicaScan::ReadChunks(ReplicaReader& reader) {
  std::vector<uint32_t> crcs;
  while (offset_ < reader.block().length && budget_ > 0 && !stop_->load()) {
    ASSIGN_OR_RETURN(const size_t n, reader.Read(offset_, buffer_, /*verify=*/true, &crcs));
    offset_ += n;
    budget_ -= static_cast<double>(n);
    bytes_->Increment(static_cast<double>(n));
  }
  return absl::OkStatus();
}

// It is not decided here: the store reads it again, alone with it.
void ReplicaScan::Judge(const Block& block, const absl::Status& why) {
  // Gone, or known to be bad by now.
  if (!store_->GetReplica({block.id, block.generation, 0}).ok()) return;
  if (absl::IsDataLoss(why)) {
    const absl::StatusOr<bool> vanished = store_->DropVanished(block);
    if (vanished.ok() && *vanished) {
      vanished_->Increment();
      return;
    }
  }
  const absl::StatusOr<bool> good = store_->Verify({block.id, block.generation, 0});
  if (good.ok() && !*good) {
    bad_->Increment();
    ++pass_bad_;
  } else {
    LogInfo("block {} in {}: a look at it failed, but the replica is not bad: {}", block.id, path_,
            MessageOf(why));
  }
}

void ReplicaScan::MoveOn(const Block& block) {
  done_ = block.id;
  left_ -= std::min(left_, CostOf(block));
  offset_ = 0;
  ++at_;
  unsaved_ = true;
}

}  // namespace cairn::datanode
