#include "namenode/namesystem/lease_clock.h"

namespace cairn::namenode {

void LeaseClock::Renew(const ClientId& holder, int64_t now_ms) {
  MutexLock lock(mu_);
  renewed_ms_[holder] = now_ms;
}

bool LeaseClock::Expired(const ClientId& holder, int64_t now_ms, int64_t limit_ms) {
  MutexLock lock(mu_);
  const auto [it, is_new] = renewed_ms_.try_emplace(holder, now_ms);
  return !is_new && now_ms - it->second > limit_ms;
}

void LeaseClock::DropOlderThan(int64_t now_ms, int64_t limit_ms) {
  MutexLock lock(mu_);
  absl::erase_if(renewed_ms_, [&](const auto& item) { return now_ms - item.second > limit_ms; });
}

}  // namespace cairn::namenode
