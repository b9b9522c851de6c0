// One Session stream, shared by the calls under way on it. See namenode_session.h, its only user.
//
// A call is a PendingCall, whose answer is delivered to it. Some have a thread that waits
// (BlockingCall), others none: then what to do next happens within the delivery, on gRPC's thread.
// A stream is for one kind. With threads, what queues up waits while two messages have no answer
// yet, for threads wake up and call again one by one. Without, calls made while the answers of a
// message are delivered leave as one message after them.
//
// Thread-safe: callers and gRPC's threads meet in mu_. Start... functions are called without the
// lock; whoever sets writing_ starts the write. It must outlive gRPC's use of it (ended()), and may
// not be destroyed by a thread of gRPC's: with the last reference to a channel such a thread would
// wait for itself.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"
#include "proto/namenode.grpc.pb.h"
#include "proto/namenode.pb.h"

namespace cairn {

// A call until its answer.
class PendingCall {
 public:
  virtual ~PendingCall() = default;
  // The outcome, without a lock: gRPC's status, and with OK an answer that may be swapped out. Once
  // for each Begin that returned true and was not given up.
  virtual void Deliver(const grpc::Status& status, v1::SessionAnswer* answer) = 0;

  v1::SessionCall& call() { return call_; }  // not while a stream has it

 private:
  friend class SessionCaller;
  v1::SessionCall call_;
  std::chrono::steady_clock::time_point deadline_;  // of this try
  std::atomic<uint64_t> number_{0};                 // on the stream that has it
};

// One whose thread waits.
class BlockingCall final : public PendingCall {
 public:
  // True when the outcome came in time.
  bool WaitFor(std::chrono::nanoseconds timeout) ABSL_LOCKS_EXCLUDED(mu_);
  void Wait() ABSL_LOCKS_EXCLUDED(mu_);
  void Deliver(const grpc::Status& status, v1::SessionAnswer* answer) override
      ABSL_LOCKS_EXCLUDED(mu_);
  // After either wait.
  grpc::Status Take(v1::SessionAnswer* answer) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;
  CondVar cv_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mu_);
  v1::SessionAnswer answer_ ABSL_GUARDED_BY(mu_);
};

enum class CallKind { kBlocking, kAsync };

class SessionCaller final : public grpc::ClientBidiReactor<v1::SessionRequest, v1::SessionReply> {
 public:
  explicit SessionCaller(CallKind kind) : kind_(kind) {}

  CallKind kind() const { return kind_; }
  void Start(v1::NameNode::Stub& stub, const v1::Caller& caller) ABSL_LOCKS_EXCLUDED(mu_);

  // See NameNodeSessions::Call.
  grpc::Status Call(const std::shared_ptr<BlockingCall>& call, int64_t timeout_ms,
                    v1::SessionAnswer* answer) ABSL_LOCKS_EXCLUDED(mu_);

  // Sends a call; nothing is delivered from within. Not OK: the stream has ended, and the call was
  // not taken. `queued_first`: it has to wait, and no other waited before it.
  grpc::Status Begin(std::shared_ptr<PendingCall> call, int64_t timeout_ms,
                     bool* queued_first = nullptr) ABSL_LOCKS_EXCLUDED(mu_);
  // Its time is over: true when nothing is delivered to it any more. The stream is spent.
  bool GiveUp(const PendingCall& call) ABSL_LOCKS_EXCLUDED(mu_);

  // It should get no more callers.
  bool spent() const { return spent_.load(std::memory_order_relaxed); }
  void Cancel() { context_.TryCancel(); }
  // gRPC is done with it.
  bool ended() const ABSL_LOCKS_EXCLUDED(mu_);
  void AwaitEnd() ABSL_LOCKS_EXCLUDED(mu_);

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Queued {
    uint64_t number = 0;
    size_t bytes = 0;
  };

  // Puts the next message together in out_; true: start the write.
  bool TakeMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What is queued leaves, however many messages are under way.
  void Push() ABSL_LOCKS_EXCLUDED(mu_);
  // The first answer to a message is here.
  void Answered(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Delivers the answers of a message.
  void Dispatch(v1::SessionReply* reply) ABSL_LOCKS_EXCLUDED(mu_);

  const CallKind kind_;
  grpc::ClientContext context_;
  v1::SessionReply in_;     // of the read under way
  v1::SessionRequest out_;  // of the write under way
  std::atomic<bool> spent_{false};

  mutable Mutex mu_;
  CondVar ended_cv_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool reads_ended_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mu_);
  uint64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t pushed_ ABSL_GUARDED_BY(mu_) = 0;  // calls up to this one leave at once
  std::deque<Queued> queue_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<uint64_t, std::shared_ptr<PendingCall>> waiters_ ABSL_GUARDED_BY(mu_);
  int dispatching_ ABSL_GUARDED_BY(mu_) = 0;  // what is called meanwhile leaves afterwards
  // Messages that wait for their first answer: the numbers of their first and last calls.
  std::vector<std::pair<uint64_t, uint64_t>> unanswered_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
