// Keeps a fixed number of asynchronous operations under way and measures them.
//
// Why: the door answers by callback, once the journal is durable; a thread for each caller would
// measure the scheduler. Each operation under way has a slot, which is a client of its own: one
// call at a time, as P5 counts them. Calls pass the door in batches, as those of a Session's
// messages do. Thread-safe where it says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "common/mutex.h"
#include "common/status.h"
#include "namenode/namesystem/client_operations.h"

namespace cairn::bench {

// A client of the door with one call at a time.
class Slot {
 public:
  explicit Slot(uint64_t number);
  // The context of its next mutating call, put into `batch`; the one before has its answer.
  const namenode::CallContext& NextCall(namenode::DoorBatch* batch);
  const namenode::CallContext& call() const { return call_; }

 private:
  namenode::CallContext call_;
};

// Puts the first call of operation `index` into `batch`, for a client; `done` is called once, on
// any thread.
using AsyncOperation = std::function<void(uint64_t index, Slot& slot, namenode::DoorBatch* batch,
                                          namenode::StatusReply done)>;

struct InFlightTimes {
  double seconds = 0;
  std::vector<float> latencies_us;  // one for each operation
};

class InFlight {
 public:
  // Slots of different InFlight objects over one door must not share numbers.
  InFlight(uint64_t first_slot, uint32_t slots);

  // Operations first .. first + count - 1, started from this thread; returns when all are done,
  // with the first failure. Not thread-safe.
  absl::StatusOr<InFlightTimes> Run(namenode::ClientOperations* door, uint64_t first,
                                    uint64_t count, const AsyncOperation& operation)
      ABSL_LOCKS_EXCLUDED(mu_);

  // From the answer to a call: puts the next call of the same operation into the batch that passes
  // the door once all answers of this group are released.
  using NextCall = std::function<void(namenode::DoorBatch* batch)>;
  void Then(NextCall call) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Free slots, at least one and at most a batch of them.
  std::vector<uint32_t> Take(uint64_t most) ABSL_LOCKS_EXCLUDED(mu_);
  void Return(uint32_t slot, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  void Continue() ABSL_LOCKS_EXCLUDED(mu_);

  std::vector<Slot> slots_;
  namenode::ClientOperations* door_ = nullptr;
  Mutex mu_;
  std::vector<NextCall> next_ ABSL_GUARDED_BY(mu_);
  CondVar returned_;
  // The submitter waits until so many slots are free: one wake-up for many operations.
  size_t wanted_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<uint32_t> free_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

inline float MicrosSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<float, std::micro>(std::chrono::steady_clock::now() - begin).count();
}
inline double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace cairn::bench
