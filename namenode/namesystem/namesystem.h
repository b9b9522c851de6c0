// The door: the only place where the NameNode's state is read and changed.
//
// Why: every promise about metadata is kept here and nowhere else. Commit plans under the lock,
// journals the edit, applies it, and releases the answer once all that it observed is durable (P1,
// P2); retries are answered from the retry cache before a plan runs (P5); safe mode refuses here.
// Reads go the same way without an edit. Nobody waits in a thread: answers are released by the
// journal's progress, on a pool. A Session message passes as a whole (CommitBatch): many calls a
// lock hold, and one word when the answers that became durable together were released.
//
// Thread-safe. Called by the services, the monitors and the composition root. Locks: fs_mu_, then
// the journal's and the release queue's own (leaves). What an edit means for blocks is pushed to
// the block room as a message; fs_mu_ never waits for its mutex.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/mutex.h"
#include "common/thread_pool.h"
#include "namenode/namespace/apply.h"
#include "namenode/namespace/fs_state.h"
#include "namenode/namespace/plan.h"
#include "namenode/namesystem/door_call.h"
#include "namenode/namesystem/lease_clock.h"

namespace cairn {
class Clock;
class Counter;
class Gauge;
class Histogram;
class Metrics;
}  // namespace cairn

namespace cairn::namenode {

class BlockManager;
class Journal;

class Namesystem {
 public:
  using PlanFn = std::function<Planned(const FsState&)>;

  // Takes the state as the start left it. The journal must not have been started: this sets its
  // callback.
  Namesystem(std::unique_ptr<FsState> state, Journal* journal, BlockManager* blocks, Clock* clock,
             Metrics* metrics);
  ~Namesystem();
  Namesystem(const Namesystem&) = delete;
  Namesystem& operator=(const Namesystem&) = delete;

  // Plans, journals and applies, or reads under the shared lock. The call's outcome is released
  // once what it reveals is durable: at once when nothing needs to be waited for, else on a pool
  // thread.
  void Enter(std::unique_ptr<DoorCall> call) ABSL_LOCKS_EXCLUDED(fs_mu_);
  // The same for many calls, carried out in order, a hold of the lock for some of them at a time.
  // `released` runs after each group of outcomes that were released together.
  void CommitBatch(DoorBatch calls, const std::function<void()>& released)
      ABSL_LOCKS_EXCLUDED(fs_mu_);

  // One change, or one read, from its parts (see MakeChange, MakeQuery).
  template <typename Plan, typename Done>
  void Commit(Origin origin, const std::optional<RetryKey>& key, Plan plan, Done done)
      ABSL_LOCKS_EXCLUDED(fs_mu_) {
    Enter(MakeChange(origin, key, std::move(plan), std::move(done)));
  }
  template <typename T, typename Look, typename Done>
  void Read(Look look, Done done) ABSL_LOCKS_EXCLUDED(fs_mu_) {
    Enter(MakeQuery<T>(std::move(look), std::move(done)));
  }
  // For callers that may block: monitors, the start, tests.
  absl::StatusOr<Answer> CommitAndWait(Origin origin, const std::optional<RetryKey>& key,
                                       const PlanFn& plan) ABSL_LOCKS_EXCLUDED(fs_mu_);

  // Looks at the state for a decision of the NameNode's own; what it finds must not leave the
  // process unless durable.
  void Peek(absl::FunctionRef<void(const FsState&)> look) const ABSL_LOCKS_EXCLUDED(fs_mu_);

  // Journals the state's digest and closes the journal's segment; returns the last txid of it.
  // Blocks.
  absl::StatusOr<TxId> Roll() ABSL_LOCKS_EXCLUDED(fs_mu_);

  // Removes journal segments that only hold edits before `txid`, one above the oldest image that is
  // kept.
  absl::Status DropEditsBefore(TxId txid);

  void RenewLease(const ClientId& holder);
  // Whether `holder` was silent for longer than `limit_ms`; the NameNode itself never is.
  bool LeaseExpired(const ClientId& holder, int64_t limit_ms);
  // All leases of such holders. Those that are twice as old and hold nothing are forgotten.
  std::vector<Lease> ExpiredLeases(int64_t limit_ms) ABSL_LOCKS_EXCLUDED(fs_mu_);
  // Called (from any thread, no lock held) when a file may have come to be recovered, or may go on.
  void SetLeaseWaker(std::function<void()> wake) { wake_leases_ = std::move(wake); }
  void WakeLeases() const {
    if (wake_leases_) wake_leases_();
  }
  // Frees the next slices of deleted trees until none is left or `max_slices` are done. Blocks.
  absl::Status Reclaim(int max_slices) ABSL_LOCKS_EXCLUDED(fs_mu_);
  // Called (from any thread) whenever a deleted tree begins to wait.
  void SetReclaimWaker(std::function<void()> wake) { wake_reclaim_ = std::move(wake); }

  TxId Durable() const;
  // No more commits are taken; those under way are released. Call before the journal stops.
  void Stop() ABSL_LOCKS_EXCLUDED(fs_mu_);

 private:
  using Calls = absl::Span<const std::unique_ptr<DoorCall>>;
  // Outcomes of one lock hold that wait for the journal.
  struct Waiting {
    absl::InlinedVector<std::unique_ptr<DoorCall>, 1> calls;
    std::function<void()> released;  // may be empty
  };

  // Carries out the first calls, as many as one hold of the lock may take; returns how many.
  size_t HoldOnce(Calls calls) ABSL_LOCKS_EXCLUDED(fs_mu_);
  size_t LookAll(Calls calls) ABSL_SHARED_LOCKS_REQUIRED(fs_mu_);
  size_t DecideAll(Calls calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_mu_);
  // True when the call's time is over: it was refused.
  static bool Expired(DoorCall& call, int64_t now_us);
  void Decide(DoorChange& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_mu_);
  // Journals and applies; returns the edit's txid.
  TxId Carry(const EditRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_mu_);
  void PushEffects(TxId txid, const Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_mu_);

  // Releases what is durable of the calls of one hold, and keeps the others until they are.
  void ReleaseOrKeep(absl::Span<std::unique_ptr<DoorCall>> calls,
                     const std::function<void()>& released) ABSL_LOCKS_EXCLUDED(release_mu_);
  // False when `observed` became durable meanwhile.
  bool KeepUntil(TxId observed, Waiting& waiting) ABSL_LOCKS_EXCLUDED(release_mu_);
  static void Release(const std::vector<Waiting>& ready);
  void OnDurable(TxId durable) ABSL_LOCKS_EXCLUDED(release_mu_);

  Journal* const journal_;
  BlockManager* const blocks_;
  Clock* const clock_;
  Counter* const edits_;
  Counter* const retry_hits_;
  Histogram* const lock_held_;
  Gauge* const waiting_;
  std::function<void()> wake_reclaim_;
  std::function<void()> wake_leases_;
  LeaseClock leases_;

  mutable SharedMutex fs_mu_;
  const std::unique_ptr<FsState> state_ ABSL_PT_GUARDED_BY(fs_mu_);
  bool stopped_ ABSL_GUARDED_BY(fs_mu_) = false;

  // Answers that wait for the journal, by what they observed.
  Mutex release_mu_;
  CondVar all_released_;
  TxId released_ ABSL_GUARDED_BY(release_mu_) = 0;
  absl::btree_multimap<TxId, Waiting> release_ ABSL_GUARDED_BY(release_mu_);

  ThreadPool pool_;  // last: its tasks use the members above
};

}  // namespace cairn::namenode
