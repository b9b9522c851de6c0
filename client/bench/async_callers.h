// Callers that are no threads: `cairn bench metadata --async`.
//
// Why: 64 threads are put to sleep and woken up for each operation, which costs more than it does.
// Here as many operations are under way, and each one's callback begins the next. The baselines
// wait in no thread either: a bare group commit by one thread that calls back, and gRPC's unary
// calls with callbacks. AsyncCommit is thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "client/async_namespace.h"
#include "client/bench/callers.h"
#include "client/bench/echo.h"
#include "client/bench/group_commit.h"
#include "common/mutex.h"

namespace cairn::bench {

// Begins operation `index`; its outcome goes to `done`, not from within.
using BeginFn = std::function<void(uint64_t index, AsyncNamespace::Done done)>;

// Begins operations 0 .. count - 1, of which `under_way` are under way at a time, and measures;
// ends early, CANCELLED, when stopped. Returns when nothing is under way any more.
absl::StatusOr<RoundResult> RunAsync(int under_way, uint64_t count, const Stopped& stopped,
                                     std::atomic<uint64_t>* done, const BeginFn& begin);

// All must outlive them. Each operation done is counted in `done`.
std::unique_ptr<Callers> MakeAsync(int count, AsyncNamespace* names, EchoClient* echo,
                                   Stopped stopped, std::atomic<uint64_t>* done);

// Records that become durable together, and call back then.
class AsyncCommit {
 public:
  // `disk` must outlive it, and be used by nobody else.
  explicit AsyncCommit(GroupCommit* disk) : disk_(disk), thread_([this] { RunThread(); }) {}
  ~AsyncCommit();  // nothing may be under way

  void Commit(size_t bytes, AsyncNamespace::Done done) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);

  GroupCommit* const disk_;
  Mutex mu_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<AsyncNamespace::Done> queue_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace cairn::bench
