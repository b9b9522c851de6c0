// Keeps open pipelines alive while their writers are busy elsewhere.
//
// Why: a DataNode gives up a writer that says nothing for a minute, and a user may well think for
// an hour between two lines of a log. One thread a client pokes all pipelines; it starts with the
// first one and sleeps while there is none. Thread-safe. Owned by ClientCore, used by WriteStream.
#pragma once

#include <cstdint>
#include <set>
#include <thread>

#include "common/mutex.h"

namespace cairn {

class PipelineKeeper {
 public:
  class Pipeline {
   public:
    // Does what is due. Quick; called by the keeper's thread.
    virtual void Poke() = 0;

   protected:
    ~Pipeline() = default;
  };

  PipelineKeeper() = default;
  ~PipelineKeeper();
  PipelineKeeper(const PipelineKeeper&) = delete;
  PipelineKeeper& operator=(const PipelineKeeper&) = delete;

  void Add(Pipeline* pipeline) ABSL_LOCKS_EXCLUDED(mu_);
  // It is not poked any more, nor being poked, when this returns. Harmless for a stranger.
  void Remove(Pipeline* pipeline) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);

  Mutex mu_;  // held during pokes
  CondVar wake_;
  std::set<Pipeline*> pipelines_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
