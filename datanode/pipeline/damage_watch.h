// Which nodes got bytes from this one that failed their checksum.
//
// Why: bytes that arrive damaged were damaged by the sender, the link, or the receiver, and neither
// end can tell which (the sender checked them before). The receiver is believed to be the culprit
// first: its writer leaves it out and goes on. When a second node says the same of this one, then
// this one (or its link) is what the two have in common, and it takes the blame. So of any two
// nodes one is left out at once, healthy receivers are not used up one by one behind a sender that
// damages what it sends, and no pair is tried for ever. HDFS has the sender end itself at once,
// which leaves a receiver with bad memory in the pipeline. Thread-safe. One a node; used by the
// receivers.
#pragma once

#include <cstdint>
#include <map>

#include "common/ids.h"
#include "common/mutex.h"

namespace cairn::datanode {

class DamageWatch {
 public:
  // What was told longer ago counts no more: memory and cables get replaced.
  static constexpr int64_t kMemoryMs = 10 * 60 * 1000;

  // `receiver` got damaged bytes from here. True when another one did, too: this node is at fault.
  bool Note(NodeNumber receiver, int64_t steady_ms) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    told_[receiver] = steady_ms;
    std::erase_if(told_, [&](const auto& item) { return steady_ms - item.second > kMemoryMs; });
    return told_.size() > 1;
  }

 private:
  Mutex mu_;
  std::map<NodeNumber, int64_t> told_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
