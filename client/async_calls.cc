#include "client/async_calls.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "client/connect.h"
#include "client/session_caller.h"
#include "common/clock.h"

namespace cairn {
namespace {

constexpr int64_t kConnectSliceMs = 50;  // between looks at other calls
constexpr int64_t kHeldLookMs = 20;      // a call of a thread may be what held ones wait for
constexpr std::chrono::milliseconds kClaimAgain(5);

absl::Status NoSessions() {
  return absl::UnimplementedError(
      "the NameNode is an older one and has no Sessions, which asynchronous calls need");
}

}  // namespace

// All but what PendingCall has is written with the owner's lock, by whoever the state says has it.
class AsyncCalls::Op final : public PendingCall {
 public:
  Op(AsyncCalls* owner, Type type, Done done, int64_t timeout_ms, int64_t now_ms)
      : type(type),
        timeout_ms(timeout_ms),
        deadline_ms(now_ms + timeout_ms),
        done(std::move(done)),
        owner_(owner) {}

  void Deliver(const grpc::Status& status, v1::SessionAnswer* answer) override {
    owner_->Delivered(this, status, answer);
  }

  const Type type;
  const int64_t timeout_ms;
  const int64_t deadline_ms;  // steady time
  Done done;
  std::optional<uint64_t> id;  // of a mutation under way
  State state = State::kHeld;
  std::shared_ptr<SessionCaller> stream;  // kOnStream
  int64_t due_ms = 0;  // kOnStream: its try ends; kPaused: the next one; kConnecting: no longer
  size_t index = 0;    // of the endpoint
  int failures = 0;    // in a row
  Outcome outcome;     // kFailed

 private:
  AsyncCalls* const owner_;
};

AsyncCalls::AsyncCalls(NameNodeEndpoints* endpoints, Clock* clock)
    : endpoints_(endpoints), clock_(clock), thread_([this] { RunThread(); }) {}

AsyncCalls::~AsyncCalls() {
  {
    MutexLock lock(mu_);
    closed_ = true;
    wake_.SignalAll();
  }
  thread_.join();
  CancelAll();
}

// --- A call's way ---------------------------------------------------------------------------

void AsyncCalls::Start(v1::SessionCall request, Type type, Done done) {
  auto op = std::make_shared<Op>(this, type, std::move(done), endpoints_->options().timeout_ms,
                                 clock_->SteadyMs());
  op->call().Swap(&request);
  {
    MutexLock lock(mu_);
    if (closed_ || !held_.empty() || !Admit(op)) {
      held_.push_back(std::move(op));
      WakeBy(clock_->SteadyMs() + kHeldLookMs);
      return;
    }
  }
  Try(op);
}

bool AsyncCalls::Admit(const std::shared_ptr<Op>& op) {
  if (under_way_.size() >= kMaxUnderWay) return false;
  if (op->type == Type::kMutation) {
    op->id = endpoints_->call_ids().TryBegin(kMaxAhead);
    if (!op->id.has_value()) return false;
  }
  op->state = State::kStarting;
  op->index = endpoints_->active();
  under_way_.emplace(op.get(), op);
  return true;
}

void AsyncCalls::StartHeld() {
  while (true) {
    std::shared_ptr<Op> op;
    {
      MutexLock lock(mu_);
      if (closed_ || held_.empty() || !Admit(held_.front())) return;
      op = std::move(held_.front());
      held_.pop_front();
    }
    Try(op);
  }
}

void AsyncCalls::Try(const std::shared_ptr<Op>& op) {
  const std::shared_ptr<SessionCaller> stream =
      endpoints_->at(op->index).sessions->Enter(CallKind::kAsync, /*may_open=*/false);
  if (stream != nullptr) return BeginOn(op, stream);
  MutexLock lock(mu_);
  op->state = State::kConnecting;
  op->due_ms = std::min(clock_->SteadyMs() + kNameNodeConnectMs, op->deadline_ms);
  WakeBy(0);
}

void AsyncCalls::BeginOn(const std::shared_ptr<Op>& op,
                         const std::shared_ptr<SessionCaller>& stream) {
  const int64_t now_ms = clock_->SteadyMs();
  const int64_t attempt_ms =
      NameNodeEndpoints::AttemptMs(std::max<int64_t>(op->deadline_ms - now_ms, 1));
  const size_t index = op->index;  // once begun, another thread may have it
  op->call().set_call_id(op->id.value_or(0));
  op->call().set_done_below(endpoints_->call_ids().DoneBelow());
  {
    MutexLock lock(mu_);
    op->stream = stream;
    op->state = State::kOnStream;
    op->due_ms = now_ms + attempt_ms;
    WakeBy(op->due_ms);
  }
  const grpc::Status ended = stream->Begin(op, attempt_ms);
  if (ended.ok()) return;
  endpoints_->at(index).sessions->Leave(stream, ended);
  Park(op.get(), endpoints_->OutcomeOf(ended, index));
}

// Nobody else has the call: what is read of it here was written before it was begun.
void AsyncCalls::Delivered(Op* op, const grpc::Status& status, v1::SessionAnswer* answer) {
  const size_t index = op->index;
  endpoints_->at(index).sessions->Leave(op->stream, status);
  const Outcome outcome = endpoints_->OutcomeOf(status.ok() ? StatusOf(*answer) : status, index);
  if (!outcome.WantsAnotherAddress()) endpoints_->SetActive(index);
  const bool judge = outcome.WorthRetrying() || (!status.ok() && LacksSessions(index));
  if (outcome.status.ok() || !judge) return Finish(op, outcome.status, answer);
  Park(op, outcome);
}

void AsyncCalls::Park(Op* op, Outcome outcome) {
  MutexLock lock(mu_);
  op->stream.reset();
  op->outcome = std::move(outcome);
  op->state = State::kFailed;
  WakeBy(0);
}

void AsyncCalls::Finish(Op* op, absl::Status status, v1::SessionAnswer* answer) {
  if (op->id.has_value()) endpoints_->call_ids().End(*op->id);
  bool more = false;
  Done done;
  {
    MutexLock lock(mu_);
    done = std::move(op->done);
    ++running_;
    more = !held_.empty();
    under_way_.erase(op);
  }
  done(std::move(status), answer);
  done = nullptr;  // with what it holds
  if (more) StartHeld();
  MutexLock lock(mu_);
  --running_;
  if (closed_) ended_.SignalAll();
}

// --- The thread -----------------------------------------------------------------------------

void AsyncCalls::RunThread() {
  std::vector<Due> due;
  while (AwaitDue(&due)) {
    bool waited = false;
    for (const Due& one : due) Act(one, &waited);
    due.clear();
    StartHeld();
  }
}

bool AsyncCalls::AwaitDue(std::vector<Due>* due) {
  MutexLock lock(mu_);
  while (!closed_) {
    const int64_t now_ms = clock_->SteadyMs();
    if (now_ms < wake_at_ms_) {
      if (wake_at_ms_ == INT64_MAX) {
        wake_.Wait(mu_);
      } else {
        wake_.WaitFor(mu_, std::chrono::milliseconds(wake_at_ms_ - now_ms));
      }
      continue;
    }
    wake_at_ms_ = INT64_MAX;
    CollectDue(now_ms, due);
    return true;
  }
  return false;
}

void AsyncCalls::CollectDue(int64_t now_ms, std::vector<Due>* due) {
  for (const auto& [raw, op] : under_way_) {
    switch (op->state) {
      case State::kConnecting:
      case State::kFailed:
        due->push_back({op, op->state});
        break;
      case State::kOnStream:
      case State::kPaused:
        if (op->due_ms <= now_ms) {
          due->push_back({op, op->state});
        } else {
          WakeBy(op->due_ms);
        }
        break;
      case State::kHeld:
      case State::kStarting:
        break;
    }
  }
  // All have the same time: the first one's is over first.
  while (!held_.empty() && held_.front()->deadline_ms <= now_ms) {
    due->push_back({held_.front(), State::kHeld});
    under_way_.emplace(held_.front().get(), held_.front());
    held_.pop_front();
  }
  if (!held_.empty()) WakeBy(now_ms + kHeldLookMs);
}

void AsyncCalls::WakeBy(int64_t at_ms) {
  if (at_ms >= wake_at_ms_) return;
  wake_at_ms_ = at_ms;
  wake_.Signal();
}

void AsyncCalls::Act(const Due& due, bool* waited) {
  Op* const op = due.op.get();
  switch (due.state) {
    case State::kConnecting:
      return Connect(due.op, waited);
    case State::kFailed:
      return Judge(op, op->outcome);
    case State::kPaused:
      return Try(due.op);
    case State::kOnStream: {
      std::shared_ptr<SessionCaller> stream;
      {
        MutexLock lock(mu_);
        if (op->state == State::kOnStream) stream = op->stream;
      }
      if (stream != nullptr && GiveUp(op, stream)) {
        const grpc::Status late(grpc::StatusCode::DEADLINE_EXCEEDED, "no answer in time");
        Judge(op, endpoints_->OutcomeOf(late, op->index));
      }
      return;
    }
    case State::kHeld:
      return Finish(
          op, endpoints_->GiveUp({.status = {}, .on_the_way = true}, op->index, op->timeout_ms),
          nullptr);
    case State::kStarting:
      return;
  }
}

void AsyncCalls::Connect(const std::shared_ptr<Op>& op, bool* waited) {
  const NameNodeEndpoint& endpoint = endpoints_->at(op->index);
  // With one address alone there is nothing better to do than to wait for it.
  const bool wait = endpoints_->size() == 1;
  if (!std::exchange(*waited, true)) {
    (void)WaitConnected(*endpoint.channel, kConnectSliceMs,
                        wait ? OnFailure::kKeepTrying : OnFailure::kGiveUp);
  }
  const grpc_connectivity_state state = endpoint.channel->GetState(/*try_to_connect=*/true);
  if (state == GRPC_CHANNEL_READY) {
    return BeginOn(op, endpoint.sessions->Enter(CallKind::kAsync, /*may_open=*/true));
  }
  const bool failed = !wait && state == GRPC_CHANNEL_TRANSIENT_FAILURE;
  if (failed || clock_->SteadyMs() >= op->due_ms) {
    return Judge(op.get(), endpoints_->NotConnected(op->index));
  }
  MutexLock lock(mu_);
  WakeBy(0);  // still kConnecting
}

void AsyncCalls::Judge(Op* op, const Outcome& outcome) {
  if (LacksSessions(op->index)) return Finish(op, NoSessions(), nullptr);
  if (!outcome.WorthRetrying()) return Finish(op, outcome.status, nullptr);
  const int64_t now_ms = clock_->SteadyMs();
  const int64_t pause_ms = NameNodeEndpoints::PauseMs(op->failures + 1);
  if (!NameNodeEndpoints::LeavesTime(op->deadline_ms - now_ms, pause_ms, op->timeout_ms)) {
    return Finish(op, endpoints_->GiveUp(outcome, op->index, op->timeout_ms), nullptr);
  }
  MutexLock lock(mu_);
  ++op->failures;
  if (outcome.WantsAnotherAddress()) op->index = endpoints_->After(op->index);
  op->stream.reset();
  op->state = State::kPaused;
  op->due_ms = now_ms + pause_ms;
  WakeBy(op->due_ms);
}

bool AsyncCalls::GiveUp(Op* op, const std::shared_ptr<SessionCaller>& stream) {
  if (!stream->GiveUp(*op)) return false;
  endpoints_->at(op->index).sessions->Leave(stream, grpc::Status::OK);
  return true;
}

// --- The end --------------------------------------------------------------------------------

void AsyncCalls::CancelAll() {
  while (true) {
    std::vector<std::shared_ptr<Op>> left;
    {
      MutexLock lock(mu_);
      for (std::shared_ptr<Op>& op : held_) {
        op->state = State::kFailed;
        under_way_.emplace(op.get(), op);
      }
      held_.clear();
      for (const auto& [raw, op] : under_way_) left.push_back(op);
      if (left.empty() && running_ == 0) return;
    }
    bool claimed = false;
    for (const std::shared_ptr<Op>& op : left) {
      if (!Claim(op.get())) continue;
      claimed = true;
      Finish(op.get(), absl::CancelledError("the client is closing"), nullptr);
    }
    // The others are just being begun, or delivered.
    MutexLock lock(mu_);
    if (!claimed && (running_ > 0 || !under_way_.empty())) ended_.WaitFor(mu_, kClaimAgain);
  }
}

bool AsyncCalls::Claim(Op* op) {
  std::shared_ptr<SessionCaller> stream;
  {
    MutexLock lock(mu_);
    if (!under_way_.contains(op) || op->state == State::kStarting) return false;
    if (op->state != State::kOnStream) return true;
    stream = op->stream;
  }
  return stream != nullptr && GiveUp(op, stream);
}

}  // namespace cairn
