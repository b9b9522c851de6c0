#include <chrono>
#include <thread>
#include <utility>

#include "client/bench/callers.h"
#include "client/bench/process_cpu.h"
#include "common/mutex.h"

namespace cairn::bench {
namespace {

class Threads final : public Callers {
 public:
  Threads(int count, MetadataLoad* load, Stopped stopped, std::atomic<uint64_t>* done)
      : count_(count), load_(load), stopped_(std::move(stopped)), done_(done) {}

  int count() const override { return count_; }
  std::string variant() const override { return "callers=" + std::to_string(count_); }
  absl::StatusOr<RoundResult> Run(const Job& job) override {
    return RunThreads(count_, job.count, stopped_, done_,
                      [&](uint64_t i) { return load_->Do(job, job.first + i); });
  }

 private:
  const int count_;
  MetadataLoad* const load_;
  const Stopped stopped_;
  std::atomic<uint64_t>* const done_;
};

}  // namespace

absl::StatusOr<RoundResult> RunThreads(int threads, uint64_t count, const Stopped& stopped,
                                       std::atomic<uint64_t>* done,
                                       const std::function<absl::Status(uint64_t)>& call) {
  using Clock = std::chrono::steady_clock;
  RoundResult result;
  result.latencies_us.resize(count);
  std::atomic<uint64_t> next{0};
  Mutex mu;
  absl::Status failure;
  const auto run = [&] {
    for (uint64_t i = next++; i < count; i = next++) {
      const auto begin = Clock::now();
      const absl::Status status = stopped() ? absl::CancelledError("interrupted") : call(i);
      result.latencies_us[i] =
          std::chrono::duration<float, std::micro>(Clock::now() - begin).count();
      if (status.ok()) {
        done->fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      next.store(count);
      MutexLock lock(mu);
      if (failure.ok()) failure = status;
    }
  };
  const double cpu_before = ProcessCpuMicros();
  const auto began = Clock::now();
  std::vector<std::thread> running;
  for (int i = 1; i < threads; ++i) running.emplace_back(run);
  run();
  for (std::thread& thread : running) thread.join();
  result.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  result.cpu_us = ProcessCpuMicros() - cpu_before;
  if (!failure.ok()) return failure;
  return result;
}

std::unique_ptr<Callers> MakeThreads(int count, MetadataLoad* load, Stopped stopped,
                                     std::atomic<uint64_t>* done) {
  return std::make_unique<Threads>(count, load, std::move(stopped), done);
}

}  // namespace cairn::bench
