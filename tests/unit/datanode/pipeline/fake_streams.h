// The two ends of a relay, played by a test: what comes and goes is recorded, calls wait on demand.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "datanode/pipeline/streams.h"

namespace cairn::datanode {

// What a test and the stream that it gave away share.
class FakeMirror {
 public:
  // The stream to it; one at a time.
  std::unique_ptr<Downstream> Stream() { return std::make_unique<Connection>(this); }

  void Deliver(Ack ack) {
    MutexLock lock(mu_);
    acks_.push_back(std::move(ack));
    changed_.SignalAll();
  }
  // An ack of `nodes` nodes, all well.
  void Deliver(uint64_t seq, size_t nodes) {
    Deliver(Ack{.seq = seq, .nodes = std::vector<NodeAck>(nodes), .alive = false});
  }
  void DeliverAlive() { Deliver(Ack{.seq = 0, .nodes = {}, .alive = true}); }
  // Shows from now on that it lives whenever somebody listens.
  void KeepAlive() {
    MutexLock lock(mu_);
    lives_ = true;
  }
  void End(absl::Status status) {
    MutexLock lock(mu_);
    end_ = std::move(status);
    changed_.SignalAll();
  }
  void TakeNothing() {
    MutexLock lock(mu_);
    takes_ = false;
  }
  std::vector<uint64_t> taken() {
    MutexLock lock(mu_);
    return taken_;
  }

 private:
  class Connection final : public Downstream {
   public:
    explicit Connection(FakeMirror* mirror) : m_(*mirror) {}
    ~Connection() override { Cancel(); }
    absl::Status Send(const Packet& packet) override {
      MutexLock lock(m_.mu_);
      while (!m_.takes_ && !m_.end_) m_.changed_.Wait(m_.mu_);
      if (m_.end_) return absl::UnavailableError("the stream has ended");
      m_.taken_.push_back(packet.seq);
      return absl::OkStatus();
    }
    absl::StatusOr<std::optional<Ack>> ReceiveAck(int64_t wait_ms) override {
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
      MutexLock lock(m_.mu_);
      while (m_.acks_.empty() && !m_.end_ && std::chrono::steady_clock::now() < deadline) {
        m_.changed_.WaitFor(m_.mu_, deadline - std::chrono::steady_clock::now());
      }
      if (!m_.acks_.empty()) {
        Ack ack = std::move(m_.acks_.front());
        m_.acks_.pop_front();
        return ack;
      }
      if (m_.end_) return *m_.end_;
      if (m_.lives_) return Ack{.seq = 0, .nodes = {}, .alive = true};
      return std::nullopt;
    }
    void Cancel() override {
      MutexLock lock(m_.mu_);
      if (!m_.end_) m_.end_ = absl::CancelledError("by the relay");
      m_.changed_.SignalAll();
    }

   private:
    FakeMirror& m_;
  };

  Mutex mu_;
  CondVar changed_;
  std::deque<Ack> acks_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool takes_ ABSL_GUARDED_BY(mu_) = true;
  bool lives_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<uint64_t> taken_ ABSL_GUARDED_BY(mu_);
};

class FakeWriter final : public Upstream {
 public:
  bool Receive(Packet*) override { return false; }
  bool Send(const Ack& ack) override {
    MutexLock lock(mu_);
    if (gone_) return false;
    if (ack.alive) {
      ++signs_of_life_;
    } else {
      acks_.push_back(ack);
    }
    changed_.SignalAll();
    return true;
  }
  void Cancel() override { Leave(); }
  void Leave() {
    MutexLock lock(mu_);
    gone_ = true;
  }

  // All acks so far, as soon as there are `count`; fewer after 100 s.
  std::vector<Ack> WaitForAcks(size_t count) {
    WaitUntil([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return acks_.size() >= count; });
    MutexLock lock(mu_);
    return acks_;
  }
  bool WaitForSignsOfLife(int count) {
    return WaitUntil([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return signs_of_life_ >= count; });
  }
  int signs_of_life() {
    MutexLock lock(mu_);
    return signs_of_life_;
  }
  size_t acks() {
    MutexLock lock(mu_);
    return acks_.size();
  }

 private:
  template <typename Condition>
  bool WaitUntil(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(100);
    MutexLock lock(mu_);
    while (!condition()) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left <= left.zero()) return false;
      changed_.WaitFor(mu_, left);
    }
    return true;
  }

  Mutex mu_;
  CondVar changed_;
  std::vector<Ack> acks_ ABSL_GUARDED_BY(mu_);
  int signs_of_life_ ABSL_GUARDED_BY(mu_) = 0;
  bool gone_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace cairn::datanode
