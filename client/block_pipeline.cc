#include "client/block_pipeline.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <deque>
#include <utility>

#include "client/client_core.h"
#include "common/mutex.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "common/units.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn {
namespace {

// A slow writer may keep a block open for long; a silent node is noticed by its missing acks.
constexpr int64_t kStreamDeadlineMs = 24 * 3'600'000;
constexpr int64_t kEndMs = 2'000;  // for the peer to end a call after its last ack

// Nobody cancels a pipeline but its writer, who then asks for no failure: a CANCELLED of a peer
// says that the node broke off.
absl::Status NotCancelled(absl::Status status) {
  if (!absl::IsCancelled(status)) return status;
  return WithKind(absl::UnavailableError(status.message()), KindOf(status));
}

}  // namespace

// The gRPC call. Its callbacks run on gRPC's threads; Start... functions are called without the
// lock, because gRPC may call back at once. Writes go out one at a time: whoever sets `writing_`
// starts the next.
class BlockPipeline::Stream final : public grpc::ClientBidiReactor<v1::WritePacket, v1::WriteAck> {
 public:
  Stream(std::shared_ptr<grpc::Channel> channel, const v1::LocatedBlock& target, Clock* clock,
         const TransferOptions& options)
      : channel_(std::move(channel)),
        stub_(v1::DataTransfer::NewStub(channel_)),
        target_(target),
        clock_(clock),
        options_(options),
        last_progress_ms_(clock->SteadyMs()) {}

  ~Stream() override {
    bool finished;
    {
      MutexLock lock(mu_);
      finished = setup_acked_ && unacked_ == 0 && failure_.ok() && last_sent_;
    }
    // A block that is done ends by itself, anything else is broken off.
    if (!finished) context_.TryCancel();
    ReleaseHold();
    MutexLock lock(mu_);
    WaitForEnd();
  }

  void Start(Packet header) {
    SetupContext(context_, kStreamDeadlineMs);
    stub_->async()->WriteBlock(&context_, this);
    AddHold();  // we start writes from outside of callbacks, until the destructor
    {
      MutexLock lock(mu_);
      writing_ = std::move(header);
    }
    StartRead(&ack_);
    StartWrite(writing_now());
    StartCall();
  }

  absl::Status WaitForSetup() {
    MutexLock lock(mu_);
    while (!setup_acked_ && failure_.ok()) WaitForProgress();
    return failure_;
  }

  absl::Status Send(Packet packet) {
    {
      MutexLock lock(mu_);
      while ((unacked_ >= options_.window_packets || reads_ended_) && failure_.ok()) {
        WaitForProgress();
      }
      if (!failure_.ok()) return failure_;
      if (unacked_++ == 0) last_progress_ms_ = clock_->SteadyMs();  // it was idle until now
      last_seq_ = packet->seq();
      last_sent_ = packet->last();
      if (writing_ != nullptr) {
        queue_.push_back(std::move(packet));
        return absl::OkStatus();
      }
      writing_ = std::move(packet);
    }
    Write();
    return absl::OkStatus();
  }

  // Waits for the ack of the last packet sent.
  absl::StatusOr<v1::WriteAck> WaitForLastAck() {
    MutexLock lock(mu_);
    while (unacked_ > 0 && failure_.ok()) WaitForProgress();
    if (!failure_.ok()) return failure_;
    return last_ack_;
  }

  int failed_index() {
    MutexLock lock(mu_);
    return failed_index_;
  }

 private:
  const v1::WritePacket* writing_now() {
    MutexLock lock(mu_);
    return writing_.get();
  }

  void Write() {
    const v1::WritePacket* packet = writing_now();
    if (packet->last()) {
      StartWriteLast(packet, grpc::WriteOptions());
    } else {
      StartWrite(packet);
    }
  }

  // Waits for a callback, or fails a pipeline that has made no progress for too long.
  void WaitForProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (reads_ended_) return LearnWhyItEnded();
    const int64_t left_ms = last_progress_ms_ + options_.stall_ms - clock_->SteadyMs();
    if (left_ms > 0) {
      changed_.WaitFor(mu_, std::chrono::milliseconds(left_ms));
      return;
    }
    Fail(absl::DeadlineExceededError(fmt::format("no answer for {} from DataNode {}",
                                                 FormatDurationMs(options_.stall_ms),
                                                 NameOf(target_.nodes(0)))),
         0);
  }

  // The peer ended the call before it was done: gRPC tells why once it knows that we start nothing
  // more.
  void LearnWhyItEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    mu_.Unlock();
    ReleaseHold();
    mu_.Lock();
    WaitForEnd();  // OnDone sets the failure
  }

  // Of the pipeline's thread alone.
  void ReleaseHold() {
    if (std::exchange(held_, false)) RemoveHold();
  }

  void WaitForEnd() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const int64_t cancel_ms = clock_->SteadyMs() + kEndMs;
    while (!done_) {
      const int64_t left_ms = cancel_ms - clock_->SteadyMs();
      if (left_ms > 0) {
        changed_.WaitFor(mu_, std::chrono::milliseconds(left_ms));
      } else {
        context_.TryCancel();
        changed_.Wait(mu_);
      }
    }
  }

  void Fail(absl::Status status, int index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!failure_.ok()) return;  // the first failure is the cause of the others
    failure_ = NotCancelled(std::move(status));
    failed_index_ = index;
    queue_.clear();
    changed_.SignalAll();
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(mu_);
      writing_.reset();
      if (ok && !queue_.empty()) {
        writing_ = std::move(queue_.front());
        queue_.pop_front();
      }
      if (writing_ == nullptr) return;  // a broken stream ends its reads too
    }
    Write();
  }

  void OnReadDone(bool ok) override {
    {
      MutexLock lock(mu_);
      if (!ok) {
        reads_ended_ = true;
        changed_.SignalAll();
        return;
      }
      TakeAck();
    }
    StartRead(&ack_);
  }

  void TakeAck() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (int i = 0; i < ack_.nodes_size() && i < target_.nodes_size(); ++i) {
      const v1::NodeAck& node = ack_.nodes(i);
      if (node.code() == 0) continue;
      absl::Status status(static_cast<absl::StatusCode>(node.code()), node.message());
      status = Annotate(std::move(status), fmt::format("DataNode {}", NameOf(target_.nodes(i))));
      return Fail(WithKind(std::move(status), static_cast<ErrorKind>(node.kind())), i);
    }
    if (ack_.seq() != next_ack_ || ack_.seq() > last_seq_) {
      return Fail(
          absl::InternalError(fmt::format("DataNode {} acknowledged packet {} instead of {}",
                                          NameOf(target_.nodes(0)), ack_.seq(), next_ack_)),
          0);
    }
    last_progress_ms_ = clock_->SteadyMs();
    if (next_ack_++ == 0) {
      setup_acked_ = true;
    } else {
      --unacked_;
      if (ack_.seq() == last_seq_) last_ack_ = ack_;
    }
    changed_.SignalAll();
  }

  void OnDone(const grpc::Status& status) override {
    MutexLock lock(mu_);
    if (!status.ok()) {
      Fail(FromRpcStatus(status, fmt::format("DataNode {}", NameOf(target_.nodes(0)))), 0);
    } else if (unacked_ > 0 || !setup_acked_) {
      Fail(absl::UnavailableError(fmt::format("DataNode {} broke off", NameOf(target_.nodes(0)))),
           0);
    }
    done_ = true;
    changed_.SignalAll();
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::DataTransfer::Stub> stub_;
  const v1::LocatedBlock& target_;
  Clock* const clock_;
  const TransferOptions& options_;
  grpc::ClientContext context_;
  v1::WriteAck ack_;  // being read; between reads of OnReadDone alone
  bool held_ = true;  // of the pipeline's thread alone

  Mutex mu_;
  CondVar changed_;
  Packet writing_ ABSL_GUARDED_BY(mu_);            // with gRPC now
  std::deque<Packet> queue_ ABSL_GUARDED_BY(mu_);  // behind it
  uint64_t unacked_ ABSL_GUARDED_BY(mu_) = 0;      // packets sent, in the queue included
  uint64_t next_ack_ ABSL_GUARDED_BY(mu_) = 0;     // 0 is the setup's
  uint64_t last_seq_ ABSL_GUARDED_BY(mu_) = 0;     // of the last packet sent
  bool setup_acked_ ABSL_GUARDED_BY(mu_) = false;
  bool last_sent_ ABSL_GUARDED_BY(mu_) = false;    // the packet marked so was sent
  bool reads_ended_ ABSL_GUARDED_BY(mu_) = false;  // no ack will come any more
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  v1::WriteAck last_ack_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  int failed_index_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_progress_ms_ ABSL_GUARDED_BY(mu_);  // steady time of the last ack
};

BlockPipeline::BlockPipeline(ClientCore* core, v1::LocatedBlock target, uint64_t max_length)
    : core_(core), target_(std::move(target)), max_length_(max_length) {}
BlockPipeline::~BlockPipeline() = default;

absl::Status BlockPipeline::Open() {
  const TransferOptions& options = core_->options().transfer;
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                   core_->datanodes().Connect(target_.nodes(0), options.connect_ms));
  auto packet = std::make_shared<v1::WritePacket>();
  v1::WriteHeader& header = *packet->mutable_header();
  *header.mutable_block() = target_.block();
  header.mutable_block()->set_length(max_length_);
  header.set_stage(v1::WriteHeader::CREATE);
  for (int i = 1; i < target_.nodes_size(); ++i) *header.add_targets() = target_.nodes(i);
  header.set_token(target_.token());
  header.set_client(core_->name());

  stream_ = std::make_unique<Stream>(std::move(channel), target_, &core_->clock(), options);
  stream_->Start(std::move(packet));
  const absl::Status status = stream_->WaitForSetup();
  failed_index_ = stream_->failed_index();
  return status;
}

absl::Status BlockPipeline::Send(Packet packet) {
  const absl::Status status = stream_->Send(std::move(packet));
  failed_index_ = stream_->failed_index();
  return status;
}

absl::Status BlockPipeline::Finish(uint64_t length, uint32_t min_replicas) {
  const absl::StatusOr<v1::WriteAck> ack = stream_->WaitForLastAck();
  failed_index_ = stream_->failed_index();
  RETURN_IF_ERROR(ack.status());

  *finished_.mutable_block() = target_.block();
  finished_.mutable_block()->set_length(length);
  for (int i = 0; i < ack->nodes_size() && i < target_.nodes_size(); ++i) {
    const v1::NodeAck& node = ack->nodes(i);
    // Without a storage's number the NameNode could not tell where the replica is.
    if (node.durable_length() == length && node.storage() != 0) {
      finished_.add_storages(node.storage());
    } else {
      failed_index_ = i;
    }
  }
  if (static_cast<uint32_t>(finished_.storages_size()) >= min_replicas) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("{} of {} DataNodes have the block on disk, {} needed",
                                            finished_.storages_size(), target_.nodes_size(),
                                            min_replicas));
}

const v1::NodeAddress& BlockPipeline::failed_node() const { return target_.nodes(failed_index_); }

}  // namespace cairn
