#include "client/session_caller.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"

namespace cairn {
namespace {

constexpr size_t kMaxUnanswered = 2;            // messages
constexpr size_t kMaxMessageBytes = 256 << 10;  // one call may be larger
constexpr int kMaxCallsPerMessage = 1024;       // the NameNode takes no more
constexpr size_t kNumberBytes = 11;             // of a call, at most
constexpr std::chrono::milliseconds kPushAfter(1);

// As messages say it; 0 would mean for good.
uint32_t MillisLeft(std::chrono::nanoseconds left) {
  const int64_t left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<uint32_t>(std::clamp<int64_t>(left_ms, 1, UINT32_MAX));
}

}  // namespace

// --- Waiting --------------------------------------------------------------------------------

bool BlockingCall::WaitFor(std::chrono::nanoseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(mu_);
  while (!done_) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left.count() <= 0) return false;
    cv_.WaitFor(mu_, left);
  }
  return true;
}

void BlockingCall::Wait() {
  MutexLock lock(mu_);
  while (!done_) cv_.Wait(mu_);
}

void BlockingCall::Deliver(const grpc::Status& status, v1::SessionAnswer* answer) {
  {
    MutexLock lock(mu_);
    status_ = status;
    if (answer != nullptr) answer_.Swap(answer);
    done_ = true;
  }
  cv_.Signal();
}

grpc::Status BlockingCall::Take(v1::SessionAnswer* answer) {
  MutexLock lock(mu_);
  answer->Swap(&answer_);
  return status_;
}

// --- Calls ----------------------------------------------------------------------------------

void SessionCaller::Start(v1::NameNode::Stub& stub, const v1::Caller& caller) {
  // Fails at once where the connection is gone: callers connect before they open a stream, and make
  // their calls again. The calls have deadlines, the stream has none; keepalive ends it.
  context_.set_wait_for_ready(false);
  *out_.mutable_caller() = caller;
  stub.async()->Session(&context_, this);
  AddHold();  // writes start from outside of callbacks, until reads_ended_
  StartRead(&in_);
  StartCall();
}

grpc::Status SessionCaller::Call(const std::shared_ptr<BlockingCall>& call, int64_t timeout_ms,
                                 v1::SessionAnswer* answer) {
  const std::chrono::nanoseconds timeout = std::chrono::milliseconds(timeout_ms);
  bool queued_first = false;
  if (const grpc::Status ended = Begin(call, timeout_ms, &queued_first); !ended.ok()) return ended;
  // One caller sees to it that what queued up behind it does not wait for long.
  if (queued_first) {
    if (call->WaitFor(std::min<std::chrono::nanoseconds>(timeout, kPushAfter))) {
      return call->Take(answer);
    }
    Push();
  }
  if (call->WaitFor(timeout)) return call->Take(answer);
  if (GiveUp(*call)) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no answer in time");
  }
  call->Wait();  // the answer is just being delivered
  return call->Take(answer);
}

grpc::Status SessionCaller::Begin(std::shared_ptr<PendingCall> call, int64_t timeout_ms,
                                  bool* queued_first) {
  call->deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  Queued queued{0, call->call_.ByteSizeLong() + kNumberBytes};
  {
    MutexLock lock(mu_);
    if (end_.has_value()) return *end_;
    queued.number = ++last_number_;
    call->call_.set_number(queued.number);
    call->number_ = queued.number;
    waiters_.emplace(queued.number, std::move(call));
    const bool first = queue_.empty();
    queue_.push_back(queued);
    const bool write = dispatching_ == 0 && TakeMessage();
    if (queued_first != nullptr) *queued_first = first && !write;
    if (!write) return grpc::Status::OK;
  }
  StartWrite(&out_);
  return grpc::Status::OK;
}

bool SessionCaller::GiveUp(const PendingCall& call) {
  spent_ = true;  // whatever is wrong with it, the next try goes another way
  MutexLock lock(mu_);
  const auto it = waiters_.find(call.number_.load());
  if (it == waiters_.end() || it->second.get() != &call) return false;
  waiters_.erase(it);
  return true;
}

bool SessionCaller::TakeMessage() {
  if (writing_ || reads_ended_ || queue_.empty()) return false;
  const size_t max_unanswered = kind_ == CallKind::kBlocking ? kMaxUnanswered : SIZE_MAX;
  const auto now = std::chrono::steady_clock::now();
  out_.clear_calls();
  size_t bytes = 0;
  uint64_t first = 0;
  uint64_t last = 0;
  while (!queue_.empty() && out_.calls_size() < kMaxCallsPerMessage) {
    const Queued next = queue_.front();
    if (first == 0 && next.number > pushed_ && unanswered_.size() >= max_unanswered) break;
    // Else its caller gave up.
    if (const auto it = waiters_.find(next.number); it != waiters_.end()) {
      if (first != 0 && bytes + next.bytes > kMaxMessageBytes) break;
      bytes += next.bytes;
      if (first == 0) first = next.number;
      last = next.number;
      v1::SessionCall& call = *out_.add_calls();
      call = it->second->call_;  // a copy: it may have to be made again
      call.set_deadline_ms(MillisLeft(it->second->deadline_ - now));
    }
    queue_.pop_front();
  }
  if (first == 0) return false;
  if (!queue_.empty()) pushed_ = queue_.back().number;  // too much for one message
  if (kind_ == CallKind::kBlocking) unanswered_.emplace_back(first, last);
  writing_ = true;
  return true;
}

void SessionCaller::Push() {
  {
    MutexLock lock(mu_);
    pushed_ = last_number_;
    if (!TakeMessage()) return;
  }
  StartWrite(&out_);
}

void SessionCaller::Answered(uint64_t number) {
  const auto message =
      std::find_if(unanswered_.begin(), unanswered_.end(), [number](const auto& numbers) {
        return numbers.first <= number && number <= numbers.second;
      });
  if (message != unanswered_.end()) unanswered_.erase(message);
}

// --- gRPC's side ----------------------------------------------------------------------------

void SessionCaller::OnReadDone(bool ok) {
  if (!ok) {
    spent_ = true;
    bool writing = false;
    {
      MutexLock lock(mu_);
      reads_ended_ = true;  // no write starts any more
      writing = writing_;
    }
    if (!writing) RemoveHold();  // else OnWriteDone does it
    return;
  }
  v1::SessionReply reply;
  {
    MutexLock lock(mu_);
    reply.Swap(&in_);
  }
  StartRead(&in_);
  Dispatch(&reply);
}

void SessionCaller::Dispatch(v1::SessionReply* reply) {
  absl::InlinedVector<std::pair<std::shared_ptr<PendingCall>, v1::SessionAnswer*>, 64> found;
  bool write = false;
  {
    MutexLock lock(mu_);
    for (v1::SessionAnswer& answer : *reply->mutable_answers()) {
      Answered(answer.number());
      const auto it = waiters_.find(answer.number());
      if (it == waiters_.end()) continue;  // its caller gave up
      found.emplace_back(std::move(it->second), &answer);
      waiters_.erase(it);
    }
    if (kind_ == CallKind::kAsync) {
      ++dispatching_;
    } else {
      write = TakeMessage();
    }
  }
  if (write) StartWrite(&out_);
  for (const auto& [call, answer] : found) call->Deliver(grpc::Status::OK, answer);
  if (kind_ == CallKind::kBlocking) return;
  {
    MutexLock lock(mu_);
    write = --dispatching_ == 0 && TakeMessage();
  }
  if (write) StartWrite(&out_);
}

void SessionCaller::OnWriteDone(bool) {
  bool write = false;
  bool ended = false;
  {
    MutexLock lock(mu_);
    writing_ = false;
    out_.clear_caller();  // it was said
    ended = reads_ended_;
    write = TakeMessage();
  }
  if (write) StartWrite(&out_);
  if (ended) RemoveHold();
}

void SessionCaller::OnDone(const grpc::Status& status) {
  // Without an answer and without a failure: the NameNode closed it.
  const grpc::Status end =
      status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed") : status;
  spent_ = true;
  absl::flat_hash_map<uint64_t, std::shared_ptr<PendingCall>> left;
  {
    MutexLock lock(mu_);
    end_ = end;
    left.swap(waiters_);
  }
  for (const auto& [number, waiter] : left) waiter->Deliver(end, nullptr);
  MutexLock lock(mu_);
  ended_ = true;
  ended_cv_.SignalAll();
}

bool SessionCaller::ended() const {
  MutexLock lock(mu_);
  return ended_;
}

void SessionCaller::AwaitEnd() {
  MutexLock lock(mu_);
  while (!ended_) ended_cv_.Wait(mu_);
}

}  // namespace cairn
