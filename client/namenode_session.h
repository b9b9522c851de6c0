// The client's end of Sessions with one NameNode: many calls under way, few streams.
//
// Why: a unary RPC costs several times what its operation does. Callers of one stream share its
// messages: what queues up while two messages wait for their first answers travels as the next
// one, and what queued for 1 ms travels anyway, so that a slow answer delays nobody else. A lone
// caller's calls leave at once. There is a stream for each 64 callers that wait in a thread. Calls
// that wait in none (AsyncCalls) have a stream of their own, whatever their number; what is called
// while answers are delivered travels together (session_caller.h).
//
// A stream that breaks fails its calls, with gRPC's status; the caller makes them again on another
// one. A stream on which a call ran out of time takes no new calls. Thread-safe. Used by
// NameNodeClient and AsyncCalls alone.
#pragma once

#include <grpcpp/support/status.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/mutex.h"
#include "proto/namenode.grpc.pb.h"
#include "proto/namenode.pb.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace cairn {

class BlockingCall;
class SessionCaller;
enum class CallKind;

class NameNodeSessions {
 public:
  // `caller`: who calls, without call_id and done_below.
  NameNodeSessions(const std::shared_ptr<grpc::Channel>& channel, v1::Caller caller);
  ~NameNodeSessions();  // no caller may be inside
  NameNodeSessions(const NameNodeSessions&) = delete;
  NameNodeSessions& operator=(const NameNodeSessions&) = delete;

  // Makes a call (its request, call_id and done_below are filled in) and waits for its answer for
  // at most `timeout_ms`. `connect` waits for the channel when a stream must be opened; UNAVAILABLE
  // when it gives up. Not OK when no answer came: as a unary call would have failed on the way, or
  // as the NameNode ended the stream.
  grpc::Status Call(const std::shared_ptr<BlockingCall>& call, int64_t timeout_ms,
                    absl::FunctionRef<bool()> connect, v1::SessionAnswer* answer)
      ABSL_LOCKS_EXCLUDED(mu_);

  // A stream for one call of the kind, until Leave. nullptr: none has room, and `may_open` is not
  // set; connect first.
  std::shared_ptr<SessionCaller> Enter(CallKind kind, bool may_open) ABSL_LOCKS_EXCLUDED(mu_);
  // The call has ended. A stream's own status, where it ended without an answer, tells whether the
  // NameNode has Sessions.
  void Leave(const std::shared_ptr<SessionCaller>& stream, const grpc::Status& status)
      ABSL_LOCKS_EXCLUDED(mu_);

  // The NameNode is an older one and has no Sessions.
  bool unsupported() const { return unsupported_.load(std::memory_order_relaxed); }

 private:
  struct Slot {
    std::shared_ptr<SessionCaller> stream;
    int calls = 0;  // under way
  };

  // Takes streams that are spent and unused out, and forgets those that gRPC is done with.
  void Retire() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::unique_ptr<v1::NameNode::Stub> stub_;
  const v1::Caller caller_;
  std::atomic<bool> unsupported_{false};
  mutable Mutex mu_;
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<SessionCaller>> ending_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
