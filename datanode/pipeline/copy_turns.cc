#include "datanode/pipeline/copy_turns.h"

#include <algorithm>
#include <chrono>

#include "common/metrics.h"
#include "common/steady_time.h"

namespace cairn::datanode {
CopyTurns::CopyTurns(Options options, Metrics* metrics)
    : options_(options),
      waited_(metrics->AddCounter("cairn_datanode_copy_wait_seconds_total",
                                  "Time that copies to other DataNodes, and from them, have let "
                                  "clients go first.")),
      last_ms_(SteadyNowMs() - options.idle_ms) {}

CopyTurns::ClientWork::ClientWork(CopyTurns* turns) : turns_(turns) {
  MutexLock lock(turns_->mu_);
  ++turns_->working_;
  turns_->last_ms_ = SteadyNowMs();
}

CopyTurns::ClientWork::~ClientWork() {
  MutexLock lock(turns_->mu_);
  --turns_->working_;
  turns_->their_turn_ = false;
  turns_->last_ms_ = SteadyNowMs();
  if (turns_->waiting_ > 0) turns_->changed_.SignalAll();
}

int64_t CopyTurns::IdleInMs(int64_t now_ms) const {
  const int64_t idle_after_ms = working_ > 0 ? options_.stuck_ms : options_.idle_ms;
  return std::max<int64_t>(0, last_ms_ + idle_after_ms - now_ms);
}

void CopyTurns::Wait() {
  const int64_t start_ms = SteadyNowMs();
  int64_t now_ms = start_ms;
  MutexLock lock(mu_);
  ++waiting_;
  while (their_turn_) {
    const int64_t idle_ms = IdleInMs(now_ms);
    if (idle_ms == 0) break;
    changed_.WaitFor(mu_, std::chrono::milliseconds(idle_ms));
    now_ms = SteadyNowMs();
  }
  --waiting_;
  their_turn_ = true;
  if (now_ms > start_ms) waited_->Increment(static_cast<double>(now_ms - start_ms) / 1000);
}

}  // namespace cairn::datanode
