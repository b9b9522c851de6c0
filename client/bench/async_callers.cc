#include "client/bench/async_callers.h"

#include <chrono>
#include <string>
#include <utility>

#include "client/bench/process_cpu.h"

namespace cairn::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Done = AsyncNamespace::Done;

// A round of operations under way.
class Run {
 public:
  Run(uint64_t count, const Stopped& stopped, std::atomic<uint64_t>* done, const BeginFn& begin,
      RoundResult* result)
      : count_(count), stopped_(stopped), done_(done), begin_(begin), result_(result) {}

  absl::Status Do(int under_way) {
    {
      MutexLock lock(mu_);
      active_ = under_way;
    }
    for (int i = 0; i < under_way; ++i) Next();
    MutexLock lock(mu_);
    while (active_ > 0) ended_.Wait(mu_);
    return failure_;
  }

 private:
  void Next() {
    const uint64_t index = next_++;
    if (index < count_ && stopped_()) {
      Fail(absl::CancelledError("interrupted"));
    } else if (index < count_) {
      const Clock::time_point began = Clock::now();
      return begin_(index, [this, index, began](absl::Status status) {
        result_->latencies_us[index] =
            std::chrono::duration<float, std::micro>(Clock::now() - began).count();
        if (status.ok()) {
          done_->fetch_add(1, std::memory_order_relaxed);
        } else {
          Fail(status);
        }
        Next();
      });
    }
    MutexLock lock(mu_);
    if (--active_ == 0) ended_.SignalAll();
  }

  void Fail(const absl::Status& status) {
    next_.store(count_);
    MutexLock lock(mu_);
    if (failure_.ok()) failure_ = status;
  }

  const uint64_t count_;
  const Stopped& stopped_;
  std::atomic<uint64_t>* const done_;
  const BeginFn& begin_;
  RoundResult* const result_;
  std::atomic<uint64_t> next_{0};
  Mutex mu_;
  CondVar ended_;
  int active_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

class AsyncCallers final : public Callers {
 public:
  AsyncCallers(int count, AsyncNamespace* names, EchoClient* echo, Stopped stopped,
               std::atomic<uint64_t>* done)
      : count_(count), names_(names), echo_(echo), stopped_(std::move(stopped)), done_(done) {}

  int count() const override { return count_; }
  std::string variant() const override { return "callers=" + std::to_string(count_) + " async"; }
  absl::StatusOr<RoundResult> Run(const Job& job) override {
    return RunAsync(count_, job.count, stopped_, done_, [&](uint64_t index, Done done) {
      Begin(job, job.first + index, std::move(done));
    });
  }

 private:
  void Begin(const Job& job, uint64_t index, Done done) {
    const JobPaths paths = PathsOf(job, index);
    if (job.echo) {
      return job.operation == Operation::kList
                 ? echo_->BeginList(paths.path, std::move(done))
                 : echo_->BeginGetFileInfo(paths.path, std::move(done));
    }
    switch (job.operation) {
      case Operation::kMkdir:
        return names_->Mkdirs(paths.path, {}, std::move(done));
      case Operation::kCreate:
        return names_->CreateEmpty(paths.path, {}, std::move(done));
      case Operation::kCreateBlock:
        break;
      case Operation::kGetFileInfo:
        return names_->GetFileInfo(
            paths.path, [done = std::move(done)](absl::StatusOr<FileStatus> info) mutable {
              done(info.status());
            });
      case Operation::kList:
        return names_->List(paths.path, "", 0,
                            [done = std::move(done)](absl::StatusOr<ListPage> page) mutable {
                              done(page.status());
                            });
      case Operation::kRename:
        return names_->Rename(paths.path, paths.to, std::move(done));
      case Operation::kDelete:
        return names_->Delete(paths.path, false, std::move(done));
    }
  }

  const int count_;
  AsyncNamespace* const names_;
  EchoClient* const echo_;
  const Stopped stopped_;
  std::atomic<uint64_t>* const done_;
};

}  // namespace

absl::StatusOr<RoundResult> RunAsync(int under_way, uint64_t count, const Stopped& stopped,
                                     std::atomic<uint64_t>* done, const BeginFn& begin) {
  RoundResult result;
  result.latencies_us.resize(count);
  const double cpu_before = ProcessCpuMicros();
  const auto began = Clock::now();
  const absl::Status failure = Run(count, stopped, done, begin, &result).Do(under_way);
  result.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  result.cpu_us = ProcessCpuMicros() - cpu_before;
  if (!failure.ok()) return failure;
  return result;
}

std::unique_ptr<Callers> MakeAsync(int count, AsyncNamespace* names, EchoClient* echo,
                                   Stopped stopped, std::atomic<uint64_t>* done) {
  return std::make_unique<AsyncCallers>(count, names, echo, std::move(stopped), done);
}

AsyncCommit::~AsyncCommit() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wake_.SignalAll();
  }
  thread_.join();
}

void AsyncCommit::Commit(size_t bytes, Done done) {
  MutexLock lock(mu_);
  bytes_ += bytes;
  queue_.push_back(std::move(done));
  if (queue_.size() == 1) wake_.Signal();
}

void AsyncCommit::RunThread() {
  while (true) {
    std::vector<Done> batch;
    size_t bytes = 0;
    {
      MutexLock lock(mu_);
      while (queue_.empty() && !stopping_) wake_.Wait(mu_);
      if (queue_.empty()) return;
      batch.swap(queue_);
      bytes = std::exchange(bytes_, 0);
    }
    const absl::Status status = disk_->Commit(bytes);
    for (Done& done : batch) done(status);
  }
}

}  // namespace cairn::bench
