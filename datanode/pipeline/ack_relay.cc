#include "datanode/pipeline/ack_relay.h"

#include <fmt/format.h>
#include <pthread.h>

#include <utility>

#include "common/logging.h"

namespace cairn::datanode {

AckRelay::AckRelay(Upstream* upstream, std::vector<Target> behind)
    : upstream_(upstream), behind_(std::move(behind)) {}

AckRelay::~AckRelay() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
  }
  if (mirror_ != nullptr) mirror_->Cancel();
  changed_.SignalAll();
  if (thread_.joinable()) thread_.join();
}

void AckRelay::SetMirror(absl::StatusOr<std::unique_ptr<Downstream>> mirror) {
  if (!mirror.ok()) {
    FailMirror(mirror.status());
    return;
  }
  mirror_ = *std::move(mirror);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ack-relay");
    RunThread();
  });
}

void AckRelay::Forward(Packet& packet) {
  if (!mirror_works()) return;
  if (const absl::Status sent = mirror_->Send(packet); !sent.ok()) FailMirror(sent);
}

bool AckRelay::mirror_works() const {
  MutexLock lock(mu_);
  return mirror_ != nullptr && mirror_status_.ok();
}

void AckRelay::FailMirror(const absl::Status& status) {
  {
    MutexLock lock(mu_);
    if (!mirror_status_.ok() || stopping_) return;  // the first reason counts
    // The writer cancelled nothing: to it, a stream that was cut means a node that is not there.
    mirror_status_ =
        absl::IsCancelled(status)
            ? absl::UnavailableError(
                  fmt::format("{} ended the stream: {}", behind_.front().name(), MessageOf(status)))
            : status;
  }
  LogWarn("pipeline: {} failed: {}", behind_.front().name(), MessageOf(status));
  if (mirror_ != nullptr) mirror_->Cancel();
}

void AckRelay::Push(uint64_t seq, NodeAck own) {
  if (mirror_ == nullptr) {
    SendUp({seq, std::move(own)}, FailureBehind());
    return;
  }
  WaitUntilAtMost(kWindow - 1);
  {
    MutexLock lock(mu_);
    waiting_.push_back({seq, std::move(own)});
  }
  changed_.SignalAll();
}

void AckRelay::Drain() { WaitUntilAtMost(0); }

void AckRelay::WaitUntilAtMost(size_t entries) {
  MutexLock lock(mu_);
  while (waiting_.size() > entries) changed_.Wait(mu_);
}

void AckRelay::RunThread() {
  while (true) {
    Entry entry;
    {
      MutexLock lock(mu_);
      while (waiting_.empty() && !stopping_) changed_.Wait(mu_);
      if (stopping_) return;
      entry = waiting_.front();
    }
    std::vector<NodeAck> behind = ReceiveBehind(entry.seq);
    SendUp(std::move(entry), std::move(behind));
    {
      MutexLock lock(mu_);
      waiting_.pop_front();
    }
    changed_.SignalAll();
  }
}

std::vector<NodeAck> AckRelay::ReceiveBehind(uint64_t seq) {
  if (!mirror_works()) return FailureBehind();
  absl::StatusOr<Ack> ack = mirror_->ReceiveAck();
  if (ack.ok() && (ack->seq != seq || ack->nodes.size() != behind_.size())) {
    ack = absl::InternalError(fmt::format("ack {} of {} nodes came where ack {} of {} was due",
                                          ack->seq, ack->nodes.size(), seq, behind_.size()));
  }
  if (ack.ok()) return std::move(ack->nodes);
  FailMirror(ack.status());
  return FailureBehind();
}

std::vector<NodeAck> AckRelay::FailureBehind() const {
  MutexLock lock(mu_);
  std::vector<NodeAck> nodes;
  nodes.reserve(behind_.size());
  for (const Target& target : behind_) {
    NodeAck ack{.node = target.number};
    // Only the first is known to be at fault; ABORTED says of the others that they are cut off.
    ack.status = nodes.empty()
                     ? mirror_status_
                     : absl::AbortedError(fmt::format("cut off behind {}", behind_.front().name()));
    nodes.push_back(std::move(ack));
  }
  return nodes;
}

void AckRelay::SendUp(Entry entry, std::vector<NodeAck> behind) {
  Ack ack{.seq = entry.seq};
  ack.nodes.reserve(1 + behind.size());
  ack.nodes.push_back(std::move(entry.own));
  for (NodeAck& node : behind) ack.nodes.push_back(std::move(node));
  // Towards a writer that is gone: its packets end too, which ends the stream.
  upstream_->Send(ack);
}

}  // namespace cairn::datanode
