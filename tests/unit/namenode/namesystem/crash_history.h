// A NameNode's state through many lives, each of which the loss of power may end anywhere.
//
// Every life starts from what the disks kept, and is checked before it goes on: nothing that was
// answered may be gone, nothing may be there that was never planned, and every retry gets the
// answer that the call had. What "is there" means is told by a second state, which applies the
// records that were handed to the journal, one after the other, and never sees the disks.
// One thread drives it. For tests of the namesystem.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/metrics.h"
#include "common/mutex.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/journal/file_journal.h"
#include "namenode/namesystem/namesystem.h"
#include "namenode/namesystem/state_store.h"
#include "tests/support/fault_env.h"
#include "tests/unit/namenode/namesystem/random_plans.h"

namespace cairn::namenode {

class CrashHistory {
 public:
  CrashHistory(std::vector<std::string> dirs, uint32_t seed);

  // A life of `calls` calls and what the NameNode does between them. It ends early when the power
  // goes; else it stops as SIGTERM stops it (`graceful`), or the power goes with the last call.
  // Returns whether the power lasted.
  bool Live(int calls, bool graceful);
  // The power is lost, and comes back: see FaultEnv::Crash.
  void Crash(std::optional<uint32_t> keep_some_by_seed);
  // A life that only checks. Must come after a Crash.
  void Check();
  // The journal is rolled now and then, but no further images are made.
  void WithoutCheckpoints() { checkpoints_ = false; }

  FaultEnv& env() { return *env_; }
  TxId answered() const ABSL_LOCKS_EXCLUDED(mu_);   // the highest that an answer told of
  uint64_t hits() const { return hits_; }           // calls that were repeated and were there
  uint64_t lost() const { return lost_; }           // calls without an answer that were not
  uint64_t kinds() const { return kinds_.size(); }  // of edits that were planned
  StateStore Store() { return StateStore(env_.get(), dirs_, kCluster); }

 private:
  static constexpr char kCluster[] = "11111111-2222-3333-4444-555555555555";

  // A call as its client sees it. Under mu_ while its answer is awaited.
  struct Call {
    RetryKey key;
    TxId txid = 0;      // of its edit; 0: it changed nothing
    TxId observed = 0;  // the highest that its outcome reveals
    int64_t time_ms = 0;
    Answer answer;          // as planned
    bool answered = false;  // or known to be done
  };
  struct Told {  // the highest ids that anybody heard of
    uint64_t epoch = 0;
    INodeId inode = 0;
    BlockId block = 0;
    GenerationStamp generation = 0;
  };
  struct ClientState {
    uint64_t next_call = 1;
    uint64_t done_below = 1;
    std::map<uint64_t, std::shared_ptr<Call>> calls;  // that may be asked for again
  };
  class RecordingJournal;
  class Life;

  // Loads what the disks hold, checks it, and starts to serve; null when the power went.
  std::unique_ptr<Life> Start();
  void CheckLoaded(const LoadedState& loaded);
  void CheckCounters(const FsState& state);
  void ForgetLost(ClientState& client, TxId last);
  void CheckRetries(Life& life);
  void CheckRetry(Life& life, const std::shared_ptr<Call>& call);
  void Forget(ClientState& client);
  // A new call of a random client.
  void RandomCall(Life& life);
  void Issue(Life& life, const std::shared_ptr<Call>& call, const ClientId& client);
  void Housekeeping(Life& life);
  void Checkpoint(Life& life);
  Facts FactsNow();
  void Saw(const Answer& answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::vector<std::string> dirs_;
  const std::unique_ptr<FaultEnv> env_ = std::make_unique<FaultEnv>();
  ManualClock clock_;
  RandomPlans plans_;
  bool formatted_ = false;
  bool checkpoints_ = true;

  std::vector<std::string> records_;  // by txid from 1, as the journal got them
  FsState shadow_;                    // those up to where the last life began
  std::map<size_t, int> kinds_;
  uint64_t hits_ = 0;
  uint64_t lost_ = 0;
  std::vector<ClientState> clients_{4};

  mutable Mutex mu_;
  CondVar answered_cv_;
  bool dead_ ABSL_GUARDED_BY(mu_) = false;  // the power is gone: answers reach nobody
  int awaited_ ABSL_GUARDED_BY(mu_) = 0;
  TxId answered_ ABSL_GUARDED_BY(mu_) = 0;
  Told told_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::namenode
