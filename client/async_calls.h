// Calls to the NameNode that no thread waits for.
//
// Why: to put a thread to sleep and to wake it up costs several times what an operation does. Here
// the answer is handed to a callback on the thread of gRPC's that read it, and what callbacks call
// in turn travels as one message (session_caller.h). What rarely happens, connecting, pauses before
// another try and deadlines, is done by one thread for all calls, which else sleeps.
//
// Rules: those of NameNodeClient, with its call ids. A call keeps its id through all its tries, and
// is tried until its time is over. Calls are begun in the order in which they were made; at most
// kMaxUnderWay are under way, and mutations only as far ahead of the oldest one as the NameNode
// keeps answers for retries. The others are held back, within their time.
//
// Every callback is called exactly once, without a lock, never from within the call that it belongs
// to. It may make further calls; it must not wait for one, nor destroy this. Thread-safe. Used by
// AsyncNamespace alone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "client/namenode_endpoints.h"
#include "common/mutex.h"
#include "proto/namenode.pb.h"

namespace cairn {

class Clock;
class SessionCaller;

class AsyncCalls {
 public:
  // With OK an answer without a code, which may be swapped out.
  using Done = absl::AnyInvocable<void(absl::Status, v1::SessionAnswer*)>;
  enum class Type { kRead, kMutation };

  static constexpr size_t kMaxUnderWay = 1024;  // what the NameNode takes of a stream
  static constexpr uint64_t kMaxAhead = 2048;   // half of the answers that it keeps for a client

  // Both must outlive it.
  AsyncCalls(NameNodeEndpoints* endpoints, Clock* clock);
  // Calls that have not ended end with CANCELLED: whether they were carried out is unknown. So do
  // those that their callbacks make. Returns when the last callback has.
  ~AsyncCalls();
  AsyncCalls(const AsyncCalls&) = delete;
  AsyncCalls& operator=(const AsyncCalls&) = delete;

  // `request`: its oneof alone.
  void Start(v1::SessionCall request, Type type, Done done) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  class Op;
  enum class State {
    kHeld,        // in held_; else in under_way_
    kStarting,    // in the hands of a thread
    kOnStream,    // until it is delivered or given up
    kConnecting,  // waits for a connection
    kFailed,      // a try failed, and what to do is to be judged
    kPaused,      // until the next try
  };
  struct Due {
    std::shared_ptr<Op> op;
    State state;
  };

  // --- A call's way
  // True: it is under way, and must be tried.
  bool Admit(const std::shared_ptr<Op>& op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Try(const std::shared_ptr<Op>& op) ABSL_LOCKS_EXCLUDED(mu_);
  void BeginOn(const std::shared_ptr<Op>& op, const std::shared_ptr<SessionCaller>& stream)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Delivered(Op* op, const grpc::Status& status, v1::SessionAnswer* answer)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Park(Op* op, Outcome outcome) ABSL_LOCKS_EXCLUDED(mu_);
  // Calls back; afterwards `op` may be gone.
  void Finish(Op* op, absl::Status status, v1::SessionAnswer* answer) ABSL_LOCKS_EXCLUDED(mu_);
  void StartHeld() ABSL_LOCKS_EXCLUDED(mu_);

  // --- The thread
  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits for something to do; false when it is time to end.
  bool AwaitDue(std::vector<Due>* due) ABSL_LOCKS_EXCLUDED(mu_);
  void CollectDue(int64_t now_ms, std::vector<Due>* due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeBy(int64_t at_ms) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Act(const Due& due, bool* waited) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits a moment for the connection, but only once for all: then `waited` is set.
  void Connect(const std::shared_ptr<Op>& op, bool* waited) ABSL_LOCKS_EXCLUDED(mu_);
  bool LacksSessions(size_t index) const { return endpoints_->at(index).sessions->unsupported(); }
  // Another try later, or the end.
  void Judge(Op* op, const Outcome& outcome) ABSL_LOCKS_EXCLUDED(mu_);
  bool GiveUp(Op* op, const std::shared_ptr<SessionCaller>& stream) ABSL_LOCKS_EXCLUDED(mu_);

  // --- The end
  void CancelAll() ABSL_LOCKS_EXCLUDED(mu_);
  bool Claim(Op* op) ABSL_LOCKS_EXCLUDED(mu_);

  NameNodeEndpoints* const endpoints_;
  Clock* const clock_;

  Mutex mu_;
  CondVar wake_;
  CondVar ended_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t wake_at_ms_ ABSL_GUARDED_BY(mu_) = INT64_MAX;  // steady time; when the thread looks
  int running_ ABSL_GUARDED_BY(mu_) = 0;                 // callbacks
  std::deque<std::shared_ptr<Op>> held_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Op*, std::shared_ptr<Op>> under_way_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace cairn
