// The short names that the NameNode gave to this node and its storages.
//
// Why: acks name them, and they are known only after registration. Thread-safe. Set by the control
// session, read by the pipeline.
#pragma once

#include <cstddef>
#include <vector>

#include "common/ids.h"
#include "common/mutex.h"

namespace cairn::datanode {

class NodeNumbers {
 public:
  void Set(NodeNumber node, std::vector<StorageNumber> by_volume) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    node_ = node;
    by_volume_ = std::move(by_volume);
  }
  NodeNumber node() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    return node_;
  }
  // 0 before registration. `volume` is VolumeInfo::index.
  StorageNumber storage(size_t volume) const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    return volume < by_volume_.size() ? by_volume_[volume] : 0;
  }

 private:
  mutable Mutex mu_;
  NodeNumber node_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<StorageNumber> by_volume_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
