// Joins this node's acks with those of the nodes behind it and sends them to the writer, in order.
//
// Why: a packet is acked when this node has written it and all behind it have acked it; disk and
// mirror work at the same time, so the two meet here. A mirror that fails or stalls does not end
// the stream: from then on every ack names it, and the writer decides. The relay also tells the
// writer every half second that this node is at work, and listens for the same from its mirror:
// silence while something is owed is a stall. So each hop waits equally long, and a node that lies
// down is found by the one right before it. The number of packets between written here and acked by
// the mirror is bounded. One thread forwards and pushes; the relay has one of its own. Without a
// mirror the pushing thread sends the acks itself, and the other one only shows that the node
// lives. Lock order: send_mu_, mu_, PeerLatencies'; Cancel takes only mu_.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/mutex.h"
#include "common/thread_cache.h"
#include "datanode/pipeline/messages.h"
#include "datanode/pipeline/peer_latencies.h"
#include "datanode/pipeline/streams.h"

namespace cairn::datanode {

class AckRelay {
 public:
  static constexpr size_t kWindow = 16;  // packets

  struct Options {
    int64_t alive_ms = 500;            // between two signs of life
    int64_t stall_ms = 2'000;          // a mirror that is silent this long has failed
    int64_t max_progress_ms = 30'000;  // one that lives, but acks nothing, too
  };
  // Called by the relay's threads, one at a time.
  struct Hooks {
    // So many bytes are here, and at all nodes behind.
    std::function<void(uint64_t length)> visible;
    // `mirror` got bytes from here that fail their checksum. True when this node is to take the
    // blame itself.
    std::function<bool(NodeNumber mirror)> damaged;
    // Where it is told what packets to the mirror take; null: it is not measured. Must outlive the
    // relay.
    PeerLatencies* latencies = nullptr;
  };

  // `threads` must outlive it. `behind`: the nodes behind this one.
  AckRelay(ThreadCache* threads, Upstream* upstream, std::vector<Target> behind, Options options,
           Hooks hooks);
  ~AckRelay();  // cancels the mirror
  AckRelay(const AckRelay&) = delete;
  AckRelay& operator=(const AckRelay&) = delete;

  // The stream to behind[0], or why there is none. Once, before the first Push, if there are nodes
  // behind.
  void SetMirror(absl::StatusOr<std::unique_ptr<Downstream>> mirror) ABSL_LOCKS_EXCLUDED(mu_);
  // Before the Push of a packet: sends it to the mirror, if there is one that works.
  void Forward(const Packet& packet) ABSL_LOCKS_EXCLUDED(mu_);

  // This node's part of the ack of packet `seq`, with which it has got `length` bytes. With a
  // mirror the packet has been forwarded; waits while the window is full. The relay adds how long
  // this node waited for those behind: for them to take a packet, or to ack what is written here.
  void Push(uint64_t seq, NodeAck own, uint64_t length) ABSL_LOCKS_EXCLUDED(mu_, send_mu_);
  // Acks packet `seq` at once, for this node alone (the others are not in that ack). To the writer
  // this ends the stream: nothing is sent to it any more.
  void PushLastEarly(uint64_t seq, NodeAck own) ABSL_LOCKS_EXCLUDED(mu_, send_mu_);
  // Waits until all that was pushed has been acked by the mirror, or never will be, and has been
  // sent to the writer.
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);
  bool mirror_works() const ABSL_LOCKS_EXCLUDED(mu_);

  // From any thread: ends what waits for the mirror, now and later.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    uint64_t seq;
    NodeAck own;
    uint64_t length;
  };

  void RunThread() ABSL_LOCKS_EXCLUDED(mu_, send_mu_);
  Downstream* WorkingMirror() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Take(absl::StatusOr<std::optional<Ack>> received) ABSL_LOCKS_EXCLUDED(mu_);
  void FailMirror(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  // Fails a mirror that owes an ack and has been silent, or acked nothing, for too long.
  void CheckMirror() ABSL_LOCKS_EXCLUDED(mu_);
  // Sends the acks that are complete.
  void Flush() ABSL_LOCKS_EXCLUDED(mu_, send_mu_);
  // The front entry and the acks of those behind it, when both are there.
  bool NextAck(Ack* ack, uint64_t* length, bool* last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Keeps account of the time for which the nodes behind are waited for: after every change.
  void NoteWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Notes what the packet that the mirror has just acked took there: from its sending until the
  // ack, less what the mirror waited for those behind it, divided by the packets that were under
  // way to it. So it says what a packet costs there, however many wait in line.
  void Measure(const NodeAck& mirror) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells of what was measured.
  void TellLatencies(int64_t now_ms) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<NodeAck> FailureBehind() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // If it is due. Returns in how many ms the next one is.
  int64_t SendSignOfLife() ABSL_LOCKS_EXCLUDED(mu_, send_mu_);
  void SendUp(const Ack& ack) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mu_);

  Upstream* const upstream_;
  const std::vector<Target> behind_;
  const Options options_;
  const Hooks hooks_;

  Mutex send_mu_;                                       // one message upstream at a time, in order
  bool writer_done_ ABSL_GUARDED_BY(send_mu_) = false;  // gone, or has the ack of the last packet
  int64_t last_sent_ms_ ABSL_GUARDED_BY(send_mu_);      // steady time

  mutable Mutex mu_;
  CondVar changed_;  // of waiting_, for those who push and drain
  CondVar wake_;     // the relay's thread
  std::unique_ptr<Downstream> mirror_ ABSL_GUARDED_BY(mu_);  // never changes once it is set
  absl::Status mirror_status_ ABSL_GUARDED_BY(mu_);
  absl::Status blame_ ABSL_GUARDED_BY(mu_);  // of this node, when its mirrors get damaged bytes
  std::deque<Entry> waiting_ ABSL_GUARDED_BY(mu_);  // the front one stays until it is sent
  std::deque<std::vector<NodeAck>> behind_acks_ ABSL_GUARDED_BY(mu_);
  // Of the setup and the packets, which count up: sent to the mirror, acked by it.
  uint64_t sent_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t acked_ ABSL_GUARDED_BY(mu_) = 0;
  struct Sent {  // a packet to the mirror
    int64_t at_us = 0;
    uint64_t waited_us = 0;   // of the mirror, as known then
    int64_t outstanding = 1;  // packets, this one included
  };
  // By number; there are fewer under way.
  std::array<Sent, 2 * kWindow> sent_packets_ ABSL_GUARDED_BY(mu_);
  uint64_t mirror_waited_us_ ABSL_GUARDED_BY(mu_) = 0;  // as its last ack said
  LatencyCounts latencies_ ABSL_GUARDED_BY(mu_);
  int64_t latencies_told_ms_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t owed_since_ms_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_check_ms_ ABSL_GUARDED_BY(mu_);
  // While something is owed; only time in which this node itself was running counts.
  int64_t silent_ms_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t stuck_ms_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_seq_ ABSL_GUARDED_BY(mu_) = 0;  // of the last packet, once it is here
  bool forwarding_ ABSL_GUARDED_BY(mu_) = false;
  int64_t waiting_since_us_ ABSL_GUARDED_BY(mu_) = 0;  // steady time; 0: not waiting
  int64_t waited_us_ ABSL_GUARDED_BY(mu_) = 0;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  ThreadCache::Task thread_;  // last: it uses the members above
};

}  // namespace cairn::datanode
