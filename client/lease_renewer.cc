#include "client/lease_renewer.h"

#include <algorithm>
#include <chrono>

#include "client/namenode_client.h"
#include "common/logging.h"
#include "common/status.h"

namespace cairn {
namespace {

constexpr int64_t kDefaultSoftLimitMs = 60'000;  // the NameNode's default, until it tells its own
constexpr int64_t kSoonerAfterFailure = 4;       // the next try, by so much

}  // namespace

LeaseRenewer::~LeaseRenewer() {
  std::thread thread;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    thread = std::move(thread_);
    wake_.SignalAll();
  }
  if (thread.joinable()) thread.join();
}

std::unique_ptr<LeaseRenewer::Hold> LeaseRenewer::Acquire() {
  MutexLock lock(mu_);
  ++holds_;
  if (!thread_.joinable()) thread_ = std::thread([this] { RunThread(); });
  if (idle_) wake_.SignalAll();
  return std::make_unique<Hold>(this);
}

void LeaseRenewer::Release() {
  MutexLock lock(mu_);
  --holds_;
}

void LeaseRenewer::RunThread() {
  // A file was just created or is about to be, and that starts the lease: the first renewal is due
  // after one interval, which must be learned by then.
  const int64_t interval_ms = LearnIntervalMs();
  int64_t wait_ms = interval_ms;
  while (WaitUntilDue(wait_ms)) {
    const auto reply = namenode_->RenewLease(interval_ms);
    // A call that failed may have taken an interval of the three that there are.
    wait_ms = reply.ok() ? interval_ms : interval_ms / kSoonerAfterFailure + 1;
    if (!reply.ok()) LogDebug("cannot renew the lease: {}", MessageOf(reply.status()));
  }
}

bool LeaseRenewer::WaitUntilDue(int64_t wait_ms) {
  MutexLock lock(mu_);
  while (!stopping_) {
    idle_ = holds_ == 0;
    if (idle_) {
      wake_.Wait(mu_);
      continue;
    }
    const auto due = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
    while (!stopping_ && std::chrono::steady_clock::now() < due) {
      wake_.WaitFor(mu_, due - std::chrono::steady_clock::now());
    }
    if (!stopping_ && holds_ > 0) return true;
  }
  return false;
}

int64_t LeaseRenewer::LearnIntervalMs() {
  int64_t soft_limit_ms = kDefaultSoftLimitMs;
  const auto defaults = namenode_->GetServerDefaults();
  if (defaults.ok() && defaults->lease_soft_limit_ms() > 0) {
    soft_limit_ms = defaults->lease_soft_limit_ms();
  }
  return std::max<int64_t>(soft_limit_ms / 3, 1);
}

}  // namespace cairn
