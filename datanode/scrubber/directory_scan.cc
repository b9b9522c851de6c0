#include "datanode/scrubber/directory_scan.h"

#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr size_t kBlocksPerRun = 2'000;
constexpr uint64_t kMostLines = 10;  // of files left alone, in the log of one scan

}  // namespace

DirectoryScan::DirectoryScan(int64_t interval_ms, size_t volume, std::string path,
                             ReplicaStore* store, Clock* clock, Metrics* metrics,
                             const std::atomic<bool>* stop)
    : interval_ms_(interval_ms),
      volume_(volume),
      path_(std::move(path)),
      store_(store),
      clock_(clock),
      stop_(stop),
      vanished_(metrics->AddCounter("cairn_datanode_scan_vanished_total",
                                    "Replicas whose files somebody has removed.",
                                    {{"path", path_}})),
      bad_(metrics->AddCounter("cairn_datanode_scan_bad_total",
                               "Replicas that the scrubber has found bad.", {{"path", path_}})),
      added_(metrics->AddCounter("cairn_datanode_scan_added_total",
                                 "Replicas that were taken in because somebody had put their "
                                 "files there.",
                                 {{"path", path_}})),
      left_alone_gauge_(metrics->AddGauge("cairn_datanode_scan_left_alone_files",
                                          "Files among the replicas that are none, in the last "
                                          "scan of the folders: data or checksums alone, or "
                                          "damaged.",
                                          {{"path", path_}})) {}

absl::Status DirectoryScan::RunOnce() {
  if (!store_->InUse(volume_)) return absl::OkStatus();
  const int64_t now = clock_->SteadyMs();
  if (next_ < 0) next_ = now + interval_ms_;
  if (folder_ == kFinalizedFolders) {
    if (now < next_) return absl::OkStatus();
    next_ = now + interval_ms_;
    folder_ = 0;
    left_alone_ = 0;
  }
  looked_at_ = 0;
  while (folder_ < kFinalizedFolders && looked_at_ < kBlocksPerRun && !stop_->load()) {
    if (folder_ % kInner == 0) LoadKnown(folder_ / kInner);
    RETURN_IF_ERROR(CheckFolder(folder_));
    ++folder_;
  }
  if (folder_ == kFinalizedFolders) Finish();
  return absl::OkStatus();
}

void DirectoryScan::LoadKnown(size_t outer) {
  for (std::vector<Block>& folder : known_) folder.clear();
  store_->ForEachFinalized(volume_, [&](const Block& block) {
    const size_t folder = FinalizedFolderOf(block.id);
    if (folder / kInner == outer) known_[folder % kInner].push_back(block);
  });
}

absl::Status DirectoryScan::CheckFolder(size_t folder) {
  ASSIGN_OR_RETURN(const FolderDifferences differences,
                   store_->CompareFolder(volume_, folder, known_[folder % kInner]));
  looked_at_ += differences.blocks;
  Settle(differences);
  return absl::OkStatus();
}

void DirectoryScan::Settle(const FolderDifferences& differences) {
  for (const Block& block : differences.vanished) {
    const absl::StatusOr<bool> vanished = store_->DropVanished(block);
    if (vanished.ok() && *vanished) vanished_->Increment();
  }
  for (const Block& block : differences.damaged) {
    const absl::StatusOr<bool> good = store_->Verify({block.id, block.generation, 0});
    if (good.ok() && !*good) bad_->Increment();
  }
  for (const Block& block : differences.found) {
    if (stop_->load()) return;
    const absl::Status added = store_->AddFound(volume_, block);
    if (added.ok()) added_->Increment();
    // Others: it came, or went, in the usual way meanwhile.
    if (added.ok() || absl::IsAlreadyExists(added) || absl::IsNotFound(added)) continue;
    NoteLeftAlone("block " + std::to_string(block.id), std::string(MessageOf(added)));
  }
  for (const std::string& file : differences.left_alone) {
    NoteLeftAlone(file, "data and checksums that fit each other are needed");
  }
}

void DirectoryScan::NoteLeftAlone(const std::string& path, const std::string& why) {
  if (++left_alone_ > kMostLines) return;
  LogWarn("{}: {} is no replica that this node knows, and is left alone: {}", path_, path, why);
}

void DirectoryScan::Finish() {
  left_alone_gauge_->Set(static_cast<double>(left_alone_));
  if (left_alone_ <= kMostLines) return;
  LogWarn("{}: {} more files among the replicas are none that this node knows", path_,
          left_alone_ - kMostLines);
}

}  // namespace cairn::datanode
