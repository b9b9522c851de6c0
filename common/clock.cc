#include "common/clock.h"

#include <chrono>

#include "common/steady_time.h"

namespace cairn {
namespace {

class SystemClock final : public Clock {
 public:
  int64_t WallMs() override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  }
  int64_t SteadyUs() override { return SteadyNowUs(); }
};

}  // namespace

std::unique_ptr<Clock> NewSystemClock() { return std::make_unique<SystemClock>(); }

}  // namespace cairn
