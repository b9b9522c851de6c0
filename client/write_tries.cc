#include "client/write_tries.h"

#include "client/block_pipeline.h"
#include "client/file_system.h"
#include "common/background_task.h"
#include "common/clock.h"
#include "common/status.h"
#include "common/strings.h"

namespace cairn {
namespace {

constexpr int64_t kLeaveOutMs = 60'000;      // by then the NameNode knows whether the node is dead
constexpr int64_t kMaxRetryPauseMs = 4'000;  // less than the grace of an interrupted `cairn put`

}  // namespace

void WriteTries::LeaveOut(NodeNumber node) {
  left_out_until_ms_[node] = clock_->SteadyMs() + kLeaveOutMs;
}

void WriteTries::LeaveOutFailed(const BlockPipeline& pipeline, const absl::Status& failure) {
  // We were the silent ones: this process was stopped for long. All may go on.
  if (KindOf(failure) == ErrorKind::kIdleStream) return;
  const NodeNumber sender = pipeline.before_failed();
  if (KindOf(failure) == ErrorKind::kChecksum && sender != 0 &&
      complained_.insert(pipeline.failed_nodes().front()).second) {
    return LeaveOut(sender);
  }
  for (const NodeNumber node : pipeline.failed_nodes()) LeaveOut(node);
}

bool WriteTries::IsLeftOut(NodeNumber node) const {
  const auto it = left_out_until_ms_.find(node);
  return it != left_out_until_ms_.end() && it->second > clock_->SteadyMs();
}

std::vector<NodeNumber> WriteTries::LeftOut() const {
  const int64_t now_ms = clock_->SteadyMs();
  std::vector<NodeNumber> nodes;
  for (const auto& [node, until_ms] : left_out_until_ms_) {
    if (until_ms > now_ms) nodes.push_back(node);
  }
  return nodes;
}

bool WriteTries::TakeBackOne(const std::function<bool(NodeNumber)>& eligible) {
  const int64_t now_ms = clock_->SteadyMs();
  auto first = left_out_until_ms_.end();
  for (auto it = left_out_until_ms_.begin(); it != left_out_until_ms_.end(); ++it) {
    if (it->second <= now_ms || !eligible(it->first)) continue;
    if (first == left_out_until_ms_.end() || it->second < first->second) first = it;
  }
  if (first == left_out_until_ms_.end()) return false;
  const double jitter = static_cast<double>(RandomU64() >> 11) * 0x1.0p-53;
  if (WaitsForItsTurn()) {
    busy_.Pause();
  } else if (Again()) {
    PauseForMs(BackoffMs(count_, options_->retry_pause_ms, kMaxRetryPauseMs, jitter));
  } else {
    return false;
  }
  left_out_until_ms_.erase(first);
  return true;
}

void WriteTries::LearnFrom(const WriteTries& other) {
  for (const auto& [node, until_ms] : other.left_out_until_ms_) {
    int64_t& mine = left_out_until_ms_[node];
    mine = std::max(mine, until_ms);
  }
  complained_.insert(other.complained_.begin(), other.complained_.end());
}

bool WriteTries::WaitsForItsTurn() const {
  return busy_.lasts(options_->max_progress_ms) && !stopped_->load();
}

bool WriteTries::AgainAfter(const absl::Status& failure) {
  if (KindOf(failure) == ErrorKind::kBusy) {
    busy_.Begin(options_->max_progress_ms);
    return WaitsForItsTurn() || Again();
  }
  busy_.End();
  return Again();
}

void WriteTries::Reset() {
  count_ = 0;
  busy_.End();
}

bool WriteTries::Again() { return ++count_ < options_->write_attempts && !stopped_->load(); }

}  // namespace cairn
