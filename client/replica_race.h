// Reads a range of a block from whichever of its replicas answers.
//
// One replica is read. When it fails, the next one is read from where it stopped. When it says
// nothing for longer than it usually does (hedging.h), at the start or in the middle, another one
// is asked for the rest as well, and so on; the first whose bytes pass their checksums is read on,
// the others are broken off. A replica that says nothing for `stall_ms` has failed. So every byte
// is handed out once, in order, and the caller waits here alone. Used by one thread at a time,
// which is the only one that waits; there is none for a replica.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/hedging.h"
#include "client/local_first_reader.h"
#include "client/wakeup.h"
#include "proto/types.pb.h"

namespace cairn {

class BlockLocations;
class ClientCore;

class ReplicaRace {
 public:
  struct Options {
    int64_t stall_ms = 0;
    size_t turn = 0;  // of BlockLocations::Candidates
  };

  // Bytes [offset, offset + length) of `block`. What the pointers show must outlive it.
  ReplicaRace(ClientCore* core, BlockLocations* locations, v1::LocatedBlock block, uint64_t offset,
              uint64_t length, const Options& options);
  ReplicaRace(const ReplicaRace&) = delete;
  ReplicaRace& operator=(const ReplicaRace&) = delete;

  // The next bytes, at least one and at most out.size(); never called beyond the range. An error,
  // the last replica's, when none is left that has not failed.
  absl::StatusOr<size_t> Read(std::span<char> out);
  // As BlockReader's, of the one that is read.
  bool Seek(uint64_t offset);

  // Reads on to `end`, an offset in the block, where that costs nothing: out of local files.
  bool Extend(uint64_t end);

  const v1::LocatedBlock& block() const { return block_; }
  uint64_t position() const { return position_; }  // in the block, of the next byte
  uint64_t bytes_left() const { return end_ - position_; }

 private:
  struct Runner {
    std::unique_ptr<LocalFirstReader> reader;
    int64_t waits_since_us = 0;
    Hedging::Wait wait = Hedging::Wait::kFirst;
    bool is_hedge = false;
  };

  // The best replica that has not failed and is not read.
  std::optional<v1::NodeAddress> Next() const;
  void Start(const v1::NodeAddress& node, bool is_hedge);
  // Looks at all runners; true when there is one that has bytes, which is then the only one.
  bool Settle();
  void BeginWait(int64_t now_us);
  void GiveUpStalled(int64_t now_us);
  void HedgeIfLate(int64_t now_us);
  void Win(size_t runner);
  void Failed(size_t runner, const absl::Status& status);
  // Until when there is nothing to do but to wait.
  int64_t NextStepUs() const;

  ClientCore* const core_;
  BlockLocations* const locations_;
  const v1::LocatedBlock block_;
  uint64_t position_;
  uint64_t end_;
  const Options options_;
  const std::shared_ptr<Wakeup> wakeup_ = std::make_shared<Wakeup>();
  std::vector<Runner> runners_;  // in the order of their starts; one, but while it is waited for
  bool waited_ = false;          // for the bytes that are read now
  int64_t hedge_at_us_ = 0;      // when patience ends
  absl::Status last_failure_;
  bool asked_again_ = false;  // a node that took us for idle, since the last byte
};

}  // namespace cairn
