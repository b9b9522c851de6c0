// Empties the trash of all users, as the emptier of HDFS's TrashPolicyDefault.
//
// Why here: what users remove waits in /user/NAME/.Trash (common/trash_names.h) until somebody
// deletes it, and clients come and go. At every multiple of `every_ms` (of wall time) a round
// deletes the checkpoints that are older than `keep_ms`, then renames each user's Current to the
// round's time. All of it goes through the door as ordinary plans of a superuser.
//
// A round makes one checkpoint a user at most: its name is the same however often a step is tried
// again. A NameNode that starts waits for the next round; what a round left undone waits for the
// next one, too, so that a restart can only keep things longer. Not thread-safe: run by one
// background task, every second; a run is bounded, and goes on where the last one ended.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn {
class Clock;
class Counter;
class Metrics;
}  // namespace cairn

namespace cairn::namenode {

struct TrashOptions {
  int64_t keep_ms = 0;   // above 0
  int64_t every_ms = 0;  // 0: keep_ms
  int users_a_run = 100;
};

class TrashMonitor {
 public:
  TrashMonitor(Clock* clock, Namesystem* namesystem, BlockManager* blocks, TrashOptions options,
               Metrics* metrics);

  absl::Status RunOnce();

 private:
  struct Trash {
    std::string root;  // /user/NAME/.Trash
    bool has_current = false;
    std::vector<std::string> old;          // checkpoints that are to go
    bool has_checkpoint_of_round = false;  // there is one of this name already
  };
  // The homes of the next users, in order of their names; empty at the end.
  std::vector<std::string> NextUsers() const;
  Trash Look(const std::string& user) const;
  absl::Status Empty(const Trash& trash);
  absl::Status Commit(const Namesystem::PlanFn& plan);
  Facts FactsNow() const;

  Clock* const clock_;
  Namesystem* const namesystem_;
  BlockManager* const blocks_;
  const TrashOptions options_;
  const int64_t every_ms_;
  Counter* const checkpoints_;
  Counter* const deleted_;
  Counter* const failures_;

  int64_t next_round_ms_;  // wall time
  int64_t round_ms_ = 0;   // when the round that is under way began; 0: none
  std::string last_user_;  // done in this round
};

}  // namespace cairn::namenode
