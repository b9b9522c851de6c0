#include "namenode/service/session_stream.h"

#include <utility>

#include "common/clock.h"
#include "common/net/rpc_status.h"
#include "common/status.h"

namespace cairn::namenode {
namespace {

constexpr int kLongCallThreads = 2;
constexpr size_t kLongCallQueue = 4096;           // streams whose next long call waits
constexpr int64_t kIdentifyEveryUs = 60'000'000;  // a user's groups may change

absl::Status Stopping() {
  return WithKind(absl::UnavailableError("the NameNode is stopping"), ErrorKind::kNotActive);
}

}  // namespace

// One call until its answer is handed to the stream; it owns itself.
class SessionStream::Call final : public CallEnd {
 public:
  Call(std::shared_ptr<SessionStream> stream, uint64_t number, ClientCalls::Pace pace)
      : stream_(std::move(stream)), answer_(std::make_unique<v1::SessionAnswer>()), pace_(pace) {
    answer_->set_number(number);
  }
  v1::SessionAnswer* answer() { return answer_.get(); }

  void End(const absl::Status& status) override {
    if (!status.ok()) {
      answer_->clear_reply();
      answer_->set_code(static_cast<int>(status.code()));
      answer_->set_kind(static_cast<int>(KindOf(status)));
      answer_->set_message(std::string(MessageOf(status)));
    }
    stream_->Add(std::move(answer_), pace_ == ClientCalls::Pace::kLong);
    if (pace_ != ClientCalls::Pace::kBatch) stream_->Flush();  // the others leave with a batch
    delete this;
  }

 private:
  const std::shared_ptr<SessionStream> stream_;
  std::unique_ptr<v1::SessionAnswer> answer_;
  const ClientCalls::Pace pace_;
};

// What a long call needs when its turn comes.
struct SessionStream::LongCall {
  CallContext context;
  v1::SessionCall request;
};

SessionStream::SessionStream(const SessionContext& context, SessionStreams* streams, std::string ip,
                             std::shared_ptr<ThreadPool> long_call_pool)
    : context_(context),
      streams_(streams),
      ip_(std::move(ip)),
      long_call_pool_(std::move(long_call_pool)) {}

void SessionStream::Begin() {
  MutexLock lock(mu_);
  self_ = shared_from_this();
  Proceed();
}

void SessionStream::Stop() {
  MutexLock lock(mu_);
  read_all_ = true;
  if (end_.ok()) end_ = Stopping();
  Proceed();
}

// --- Reading --------------------------------------------------------------------------------

void SessionStream::OnReadDone(bool ok) {
  bool take = ok;
  {
    MutexLock lock(mu_);
    if (!ok) read_all_ = true;
    // A message that arrived with the end is not begun: it is made again elsewhere.
    if (read_all_ || broken_) take = false;
    if (take) open_calls_ += static_cast<size_t>(in_.calls_size());
  }
  if (take) TakeMessage();
  MutexLock lock(mu_);
  reading_ = false;
  Proceed();
}

void SessionStream::TakeMessage() {
  const int64_t now_us = context_.clock->SteadyUs();
  absl::Status wrong = CheckMessage();
  if (wrong.ok()) wrong = Identify(now_us);
  if (!wrong.ok()) {
    MutexLock lock(mu_);
    open_calls_ -= static_cast<size_t>(in_.calls_size());
    read_all_ = true;
    end_ = std::move(wrong);
    return;
  }
  const std::shared_ptr<SessionStream> self = shared_from_this();
  const std::function<void()> released = [self] { self->Flush(); };
  if (contexts_.size() < static_cast<size_t>(in_.calls_size())) {
    contexts_.resize(static_cast<size_t>(in_.calls_size()), who_);
  }
  DoorBatch batch;
  batch.reserve(static_cast<size_t>(in_.calls_size()));
  for (int i = 0; i < in_.calls_size(); ++i) {
    v1::SessionCall& request = *in_.mutable_calls(i);
    CallContext& context = ContextFor(static_cast<size_t>(i), request, now_us);
    const ClientCalls::Pace pace = context_.calls->PaceOf(request);
    if (pace == ClientCalls::Pace::kLong) {
      auto call = std::make_unique<LongCall>(LongCall{context, {}});
      call->request.Swap(&request);
      QueueLong(std::move(call));
      continue;
    }
    if (pace == ClientCalls::Pace::kAlone) {
      context_.operations->EnterBatch(std::exchange(batch, {}), released);
    } else {
      context.batch = &batch;
    }
    auto* call = new Call(self, request.number(), pace);
    context_.calls->Serve(context, request, call->answer(), call);
    context.batch = nullptr;
  }
  context_.operations->EnterBatch(std::move(batch), released);
  Flush();  // what ended without the door
}

absl::Status SessionStream::CheckMessage() {
  if (in_.calls_size() > kMaxCallsPerMessage) {
    return absl::InvalidArgumentError("a message of a Session holds at most 1024 calls");
  }
  for (const v1::SessionCall& call : in_.calls()) {
    if (call.number() <= last_number_) {
      return absl::InvalidArgumentError("the call numbers of a Session must rise, from 1 on");
    }
    last_number_ = call.number();
  }
  return absl::OkStatus();
}

absl::Status SessionStream::Identify(int64_t now_us) {
  if (in_.has_caller()) {
    caller_.Swap(in_.mutable_caller());
  } else if (identified_until_us_ == 0) {
    return absl::InvalidArgumentError("the first message of a Session must say who calls");
  } else if (now_us < identified_until_us_) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(who_, context_.callers->Resolve(caller_));
  who_.ip = ip_;
  identified_until_us_ = now_us + kIdentifyEveryUs;
  contexts_.clear();
  return absl::OkStatus();
}

CallContext& SessionStream::ContextFor(size_t index, const v1::SessionCall& call, int64_t now_us) {
  CallContext& context = contexts_[index];
  context.key.call_id = call.call_id();
  context.key.done_below = call.done_below();
  context.expires_us = call.deadline_ms() == 0 ? 0 : now_us + int64_t{call.deadline_ms()} * 1000;
  return context;
}

// --- Long calls -----------------------------------------------------------------------------

void SessionStream::QueueLong(std::unique_ptr<LongCall> call) {
  {
    MutexLock lock(mu_);
    long_calls_.push_back(std::move(call));
  }
  StartLong();
}

void SessionStream::StartLong() {
  std::shared_ptr<LongCall> next;
  {
    MutexLock lock(mu_);
    if (long_runs_ || long_calls_.empty() || unsent_bytes_ >= kMaxUnsentBytes) return;
    if (broken_ || finished_) return long_calls_.clear();
    next = std::move(long_calls_.front());
    long_calls_.pop_front();
    long_runs_ = true;
  }
  auto* call = new Call(shared_from_this(), next->request.number(), ClientCalls::Pace::kLong);
  const bool queued = long_call_pool_->Submit([calls = context_.calls, next, call] {
    calls->Serve(next->context, next->request, call->answer(), call);
  });
  if (!queued) call->End(absl::UnavailableError("the NameNode is too busy for long calls"));
}

// --- Answers --------------------------------------------------------------------------------

void SessionStream::Add(std::unique_ptr<v1::SessionAnswer> answer, bool was_long) {
  const size_t bytes = answer->ByteSizeLong();
  bool more_long = false;
  {
    MutexLock lock(mu_);
    if (was_long) long_runs_ = false;
    more_long = !long_calls_.empty();
    if (broken_ || finished_) {
      --open_calls_;
    } else {
      unsent_bytes_ += bytes;
      unsent_.push_back({std::move(answer), bytes});
    }
  }
  if (was_long && more_long) StartLong();
}

bool SessionStream::HasRoom() const {
  return open_calls_ < kMaxOpenCalls && unsent_bytes_ < kMaxUnsentBytes;
}

bool SessionStream::TakePiece() {
  if (writing_ || unsent_.empty() || broken_ || finished_) return false;
  out_.clear_answers();
  size_t bytes = 0;
  while (!unsent_.empty() && (bytes == 0 || bytes + unsent_.front().bytes <= kMaxMessageBytes)) {
    bytes += unsent_.front().bytes;
    out_.mutable_answers()->AddAllocated(unsent_.front().message.release());
    unsent_.pop_front();
  }
  writing_ = true;
  return true;
}

void SessionStream::Flush() {
  {
    MutexLock lock(mu_);
    if (!TakePiece()) return;
  }
  StartWrite(&out_);  // nobody else writes, and the stream does not end, while writing_
}

void SessionStream::OnWriteDone(bool ok) {
  bool more_long = false;
  {
    MutexLock lock(mu_);
    writing_ = false;
    open_calls_ -= static_cast<size_t>(out_.answers_size());
    for (const v1::SessionAnswer& answer : out_.answers()) {
      unsent_bytes_ -= static_cast<size_t>(answer.GetCachedSize());
    }
    if (!ok) broken_ = true;
    more_long = !long_calls_.empty();
  }
  Flush();
  if (more_long) StartLong();
  MutexLock lock(mu_);
  Proceed();
}

// --- The end --------------------------------------------------------------------------------

void SessionStream::OnCancel() {
  MutexLock lock(mu_);
  broken_ = true;
  Proceed();
}

// gRPC does not call back from within StartRead or Finish, so both may be called under the lock.
void SessionStream::Proceed() {
  if (finished_) return;
  const bool ended = read_all_ && open_calls_ == 0;
  if ((broken_ || ended) && !writing_) {
    finished_ = true;
    Finish(ToRpcStatus(end_));
    return;
  }
  if (!reading_ && !read_all_ && !broken_ && HasRoom()) {
    reading_ = true;
    StartRead(&in_);
  }
}

void SessionStream::OnDone() {
  streams_->Remove(this);
  std::shared_ptr<SessionStream> self;
  MutexLock lock(mu_);
  // Calls under way hold the stream, and drop their answers.
  self.swap(self_);
  finished_ = true;
  long_calls_.clear();
}

// --- All of them ----------------------------------------------------------------------------

SessionStreams::SessionStreams(const SessionContext& context)
    : context_(context),
      long_call_pool_(
          std::make_shared<ThreadPool>("nn-long-calls", kLongCallThreads, kLongCallQueue)) {}

SessionStreams::~SessionStreams() {
  Stop();
  long_call_pool_->Stop();
  // gRPC is done with them when its server has been shut down.
  MutexLock lock(mu_);
  while (!streams_.empty()) all_gone_.Wait(mu_);
}

SessionStream* SessionStreams::Open(std::string ip) {
  auto stream = std::make_shared<SessionStream>(context_, this, std::move(ip), long_call_pool_);
  bool stopped = false;
  {
    MutexLock lock(mu_);
    streams_.emplace(stream.get(), stream);
    stopped = stopped_;
  }
  stream->Begin();
  if (stopped) stream->Stop();
  return stream.get();
}

void SessionStreams::Stop() {
  std::vector<std::shared_ptr<SessionStream>> open;
  {
    MutexLock lock(mu_);
    stopped_ = true;
    for (const auto& [raw, weak] : streams_) {
      if (auto stream = weak.lock()) open.push_back(std::move(stream));
    }
  }
  for (const auto& stream : open) stream->Stop();
}

void SessionStreams::Remove(const SessionStream* stream) {
  MutexLock lock(mu_);
  streams_.erase(stream);
  if (streams_.empty()) all_gone_.SignalAll();
}

size_t SessionStreams::size() const {
  MutexLock lock(mu_);
  return streams_.size();
}

}  // namespace cairn::namenode
