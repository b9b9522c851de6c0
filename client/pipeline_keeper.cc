#include "client/pipeline_keeper.h"

#include <chrono>

namespace cairn {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(250);

}  // namespace

PipelineKeeper::~PipelineKeeper() {
  std::thread thread;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    thread = std::move(thread_);
    wake_.SignalAll();
  }
  if (thread.joinable()) thread.join();
}

void PipelineKeeper::Add(Pipeline* pipeline) {
  MutexLock lock(mu_);
  pipelines_.insert(pipeline);
  if (!thread_.joinable()) thread_ = std::thread([this] { RunThread(); });
  wake_.SignalAll();
}

void PipelineKeeper::Remove(Pipeline* pipeline) {
  MutexLock lock(mu_);
  pipelines_.erase(pipeline);
}

void PipelineKeeper::RunThread() {
  MutexLock lock(mu_);
  while (!stopping_) {
    if (pipelines_.empty()) {
      wake_.Wait(mu_);
      continue;
    }
    wake_.WaitFor(mu_, kInterval);
    for (Pipeline* pipeline : pipelines_) pipeline->Poke();
  }
}

}  // namespace cairn
