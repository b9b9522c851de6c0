#include "client/missing_wait.h"

#include "client/client_core.h"
#include "common/status.h"
#include "proto/admin.pb.h"

namespace cairn {
namespace {

constexpr int64_t kAskEveryMs = 2'000;  // whether the NameNode is starting
constexpr int64_t kInVainMs = 30'000;   // so long after a wait in vain nobody waits

}  // namespace

MissingWait::MissingWait(ClientCore* core) : core_(core), wait_(&core->clock()) {}

void MissingWait::Ask() {
  const int64_t now_ms = core_->clock().SteadyMs();
  if (waits_ && now_ms < ask_ms_) return;
  ask_ms_ = now_ms + kAskEveryMs;
  const absl::StatusOr<v1::SafeModeReply> reply = core_->namenode().SafeMode(v1::SafeModeRequest());
  if (!reply.ok()) return;  // whoever asks for the block next is told why
  const bool was_starting = !starting_.empty();
  starting_ = reply->starting() ? reply->reason() : "";
  if (was_starting && starting_.empty())
    wait_.End();  // those that are not needed for it may follow
}

int64_t MissingWait::LimitMs(bool corrupt) const {
  const ClientOptions& options = core_->options();
  if (!starting_.empty()) return options.timeout_ms;
  if (corrupt) return 0;
  if (!waits_ && core_->clock().SteadyMs() < core_->no_wait_for_missing_until_ms()) return 0;
  return options.transfer.missing_ms;
}

bool MissingWait::Again(bool corrupt) {
  Ask();
  if (wait_.Begin(LimitMs(corrupt))) {
    waits_ = true;
    wait_.Pause();
    return true;
  }
  if (waits_ && !corrupt) {
    core_->DoNotWaitForMissingUntil(core_->clock().SteadyMs() + kInVainMs);
  }
  waits_ = false;
  wait_.End();
  return false;
}

void MissingWait::End() {
  if (waits_) core_->DoNotWaitForMissingUntil(0);
  waits_ = false;
  wait_.End();
}

}  // namespace cairn
