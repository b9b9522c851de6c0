// The gRPC call of a write pipeline: packets out, acks back, and every way in which that can end
// turned into one failure with the node to blame.
//
// Why a class of its own: it alone deals with gRPC's threads. One writer calls Start, WaitForSetup,
// Send and WaitForAcks, one at a time; the PipelineKeeper's thread pokes it; gRPC's threads bring
// the acks. gRPC shares a packet from Send on, for as long as it needs it: its payload changes
// no more, its seq not before the stream is destroyed. Used by BlockPipeline alone.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "client/file_system.h"
#include "client/packet_size.h"
#include "client/pipeline_keeper.h"
#include "client/slow_node.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/net/packet_message.h"
#include "proto/data_transfer.pb.h"
#include "proto/types.pb.h"

namespace cairn {

class WriteStream final : public grpc::ClientBidiReactor<SharedWritePacket, v1::WriteAck>,
                          public PipelineKeeper::Pipeline {
 public:
  using Packet = std::shared_ptr<v1::WritePacket>;

  struct Options {
    std::vector<v1::NodeAddress> nodes;  // in the pipeline's order
    bool weak = false;                   // the ack of the last packet ends the block at once
    bool find_slow_nodes = true;
    const std::atomic<bool>* stopped = nullptr;  // breaks it off soon
    TransferOptions transfer;
  };

  // What it uses of the client must outlive it.
  WriteStream(std::shared_ptr<grpc::Channel> channel, Options options, Clock* clock,
              PipelineKeeper* keeper, PacketSize* packet_size);
  ~WriteStream() override;  // breaks off what is not finished

  void Start(Packet header);
  // Until every node says that it is ready.
  absl::Status WaitForSetup();
  // Gives the packet its seq and hands it on; waits while the window is full.
  absl::Status Send(Packet packet);
  // Until all that was sent is acknowledged.
  absl::Status WaitForAcks();

  uint64_t acked_seq();      // how far the packets got; 0: none
  v1::WriteAck setup_ack();  // after WaitForSetup
  v1::WriteAck last_ack();   // of the packet marked `last`
  int failed_index();        // after an error: the node to blame

  void Poke() override;

 private:
  struct InFlight {
    uint64_t seq = 0;
    uint64_t bytes = 0;
    uint64_t sync_to = 0;  // of a sync packet: what must then be durable
    int64_t sent_us = 0;   // steady time
  };

  void Write(const SharedWritePacket* packet) ABSL_LOCKS_EXCLUDED(mu_);
  // `packet` is written now; returns it as gRPC takes it.
  const SharedWritePacket* SetWriting(Packet packet) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LetGoOfWritten() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Puts a packet behind those on their way; it must be written now if it is returned.
  const SharedWritePacket* Enqueue(Packet packet) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Waits for a callback, or fails a pipeline that is silent or gets nowhere.
  void WaitForProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool FailIfSilent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LearnWhyItEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReleaseHold() ABSL_LOCKS_EXCLUDED(mu_);
  void WaitForEnd() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fail(absl::Status status, int index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsFinished() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void OnWriteDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  void TakeAck() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool TakeFailure() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeSetup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteServiceTime() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void JudgeSpeed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StartWindow(int64_t now_us) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<grpc::Channel> channel_;
  grpc::TemplatedGenericStub<SharedWritePacket, v1::WriteAck> stub_;
  const Options options_;
  Clock* const clock_;
  PipelineKeeper* const keeper_;
  PacketSize* const packet_size_;
  grpc::ClientContext context_;
  v1::WriteAck ack_;  // being read; between reads of OnReadDone alone

  Mutex mu_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mu_) = true;  // writes may be started from outside of callbacks
  Packet writing_ ABSL_GUARDED_BY(mu_);    // with gRPC now
  // writing_ as gRPC takes it, and those before it that a thread may still be about to let go of.
  std::deque<SharedWritePacket> outgoing_ ABSL_GUARDED_BY(mu_);
  std::deque<Packet> queue_ ABSL_GUARDED_BY(mu_);        // behind it
  std::deque<InFlight> in_flight_ ABSL_GUARDED_BY(mu_);  // sent, the queue included, not acked
  int starting_ ABSL_GUARDED_BY(mu_) = 0;                // threads that start a write
  uint64_t acked_seq_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_seq_ ABSL_GUARDED_BY(mu_) = 0;   // of the last packet sent
  uint64_t sent_end_ ABSL_GUARDED_BY(mu_) = 0;   // where its payload ends in the block
  bool last_sent_ ABSL_GUARDED_BY(mu_) = false;  // the packet marked so was sent
  bool setup_acked_ ABSL_GUARDED_BY(mu_) = false;
  bool reads_ended_ ABSL_GUARDED_BY(mu_) = false;  // no ack will come any more
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  v1::WriteAck setup_ack_ ABSL_GUARDED_BY(mu_);
  v1::WriteAck last_ack_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  int failed_index_ ABSL_GUARDED_BY(mu_) = 0;

  // Steady times.
  int64_t last_sent_ms_ ABSL_GUARDED_BY(mu_);
  int64_t last_heard_ms_ ABSL_GUARDED_BY(mu_);     // anything; or when something became owed
  int64_t last_progress_ms_ ABSL_GUARDED_BY(mu_);  // an ack; or when something became owed
  int64_t last_look_ms_ ABSL_GUARDED_BY(mu_);
  int64_t last_ack_us_ ABSL_GUARDED_BY(mu_) = 0;

  // What slow nodes are judged by.
  int64_t waiting_since_us_ ABSL_GUARDED_BY(mu_) = 0;  // the writer; 0: it does not wait
  int64_t writer_waited_us_ ABSL_GUARDED_BY(mu_) = 0;  // before that
  int suspicions_ ABSL_GUARDED_BY(mu_) = 0;            // of the same node, one window after another
  int suspect_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t window_start_us_ ABSL_GUARDED_BY(mu_) = 0;
  PipelineWindow window_start_ ABSL_GUARDED_BY(mu_);  // the totals then
  PipelineWindow totals_ ABSL_GUARDED_BY(mu_);        // since the stream began
};

}  // namespace cairn
