// Joins this node's acks with those of the nodes behind it and sends them to the writer, in order.
//
// Why: a packet is acked when this node has written it and all behind it have acked it; disk and
// mirror work at the same time, so the two meet here. A mirror that fails or stalls does not end
// the stream: from then on every ack names it, and the writer decides. The number of packets
// between written here and acked by the mirror is bounded. One thread pushes; the relay has a
// thread of its own when there is a mirror.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "datanode/pipeline/messages.h"
#include "datanode/pipeline/streams.h"

namespace cairn::datanode {

class AckRelay {
 public:
  static constexpr size_t kWindow = 16;  // packets

  // `behind`: the nodes behind this one.
  AckRelay(Upstream* upstream, std::vector<Target> behind);
  ~AckRelay();  // cancels the mirror
  AckRelay(const AckRelay&) = delete;
  AckRelay& operator=(const AckRelay&) = delete;

  // The stream to behind[0], or why there is none. Once, before the first Push.
  void SetMirror(absl::StatusOr<std::unique_ptr<Downstream>> mirror);
  // Sends the packet to the mirror, if there is one that works.
  void Forward(Packet& packet) ABSL_LOCKS_EXCLUDED(mu_);

  // This node's part of the ack of packet `seq`, which has been forwarded. Waits while the window
  // is full.
  void Push(uint64_t seq, NodeAck own) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until all that was pushed has been sent to the writer.
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);
  bool mirror_works() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    uint64_t seq;
    NodeAck own;
  };

  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);
  void WaitUntilAtMost(size_t entries) ABSL_LOCKS_EXCLUDED(mu_);
  void FailMirror(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  // The acks of the nodes behind for packet `seq`.
  std::vector<NodeAck> ReceiveBehind(uint64_t seq) ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<NodeAck> FailureBehind() const ABSL_LOCKS_EXCLUDED(mu_);
  void SendUp(Entry entry, std::vector<NodeAck> behind);

  Upstream* const upstream_;
  const std::vector<Target> behind_;
  std::unique_ptr<Downstream> mirror_;
  std::thread thread_;

  mutable Mutex mu_;
  CondVar changed_;
  std::deque<Entry> waiting_ ABSL_GUARDED_BY(mu_);  // the front one stays until it is sent
  absl::Status mirror_status_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace cairn::datanode
