#include "tests/bench/in_flight.h"

#include <algorithm>
#include <cstring>

namespace cairn::bench {
namespace {

constexpr size_t kCallsPerBatch = 64;

}  // namespace

Slot::Slot(uint64_t number) {
  call_.caller.user = "root";
  call_.caller.superuser = true;
  static_assert(sizeof(number) <= sizeof(call_.key.client));
  std::memcpy(call_.key.client.data(), &number, sizeof(number));
}

const namenode::CallContext& Slot::NextCall(namenode::DoorBatch* batch) {
  call_.batch = batch;
  ++call_.key.call_id;
  call_.key.done_below = call_.key.call_id;
  return call_;
}

InFlight::InFlight(uint64_t first_slot, uint32_t slots) {
  slots_.reserve(slots);
  for (uint32_t i = 0; i < slots; ++i) {
    slots_.emplace_back(first_slot + i);
    free_.push_back(i);
  }
}

absl::StatusOr<InFlightTimes> InFlight::Run(namenode::ClientOperations* door, uint64_t first,
                                            uint64_t count, const AsyncOperation& operation) {
  door_ = door;
  InFlightTimes measured;
  measured.latencies_us.resize(count);
  const auto began = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < count;) {
    namenode::DoorBatch batch;
    for (const uint32_t slot : Take(count - i)) {
      operation(first + i, slots_[slot], &batch,
                [this, slot, latency = &measured.latencies_us[i],
                 begin = std::chrono::steady_clock::now()](const absl::Status& status) {
                  *latency = MicrosSince(begin);
                  Return(slot, status);
                });
      ++i;
    }
    door_->EnterBatch(std::move(batch), [this] { Continue(); });
  }
  MutexLock lock(mu_);
  while (free_.size() < slots_.size()) {
    wanted_ = slots_.size();
    returned_.Wait(mu_);
  }
  measured.seconds = SecondsSince(began);
  if (!failure_.ok()) return failure_;
  return measured;
}

void InFlight::Then(NextCall call) {
  MutexLock lock(mu_);
  next_.push_back(std::move(call));
}

void InFlight::Continue() {
  std::vector<NextCall> next;
  {
    MutexLock lock(mu_);
    next.swap(next_);
  }
  if (next.empty()) return;
  namenode::DoorBatch batch;
  for (const NextCall& call : next) call(&batch);
  door_->EnterBatch(std::move(batch), [this] { Continue(); });
}

std::vector<uint32_t> InFlight::Take(uint64_t most) {
  MutexLock lock(mu_);
  while (free_.empty()) {
    wanted_ = std::max<size_t>(1, slots_.size() / 4);
    returned_.Wait(mu_);
  }
  wanted_ = 0;
  const size_t count = std::min({free_.size(), kCallsPerBatch, static_cast<size_t>(most)});
  std::vector<uint32_t> taken(free_.end() - static_cast<ptrdiff_t>(count), free_.end());
  free_.resize(free_.size() - count);
  return taken;
}

void InFlight::Return(uint32_t slot, const absl::Status& status) {
  MutexLock lock(mu_);
  if (!status.ok() && failure_.ok()) failure_ = status;
  free_.push_back(slot);
  if (wanted_ != 0 && free_.size() >= wanted_) {
    wanted_ = 0;
    returned_.Signal();
  }
}

}  // namespace cairn::bench
