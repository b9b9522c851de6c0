// The NameNode's end of a Session: messages of calls in, messages of answers out.
//
// Why: a unary RPC costs several times what its operation does. Here the calls of a message go
// through the door together, and answers that became durable together leave together.
//
// Bounds: a stream is read on only while fewer than kMaxOpenCalls of its calls are without an
// answer that was written, and less than kMaxUnsentBytes of answers wait. Long calls (PaceOf) run
// on a pool, one at a time for a stream. A client that does not read stops its own stream, nothing
// else.
//
// Thread-safe: gRPC's threads, the door's and the pool meet in mu_. A stream lives until gRPC is
// done with it and its last call has ended.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"
#include "common/thread_pool.h"
#include "namenode/service/caller_resolver.h"
#include "namenode/service/client_calls.h"
#include "proto/namenode.pb.h"

namespace cairn::namenode {

class SessionStreams;

// What streams work with; all outlive them but for their last answers.
struct SessionContext {
  const ClientCalls* calls = nullptr;
  ClientOperations* operations = nullptr;
  CallerResolver* callers = nullptr;
  Clock* clock = nullptr;
};

class SessionStream final : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionReply>,
                            public std::enable_shared_from_this<SessionStream> {
 public:
  static constexpr int kMaxCallsPerMessage = 1024;
  static constexpr size_t kMaxOpenCalls = 1024;
  static constexpr size_t kMaxUnsentBytes = 1 << 20;
  static constexpr size_t kMaxMessageBytes = 256 << 10;  // of answers; one may be larger

  // `ip`: where the connection comes from.
  SessionStream(const SessionContext& context, SessionStreams* streams, std::string ip,
                std::shared_ptr<ThreadPool> long_call_pool);

  // Reads the first message. The stream must be held by a shared_ptr.
  void Begin() ABSL_LOCKS_EXCLUDED(mu_);
  // Reads no more, lets what was read end, then ends.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone() override;

 private:
  class Call;
  struct LongCall;
  struct Answer {
    std::unique_ptr<v1::SessionAnswer> message;
    size_t bytes = 0;
  };

  // --- The message that was read: by the one thread that OnReadDone runs on
  void TakeMessage() ABSL_LOCKS_EXCLUDED(mu_);
  // What is wrong with the message as a whole.
  absl::Status CheckMessage();
  absl::Status Identify(int64_t now_us);
  CallContext& ContextFor(size_t index, const v1::SessionCall& call, int64_t now_us);

  // --- Long calls
  void QueueLong(std::unique_ptr<LongCall> call) ABSL_LOCKS_EXCLUDED(mu_);
  // Begins the next one, if none runs and there is room for its answer.
  void StartLong() ABSL_LOCKS_EXCLUDED(mu_);

  // --- Answers
  void Add(std::unique_ptr<v1::SessionAnswer> answer, bool was_long) ABSL_LOCKS_EXCLUDED(mu_);
  // Begins to write what waits, unless a write is under way.
  void Flush() ABSL_LOCKS_EXCLUDED(mu_);
  bool TakePiece() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Does what has become possible: reads on, or ends the stream.
  void Proceed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const SessionContext context_;
  SessionStreams* const streams_;  // not touched after OnDone
  const std::string ip_;
  const std::shared_ptr<ThreadPool> long_call_pool_;

  // Of the reading thread.
  v1::SessionRequest in_;
  v1::Caller caller_;
  CallContext who_;                    // of caller_
  int64_t identified_until_us_ = 0;    // groups are asked for again then; 0: nobody yet
  std::vector<CallContext> contexts_;  // of a message's calls; kept, so that names are not copied
  uint64_t last_number_ = 0;

  v1::SessionReply out_;  // of the write under way

  Mutex mu_;
  std::shared_ptr<SessionStream> self_ ABSL_GUARDED_BY(mu_);  // until OnDone
  bool reading_ ABSL_GUARDED_BY(mu_) = false;   // a read is under way, or its message is taken
  bool writing_ ABSL_GUARDED_BY(mu_) = false;   // `out_` is in use
  bool read_all_ ABSL_GUARDED_BY(mu_) = false;  // no more messages are taken
  bool broken_ ABSL_GUARDED_BY(mu_) = false;    // nothing arrives at the client any more
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);       // how the stream ends
  size_t open_calls_ ABSL_GUARDED_BY(mu_) = 0;  // read, and their answers not written
  size_t unsent_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Answer> unsent_ ABSL_GUARDED_BY(mu_);
  std::deque<std::unique_ptr<LongCall>> long_calls_ ABSL_GUARDED_BY(mu_);
  bool long_runs_ ABSL_GUARDED_BY(mu_) = false;
};

// All Sessions of a service, and what they share. Thread-safe.
class SessionStreams {
 public:
  explicit SessionStreams(const SessionContext& context);
  ~SessionStreams();

  SessionStream* Open(std::string ip) ABSL_LOCKS_EXCLUDED(mu_);
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class SessionStream;
  void Remove(const SessionStream* stream) ABSL_LOCKS_EXCLUDED(mu_);

  const SessionContext context_;
  mutable Mutex mu_;
  CondVar all_gone_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<const SessionStream*, std::weak_ptr<SessionStream>> streams_
      ABSL_GUARDED_BY(mu_);
  const std::shared_ptr<ThreadPool> long_call_pool_;
};

}  // namespace cairn::namenode
