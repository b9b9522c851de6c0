// One hop of a write pipeline: packets come in, go to the mirror and to disk, acks go back.
//
// Why: this is where a write becomes durable (P3) and where every byte is checked on its way (P4).
// Per packet: check it, send it to the mirror, write it; the ack follows when the mirror's has come
// too (ack_relay.h). What was forwarded is always stored before the stream ends here: a reader may
// have got it from a node behind, and a recovery must find it. The last packet finalizes the
// replica, at the same time as on the nodes behind. A stream that ends before that leaves its
// replica open: the writer's next pipeline, or a block recovery, goes on with it.
//
// Consistency: strong syncs before the last ack, eventual and weak soon after it. Weak is for the
// first node of a pipeline: it acks the last packet for itself alone and feeds the nodes behind
// even when the writer has left; to those it is eventual.
//
// What the writer is told of a failure, node by node in every ack: the node's own status where its
// store fails (it goes on forwarding), the relay's where its mirror stalls or ends, ABORTED for
// those cut off behind it. Bytes that fail their CRC end the stream with DATA_LOSS, kChecksum: the
// writer (or the sender's relay, see damage_watch.h) leaves this node out. A replica that differs
// from what the writer sends again is DATA_LOSS too, without that kind: then this replica is the
// wrong one. One thread runs it; Cancel is for others. Called by the service.
#pragma once

#include <cstdint>
#include <memory>

#include "common/mutex.h"
#include "common/status.h"
#include "datanode/pipeline/messages.h"
#include "datanode/pipeline/node_numbers.h"
#include "datanode/pipeline/streams.h"

namespace cairn {
class ThreadCache;
}  // namespace cairn

namespace cairn::datanode {

class AckRelay;
class DamageWatch;
class OpenTransfers;
class PeerLatencies;
class ReplicaStore;
class ReplicaWriter;

class BlockReceiver {
 public:
  struct Options {
    int64_t alive_ms = 500;    // between two signs of life
    int64_t stall_ms = 2'000;  // a mirror that is silent this long has failed
    // A writer waits this long for a node that lives but acks nothing (a disk that hangs). A node
    // waits a little less for its mirror, the less the fewer are behind it, so that each blames the
    // right one.
    int64_t max_progress_ms = 30'000;
    // How long a recovery waits for the writer before it, which was cancelled, to let go.
    int64_t fence_ms = 3'000;
  };
  struct Parts {  // all must outlive the receiver
    ReplicaStore* store = nullptr;
    const NodeNumbers* numbers = nullptr;
    Connector* connector = nullptr;
    OpenTransfers* transfers = nullptr;
    DamageWatch* damage = nullptr;
    PeerLatencies* latencies = nullptr;  // null: the mirror is not measured, nor is that of a copy
    ThreadCache* threads = nullptr;      // of the acks
  };

  BlockReceiver(Parts parts, Options options, Upstream* upstream);
  ~BlockReceiver();

  // Serves the stream to its end. Failures of single nodes are told in the acks; the status is OK
  // then. An error is returned for a stream that breaks the protocol (INVALID_ARGUMENT), fails a
  // checksum (DATA_LOSS, kChecksum), is left by its writer (CANCELLED), or has no node left that
  // stores it.
  absl::Status Run(const WriteHeader& header) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends Run soon, from any thread.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);

  uint64_t bytes() const { return bytes_; }  // of payload, received
  // Of this node's replica, whatever the stream came to: after Run.
  const absl::Status& own_status() const { return own_; }

 private:
  absl::Status Serve(const WriteHeader& header, AckRelay* relay);
  absl::Status Setup(const WriteHeader& header, AckRelay* relay);
  absl::StatusOr<std::unique_ptr<ReplicaWriter>> OpenReplica(const WriteHeader& header);
  void Store(const WriteHeader& header, const Packet& packet);
  void FailOwn(absl::Status status);
  absl::Status Finish(const WriteHeader& header, bool sync);
  NodeAck OwnAck(bool last, bool sync) const;
  void SetRelay(AckRelay* relay) ABSL_LOCKS_EXCLUDED(mu_);

  const Parts parts_;
  const Options options_;
  Upstream* const upstream_;
  std::unique_ptr<ReplicaWriter> writer_;
  absl::Status own_;  // of this node's replica; stays as it was first failed
  uint64_t bytes_ = 0;
  int64_t worked_us_ = 0;  // checking and storing

  Mutex mu_;
  AckRelay* relay_ ABSL_GUARDED_BY(mu_) = nullptr;  // while it lives
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace cairn::datanode
