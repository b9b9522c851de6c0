#include "datanode/pipeline/ack_relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/logging.h"
#include "common/steady_time.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kTellLatenciesMs = 1'000;

}  // namespace

AckRelay::AckRelay(ThreadCache* threads, Upstream* upstream, std::vector<Target> behind,
                   Options options, Hooks hooks)
    : upstream_(upstream),
      behind_(std::move(behind)),
      options_(options),
      hooks_(std::move(hooks)),
      last_sent_ms_(SteadyNowMs()),
      last_check_ms_(SteadyNowMs()),
      thread_(threads->Run([this] { RunThread(); })) {}

AckRelay::~AckRelay() {
  Downstream* mirror;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    mirror = mirror_.get();
  }
  if (mirror != nullptr) mirror->Cancel();
  wake_.SignalAll();
  thread_.Join();
  MutexLock lock(mu_);
  TellLatencies(SteadyNowMs());
}

Downstream* AckRelay::WorkingMirror() const {
  return mirror_status_.ok() ? mirror_.get() : nullptr;
}

bool AckRelay::mirror_works() const {
  MutexLock lock(mu_);
  return WorkingMirror() != nullptr;
}

void AckRelay::SetMirror(absl::StatusOr<std::unique_ptr<Downstream>> mirror) {
  if (!mirror.ok()) {
    FailMirror(mirror.status());
    return;
  }
  Downstream* cancelled = nullptr;
  {
    MutexLock lock(mu_);
    mirror_ = *std::move(mirror);
    sent_ = 1;  // the setup
    owed_since_ms_ = SteadyNowMs();
    if (cancelled_) cancelled = mirror_.get();
  }
  if (cancelled != nullptr) cancelled->Cancel();
  wake_.SignalAll();
}

void AckRelay::Forward(const Packet& packet) {
  Downstream* mirror;
  {
    MutexLock lock(mu_);
    if (packet.last) last_seq_ = packet.seq;
    mirror = WorkingMirror();
    if (mirror == nullptr) return;
    if (acked_ == sent_) {
      owed_since_ms_ = SteadyNowMs();
      silent_ms_ = 0;
      stuck_ms_ = 0;
    }
    sent_packets_[sent_ % sent_packets_.size()] = {SteadyNowUs(), mirror_waited_us_,
                                                   static_cast<int64_t>(1 + sent_ - acked_)};
    ++sent_;
    forwarding_ = true;
    NoteWaiting();
  }
  // When it fails, the stream has ended: the relay's thread learns why.
  mirror->Send(packet).IgnoreError();
  MutexLock lock(mu_);
  forwarding_ = false;
  NoteWaiting();
}

void AckRelay::NoteWaiting() {
  const bool unacked = !waiting_.empty() && behind_acks_.empty();
  const bool waiting = WorkingMirror() != nullptr && (forwarding_ || unacked);
  if (waiting == (waiting_since_us_ != 0)) return;
  const int64_t now_us = SteadyNowUs();
  if (!waiting) waited_us_ += now_us - waiting_since_us_;
  waiting_since_us_ = waiting ? now_us : 0;
}

void AckRelay::Push(uint64_t seq, NodeAck own, uint64_t length) {
  {
    MutexLock lock(mu_);
    while (waiting_.size() >= kWindow && !cancelled_) changed_.Wait(mu_);
    waiting_.push_back({seq, std::move(own), length});
    NoteWaiting();
  }
  Flush();
}

void AckRelay::PushLastEarly(uint64_t seq, NodeAck own) {
  Ack ack{.seq = seq, .nodes = {}};
  {
    MutexLock lock(mu_);
    own.waited_us = static_cast<uint64_t>(waited_us_);
  }
  ack.nodes.push_back(std::move(own));
  MutexLock sending(send_mu_);
  SendUp(ack);
  writer_done_ = true;
}

void AckRelay::Drain() {
  MutexLock lock(mu_);
  while (!waiting_.empty() && !cancelled_) changed_.Wait(mu_);
}

void AckRelay::Cancel() {
  Downstream* mirror;
  {
    MutexLock lock(mu_);
    cancelled_ = true;
    if (mirror_status_.ok()) mirror_status_ = absl::UnavailableError("the stream was cancelled");
    mirror = mirror_.get();
  }
  if (mirror != nullptr) mirror->Cancel();
  changed_.SignalAll();
  wake_.SignalAll();
}

void AckRelay::RunThread() {
  int64_t due_ms = options_.alive_ms;  // until the next sign of life
  while (true) {
    const int64_t wait_ms = std::max<int64_t>(1, std::min(due_ms, options_.stall_ms / 4));
    Downstream* mirror;
    {
      MutexLock lock(mu_);
      if (stopping_) return;
      mirror = WorkingMirror();
      if (mirror == nullptr) wake_.WaitFor(mu_, std::chrono::milliseconds(wait_ms));
      if (stopping_) return;
    }
    if (mirror != nullptr) {
      Take(mirror->ReceiveAck(wait_ms));
      CheckMirror();
    }
    Flush();
    due_ms = SendSignOfLife();
  }
}

void AckRelay::Take(absl::StatusOr<std::optional<Ack>> received) {
  absl::Status wrong = received.status();
  if (received.ok()) {
    if (!received->has_value()) return;
    Ack& ack = **received;
    MutexLock lock(mu_);
    silent_ms_ = 0;
    if (ack.alive) return;
    if (ack.seq == acked_ && acked_ < sent_ && ack.nodes.size() == behind_.size()) {
      Measure(ack.nodes.front());
      ++acked_;
      stuck_ms_ = 0;
      behind_acks_.push_back(std::move(ack.nodes));
      NoteWaiting();
      return;
    }
    wrong = absl::InternalError(fmt::format("ack {} of {} nodes came where ack {} of {} was due",
                                            ack.seq, ack.nodes.size(), acked_, behind_.size()));
  }
  FailMirror(wrong);
}

void AckRelay::Measure(const NodeAck& mirror) {
  mirror_waited_us_ = mirror.waited_us;
  const bool counts = hooks_.latencies != nullptr && mirror.status.ok() && acked_ > 0 &&
                      sent_ - acked_ <= sent_packets_.size();
  if (!counts) return;  // the setup is none
  const Sent& sent = sent_packets_[acked_ % sent_packets_.size()];
  const int64_t now_us = SteadyNowUs();
  const auto elsewhere_us =
      static_cast<int64_t>(mirror.waited_us - std::min(mirror.waited_us, sent.waited_us));
  latencies_.Add(std::max<int64_t>(0, now_us - sent.at_us - elsewhere_us) / sent.outstanding);
  if (now_us / 1000 - latencies_told_ms_ >= kTellLatenciesMs) TellLatencies(now_us / 1000);
}

void AckRelay::TellLatencies(int64_t now_ms) {
  latencies_told_ms_ = now_ms;
  if (hooks_.latencies == nullptr || latencies_.total() == 0) return;
  hooks_.latencies->Add(behind_.front().number, latencies_, now_ms);
  latencies_.Clear();
}

void AckRelay::CheckMirror() {
  absl::Status stalled;
  {
    MutexLock lock(mu_);
    const int64_t now_ms = SteadyNowMs();
    const int64_t from_ms = std::max(last_check_ms_, owed_since_ms_);
    last_check_ms_ = now_ms;
    if (WorkingMirror() == nullptr || acked_ == sent_) return;
    // A longer step means that this process was stopped: the mirror's messages may be waiting.
    const int64_t step_ms = std::min(now_ms - from_ms, options_.alive_ms);
    silent_ms_ += step_ms;
    stuck_ms_ += step_ms;
    if (silent_ms_ >= options_.stall_ms) {
      stalled = absl::DeadlineExceededError(
          fmt::format("no answer from {} for {} ms", behind_.front().name(), silent_ms_));
    } else if (stuck_ms_ >= options_.max_progress_ms) {
      stalled = absl::DeadlineExceededError(
          fmt::format("{} has acknowledged nothing for {} ms", behind_.front().name(), stuck_ms_));
    }
  }
  if (!stalled.ok()) FailMirror(stalled);
}

void AckRelay::FailMirror(const absl::Status& status) {
  const bool damaged = KindOf(status) == ErrorKind::kChecksum && hooks_.damaged &&
                       hooks_.damaged(behind_.front().number);
  Downstream* mirror;
  bool done;  // it ended because it had acked the last packet
  {
    MutexLock lock(mu_);
    if (!mirror_status_.ok() || stopping_) return;  // the first reason counts
    // The writer cancelled nothing: to it, a stream that was cut means a node that is not there.
    mirror_status_ =
        absl::IsCancelled(status)
            ? absl::UnavailableError(
                  fmt::format("{} ended the stream: {}", behind_.front().name(), MessageOf(status)))
            : status;
    if (damaged) {
      blame_ =
          WithKind(absl::DataLossError("what this node sends arrives damaged at several nodes"),
                   ErrorKind::kChecksum);
    }
    NoteWaiting();
    mirror = mirror_.get();
    done = last_seq_ != 0 && acked_ == last_seq_ + 1;
  }
  if (!done) LogWarn("pipeline: {} failed: {}", behind_.front().name(), MessageOf(status));
  if (mirror != nullptr) mirror->Cancel();
}

void AckRelay::Flush() {
  MutexLock sending(send_mu_);
  while (true) {
    Ack ack;
    uint64_t length = 0;
    bool last = false;
    {
      MutexLock lock(mu_);
      if (!NextAck(&ack, &length, &last)) return;
    }
    const bool good = std::all_of(ack.nodes.begin(), ack.nodes.end(),
                                  [](const NodeAck& node) { return node.status.ok(); });
    if (good && hooks_.visible) hooks_.visible(length);  // whoever gets the ack may read it
    SendUp(ack);
    if (last) writer_done_ = true;
    {
      MutexLock lock(mu_);
      waiting_.pop_front();
      NoteWaiting();
    }
    changed_.SignalAll();
  }
}

bool AckRelay::NextAck(Ack* ack, uint64_t* length, bool* last) {
  if (waiting_.empty()) return false;
  const bool complete = behind_.empty() || !behind_acks_.empty() || !mirror_status_.ok();
  if (!complete) return false;
  Entry& entry = waiting_.front();
  ack->seq = entry.seq;
  ack->nodes.reserve(1 + behind_.size());
  ack->nodes.push_back(std::move(entry.own));
  ack->nodes.front().waited_us = static_cast<uint64_t>(waited_us_);
  std::vector<NodeAck> behind;
  if (behind_acks_.empty()) {
    behind = FailureBehind();
    if (!blame_.ok()) ack->nodes.front().status = blame_;
  } else {
    behind = std::move(behind_acks_.front());
    behind_acks_.pop_front();
  }
  for (NodeAck& node : behind) ack->nodes.push_back(std::move(node));
  *length = entry.length;
  *last = last_seq_ != 0 && entry.seq == last_seq_;
  return true;
}

std::vector<NodeAck> AckRelay::FailureBehind() const {
  std::vector<NodeAck> nodes;
  nodes.reserve(behind_.size());
  for (const Target& target : behind_) {
    NodeAck ack{.node = target.number};
    // Only one is known to be at fault; ABORTED says of the others that they are cut off.
    ack.status = nodes.empty() && blame_.ok()
                     ? mirror_status_
                     : absl::AbortedError(fmt::format("cut off behind {}", behind_.front().name()));
    nodes.push_back(std::move(ack));
  }
  return nodes;
}

int64_t AckRelay::SendSignOfLife() {
  MutexLock sending(send_mu_);
  if (SteadyNowMs() - last_sent_ms_ >= options_.alive_ms)
    SendUp({.seq = 0, .nodes = {}, .alive = true});
  return last_sent_ms_ + options_.alive_ms - SteadyNowMs();
}

void AckRelay::SendUp(const Ack& ack) {
  // Towards a writer that is gone: its packets end too, which ends the stream.
  if (!writer_done_) writer_done_ = !upstream_->Send(ack);
  last_sent_ms_ = SteadyNowMs();
}

}  // namespace cairn::datanode
