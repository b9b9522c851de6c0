// How long a reader waits for DataNodes that the NameNode does not see.
//
// Why: after a NameNode's start, or when the way to it was cut, DataNodes report one by one, and a
// block whose nodes are still away is not lost. While too little was reported since the start, the
// NameNode itself waits, and so does the reader for its whole time limit; later for
// `TransferOptions::missing_ms`, but not soon after a reader of this client did so in vain: there
// may be thousands of such blocks. Not thread-safe: of one reader.
#pragma once

#include <cstdint>
#include <string>

#include "client/busy_wait.h"

namespace cairn {

class ClientCore;

class MissingWait {
 public:
  explicit MissingWait(ClientCore* core);

  // True after a pause: ask the NameNode again. False when that has been done for long enough; the
  // next call begins anew. `corrupt`: bad replicas are known, and better ones are
  // waited for at a NameNode's start alone.
  bool Again(bool corrupt);
  // Somebody was there.
  void End();
  // What the NameNode waits for since its start, as far as was asked; empty when for nothing.
  const std::string& starting() const { return starting_; }

 private:
  void Ask();
  int64_t LimitMs(bool corrupt) const;

  ClientCore* const core_;
  BusyWait wait_;
  bool waits_ = false;
  int64_t ask_ms_ = 0;  // steady time of the next question
  std::string starting_;
};

}  // namespace cairn
