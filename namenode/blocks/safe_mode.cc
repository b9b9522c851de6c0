#include "namenode/blocks/safe_mode.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn::namenode {

void SafeMode::Update(uint64_t reported, uint64_t total, int64_t now_ms) {
  if (loading_ || !starting_) return;
  reported_ = reported;
  total_ = total;
  now_ms_ = now_ms;
  if (static_cast<double>(reported) < threshold_ * static_cast<double>(total)) {
    met_since_ms_ = -1;
    return;
  }
  if (met_since_ms_ < 0) met_since_ms_ = now_ms;
  if (total == 0 || now_ms - met_since_ms_ >= extension_ms_) starting_ = false;
}

absl::Status SafeMode::Leave() {
  if (!forced_.empty()) {
    return absl::FailedPreconditionError(fmt::format("safe mode cannot be left: {}", forced_));
  }
  manual_ = false;
  if (!loading_) starting_ = false;
  return absl::OkStatus();
}

std::string SafeMode::Reason() const {
  if (loading_) return "safe mode: the NameNode is starting";
  if (!forced_.empty()) return fmt::format("safe mode: {}", forced_);
  if (manual_)
    return "safe mode: entered by an administrator; leave it with 'cairn admin safe-mode leave'";
  if (!starting_) return "";
  if (met_since_ms_ < 0) {
    return fmt::format("safe mode: {} of {} blocks reported, {:.4g}% needed", reported_, total_,
                       100 * threshold_);
  }
  const int64_t left_ms = std::max<int64_t>(0, met_since_ms_ + extension_ms_ - now_ms_);
  return fmt::format("safe mode: {} of {} blocks reported, ends in {} s", reported_, total_,
                     (left_ms + 999) / 1000);
}

}  // namespace cairn::namenode
