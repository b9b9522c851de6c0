#include "common/clock.h"

#include <chrono>

namespace cairn {
namespace {

template <typename Unit, typename SomeClock>
int64_t Now() {
  return std::chrono::duration_cast<Unit>(SomeClock::now().time_since_epoch()).count();
}

class SystemClock final : public Clock {
 public:
  int64_t WallMs() override { return Now<std::chrono::milliseconds, std::chrono::system_clock>(); }
  int64_t SteadyUs() override {
    return Now<std::chrono::microseconds, std::chrono::steady_clock>();
  }
};

}  // namespace

std::unique_ptr<Clock> NewSystemClock() { return std::make_unique<SystemClock>(); }

}  // namespace cairn
