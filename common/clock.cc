#include "common/clock.h"

#include <chrono>

namespace cairn {
namespace {

template <typename SomeClock>
int64_t NowMs() {
  const auto since_origin = SomeClock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_origin).count();
}

class SystemClock final : public Clock {
 public:
  int64_t WallMs() override { return NowMs<std::chrono::system_clock>(); }
  int64_t SteadyMs() override { return NowMs<std::chrono::steady_clock>(); }
};

}  // namespace

std::unique_ptr<Clock> NewSystemClock() { return std::make_unique<SystemClock>(); }

}  // namespace cairn
