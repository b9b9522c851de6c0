// How long a reader waits for DataNodes that the NameNode does not see.
//
// Why: after a NameNode's start, or when the way to it was cut, DataNodes report one by one, and a
// block whose nodes are still away is not lost. While too little was reported since the start, the
// NameNode itself waits, and so does the reader for its whole time limit; later for
// `TransferOptions::missing_ms`. Not thread-safe: of one reader.
#pragma once

#include <string>

#include "client/busy_wait.h"
#include "client/client_core.h"

namespace cairn {

class MissingWait {
 public:
  explicit MissingWait(ClientCore* core) : core_(core), wait_(&core->clock()) {}

  // True after a pause: ask the NameNode again. False when that has been done for long enough; the
  // next call begins anew.
  bool Again();
  // Somebody was there.
  void End() { wait_.End(); }
  // What the NameNode waits for since its start, as of the last Again(); empty when for nothing.
  const std::string& starting() const { return starting_; }

 private:
  ClientCore* const core_;
  BusyWait wait_;
  std::string starting_;
};

}  // namespace cairn
