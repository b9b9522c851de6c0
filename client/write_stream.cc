#include "client/write_stream.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/connect.h"
#include "common/ids.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "common/units.h"

namespace cairn {
namespace {

// A slow writer may keep a block open for long; a silent node is noticed by its missing acks.
constexpr int64_t kStreamDeadlineMs = 24 * 3'600'000;
constexpr int64_t kEndMs = 2'000;  // for the peer to end a call after its last ack
constexpr int64_t kLookMs = 500;   // a waiting writer looks this often whether the node is silent
constexpr int64_t kPausedMs = 1'000;  // looks that are further apart: it was us who did not run
// Nodes behind the first are judged by those before them, who must be done sooner.
constexpr int64_t kMoreMsPerNode = 2'000;

constexpr int kSuspicions = 3;  // before a node that is not busy is taken for slow

// Nobody cancels a pipeline but its writer, who then asks for no failure: a CANCELLED of a peer
// says that the node broke off.
absl::Status NotCancelled(absl::Status status) {
  if (!absl::IsCancelled(status)) return status;
  return WithKind(absl::UnavailableError(status.message()), KindOf(status));
}

std::string DataNodeName(const v1::NodeAddress& node) {
  return fmt::format("DataNode {}", NameOf(node));
}

}  // namespace

// Start... functions are called without the lock, because gRPC may call back at once. Writes go out
// one at a time: whoever sets `writing_` starts the write.
WriteStream::WriteStream(std::shared_ptr<grpc::Channel> channel, Options options, Clock* clock,
                         PipelineKeeper* keeper, PacketSize* packet_size)
    : channel_(std::move(channel)),
      stub_(channel_),
      options_(std::move(options)),
      clock_(clock),
      keeper_(keeper),
      packet_size_(packet_size),
      last_sent_ms_(clock->SteadyMs()),
      last_heard_ms_(last_sent_ms_),
      last_progress_ms_(last_sent_ms_),
      last_look_ms_(last_sent_ms_) {}

WriteStream::~WriteStream() {
  keeper_->Remove(this);
  bool finished;
  {
    MutexLock lock(mu_);
    finished = IsFinished() && !options_.weak;
  }
  // A block that is done ends by itself. Nodes go on with a weak one without us; anything else is
  // broken off.
  if (!finished) context_.TryCancel();
  ReleaseHold();
  MutexLock lock(mu_);
  WaitForEnd();
}

bool WriteStream::IsFinished() const {
  return setup_acked_ && last_sent_ && in_flight_.empty() && failure_.ok();
}

void WriteStream::Start(Packet header) {
  SetupContext(context_, kStreamDeadlineMs);
  stub_.PrepareBidiStreamingCall(&context_, kWriteBlockMethod, {}, this);
  AddHold();  // we start writes from outside of callbacks, until the destructor
  const SharedWritePacket* packet = nullptr;
  {
    MutexLock lock(mu_);
    packet = SetWriting(std::move(header));
  }
  StartRead(&ack_);
  StartWrite(packet);
  StartCall();
  keeper_->Add(this);
}

absl::Status WriteStream::WaitForSetup() {
  MutexLock lock(mu_);
  while (!setup_acked_ && failure_.ok()) WaitForProgress();
  return failure_;
}

absl::Status WriteStream::Send(Packet packet) {
  const SharedWritePacket* write = nullptr;
  {
    MutexLock lock(mu_);
    while ((in_flight_.size() >= options_.transfer.window_packets || reads_ended_) &&
           failure_.ok()) {
      WaitForProgress();
    }
    if (!failure_.ok()) return failure_;
    write = Enqueue(std::move(packet));
  }
  if (write != nullptr) Write(write);
  return absl::OkStatus();
}

const SharedWritePacket* WriteStream::Enqueue(Packet packet) {
  last_sent_ms_ = clock_->SteadyMs();
  if (in_flight_.empty()) {  // nothing was owed until now
    last_heard_ms_ = last_sent_ms_;
    last_progress_ms_ = last_sent_ms_;
    StartWindow(clock_->SteadyUs());
  }
  packet->set_seq(++last_seq_);
  const uint64_t bytes = packet->payload().size();
  sent_end_ = std::max(sent_end_, packet->offset() + bytes);
  last_sent_ = packet->last();
  in_flight_.push_back({.seq = last_seq_,
                        .bytes = bytes,
                        .sync_to = packet->sync() ? packet->offset() + bytes : 0,
                        .sent_us = clock_->SteadyUs()});
  if (writing_ != nullptr) {
    queue_.push_back(std::move(packet));
    return nullptr;
  }
  ++starting_;
  return SetWriting(std::move(packet));
}

const SharedWritePacket* WriteStream::SetWriting(Packet packet) {
  writing_ = std::move(packet);
  return &outgoing_.emplace_back(SharedWritePacket{writing_});
}

absl::Status WriteStream::WaitForAcks() {
  MutexLock lock(mu_);
  while (!in_flight_.empty() && failure_.ok()) WaitForProgress();
  return failure_;
}

uint64_t WriteStream::acked_seq() {
  MutexLock lock(mu_);
  return acked_seq_;
}

v1::WriteAck WriteStream::setup_ack() {
  MutexLock lock(mu_);
  return setup_ack_;
}

v1::WriteAck WriteStream::last_ack() {
  MutexLock lock(mu_);
  return last_ack_;
}

int WriteStream::failed_index() {
  MutexLock lock(mu_);
  return failed_index_;
}

void WriteStream::Poke() {
  const SharedWritePacket* write = nullptr;
  {
    MutexLock lock(mu_);
    if (FailIfSilent() || reads_ended_ || !setup_acked_ || last_sent_ || !held_) return;
    if (!in_flight_.empty()) return;
    if (clock_->SteadyMs() - last_sent_ms_ < options_.transfer.heartbeat_ms) return;
    auto heartbeat = std::make_shared<v1::WritePacket>();
    heartbeat->set_offset(sent_end_ / kChunkBytes * kChunkBytes);
    write = Enqueue(std::move(heartbeat));
    if (write == nullptr) return;
    AddHold();  // the writer may let go of its own meanwhile
  }
  Write(write);
  RemoveHold();
}

void WriteStream::Write(const SharedWritePacket* packet) {
  if (packet->packet->last()) {
    StartWriteLast(packet, grpc::WriteOptions());
  } else {
    StartWrite(packet);
  }
  MutexLock lock(mu_);
  --starting_;
  LetGoOfWritten();
}

// A write may be done, on another thread, before the one that started it has let go of the packet.
void WriteStream::LetGoOfWritten() {
  if (starting_ > 0) return;
  while (outgoing_.size() > (writing_ == nullptr ? 0 : 1)) outgoing_.pop_front();
}

void WriteStream::WaitForProgress() {
  if (reads_ended_) return LearnWhyItEnded();
  if (FailIfSilent()) return;
  const int64_t now_us = clock_->SteadyUs();
  const int64_t left_ms = last_heard_ms_ + options_.transfer.stall_ms - now_us / 1000;
  waiting_since_us_ = now_us;
  changed_.WaitFor(mu_, std::chrono::milliseconds(std::clamp<int64_t>(left_ms, 1, kLookMs)));
  writer_waited_us_ += clock_->SteadyUs() - waiting_since_us_;
  waiting_since_us_ = 0;
}

bool WriteStream::FailIfSilent() {
  if (options_.stopped != nullptr && options_.stopped->load()) {
    Fail(absl::UnavailableError("the writer gave the file up"), 0);
  }
  const int64_t now_ms = clock_->SteadyMs();
  const int64_t unseen_ms = now_ms - std::exchange(last_look_ms_, now_ms);
  // This process was stopped, or had no time: what came meanwhile is not taken in yet.
  if (unseen_ms > kPausedMs) {
    last_heard_ms_ = std::min(last_heard_ms_ + unseen_ms, now_ms);
    last_progress_ms_ = std::min(last_progress_ms_ + unseen_ms, now_ms);
  }
  if (!failure_.ok() || reads_ended_ || (setup_acked_ && in_flight_.empty())) {
    return !failure_.ok();
  }
  const TransferOptions& transfer = options_.transfer;
  const v1::NodeAddress& first = options_.nodes.front();
  if (now_ms - last_heard_ms_ >= transfer.stall_ms) {
    Fail(absl::DeadlineExceededError(fmt::format(
             "no answer for {} from {}", FormatDurationMs(transfer.stall_ms), DataNodeName(first))),
         0);
  } else if (now_ms - last_progress_ms_ >=
             transfer.max_progress_ms +
                 kMoreMsPerNode * static_cast<int64_t>(options_.nodes.size() - 1)) {
    Fail(absl::DeadlineExceededError(fmt::format("{} gets nowhere, for {}", DataNodeName(first),
                                                 FormatDurationMs(transfer.max_progress_ms))),
         0);
  }
  return !failure_.ok();
}

// The peer ended the call before it was done: gRPC tells why once it knows that we start nothing
// more. Called by the writer alone.
void WriteStream::LearnWhyItEnded() {
  mu_.Unlock();
  ReleaseHold();
  mu_.Lock();
  WaitForEnd();  // OnDone sets the failure
}

void WriteStream::ReleaseHold() {
  {
    MutexLock lock(mu_);
    if (!std::exchange(held_, false)) return;
  }
  RemoveHold();
}

void WriteStream::WaitForEnd() {
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

void WriteStream::Fail(absl::Status status, int index) {
  if (!failure_.ok()) return;  // the first failure is the cause of the others
  failure_ = NotCancelled(std::move(status));
  failed_index_ = index;
  queue_.clear();
  changed_.SignalAll();
}

void WriteStream::OnWriteDone(bool ok) {
  const SharedWritePacket* next = nullptr;
  {
    MutexLock lock(mu_);
    writing_.reset();
    if (ok && !queue_.empty()) {
      next = SetWriting(std::move(queue_.front()));
      queue_.pop_front();
      ++starting_;
    }
    LetGoOfWritten();
  }
  if (next != nullptr) Write(next);  // a broken stream ends its reads too
}

void WriteStream::OnReadDone(bool ok) {
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

void WriteStream::TakeAck() {
  last_heard_ms_ = clock_->SteadyMs();
  if (TakeFailure() || ack_.alive()) return;
  changed_.SignalAll();
  if (!setup_acked_) return TakeSetup();
  const int index = std::min(ack_.nodes_size(), static_cast<int>(options_.nodes.size()) - 1);
  const bool ends_block = options_.weak && last_sent_ && ack_.seq() == last_seq_;
  if (!ends_block && (in_flight_.empty() || ack_.seq() != in_flight_.front().seq)) {
    return Fail(absl::InternalError(fmt::format("{} acknowledged packet {}, which is not the next",
                                                DataNodeName(options_.nodes.front()), ack_.seq())),
                0);
  }
  if (!ends_block && ack_.nodes_size() != static_cast<int>(options_.nodes.size())) {
    return Fail(absl::InternalError(fmt::format("no word of {} in an acknowledgement",
                                                DataNodeName(options_.nodes[index]))),
                index);
  }
  if (in_flight_.empty()) return;
  for (int i = 0; i < ack_.nodes_size(); ++i) {
    if (ack_.nodes(i).durable_length() >= in_flight_.front().sync_to) continue;
    return Fail(absl::UnavailableError(fmt::format(
                    "{} has {} bytes on disk instead of {}", DataNodeName(options_.nodes[i]),
                    ack_.nodes(i).durable_length(), in_flight_.front().sync_to)),
                i);
  }
  last_progress_ms_ = last_heard_ms_;
  acked_seq_ = ack_.seq();
  NoteServiceTime();
  while (!in_flight_.empty() && in_flight_.front().seq <= ack_.seq()) {
    totals_.bytes += in_flight_.front().bytes;
    in_flight_.pop_front();
  }
  if (last_sent_ && ack_.seq() == last_seq_) last_ack_ = ack_;
  JudgeSpeed();
}

// The first node with an error is the one to blame; those behind it are only cut off.
bool WriteStream::TakeFailure() {
  for (int i = 0; i < ack_.nodes_size() && i < static_cast<int>(options_.nodes.size()); ++i) {
    const v1::NodeAck& node = ack_.nodes(i);
    if (node.code() == 0) continue;
    absl::Status status(static_cast<absl::StatusCode>(node.code()), node.message());
    status = Annotate(std::move(status), DataNodeName(options_.nodes[i]));
    Fail(WithKind(std::move(status), static_cast<ErrorKind>(node.kind())), i);
    return true;
  }
  return false;
}

void WriteStream::TakeSetup() {
  const int count = static_cast<int>(options_.nodes.size());
  if (ack_.seq() != 0 || ack_.nodes_size() != count) {
    return Fail(absl::InternalError(fmt::format("{} answered for {} of {} DataNodes",
                                                DataNodeName(options_.nodes.front()),
                                                ack_.nodes_size(), count)),
                std::min(ack_.nodes_size(), count - 1));
  }
  setup_acked_ = true;
  setup_ack_ = ack_;
  last_progress_ms_ = last_heard_ms_;
}

// Packets are served one after another: the time since the last one was done, or since it was sent.
void WriteStream::NoteServiceTime() {
  const InFlight& packet = in_flight_.front();
  const int64_t now_us = clock_->SteadyUs();
  // Disks have their own times to sync and to finish.
  if (packet.bytes > 0 && packet.sync_to == 0 && !(last_sent_ && in_flight_.size() == 1)) {
    packet_size_->Served(packet.bytes, now_us - std::max(packet.sent_us, last_ack_us_));
  }
  last_ack_us_ = now_us;
}

void WriteStream::StartWindow(int64_t now_us) {
  window_start_us_ = now_us;
  window_start_ = totals_;
  window_start_.writer_waited_us = writer_waited_us_;
  if (waiting_since_us_ != 0) window_start_.writer_waited_us += now_us - waiting_since_us_;
}

void WriteStream::JudgeSpeed() {
  totals_.nodes.resize(options_.nodes.size());
  for (int i = 0; i < ack_.nodes_size(); ++i) {
    totals_.nodes[i] = {static_cast<int64_t>(ack_.nodes(i).waited_us()),
                        static_cast<int64_t>(ack_.nodes(i).worked_us())};
  }
  const int64_t now_us = clock_->SteadyUs();
  const int64_t window_us = options_.transfer.slow_window_ms * 1000;
  if (!options_.find_slow_nodes || now_us - window_start_us_ < window_us) return;
  PipelineWindow window = totals_;
  window.duration_us = now_us - window_start_us_;
  window.writer_waited_us = writer_waited_us_ - window_start_.writer_waited_us;
  if (waiting_since_us_ != 0) window.writer_waited_us += now_us - waiting_since_us_;
  window.bytes -= window_start_.bytes;
  window_start_.nodes.resize(window.nodes.size());
  for (size_t i = 0; i < window.nodes.size(); ++i) {
    window.nodes[i].waited_us -= window_start_.nodes[i].waited_us;
    window.nodes[i].worked_us -= window_start_.nodes[i].worked_us;
  }
  const std::optional<SlowNode> slow = FindSlowNode(window, options_.transfer.slow_bytes_per_s);
  StartWindow(now_us);
  if (!slow) {
    suspicions_ = 0;
    return;
  }
  suspicions_ = slow->index == suspect_ ? suspicions_ + 1 : 1;
  suspect_ = slow->index;
  if (in_flight_.empty() || (!slow->busy && suspicions_ < kSuspicions)) return;
  const uint64_t per_s = window.bytes * 1'000'000 / static_cast<uint64_t>(window.duration_us);
  Fail(WithKind(absl::UnavailableError(fmt::format("{} holds the others up: {} a second",
                                                   DataNodeName(options_.nodes[slow->index]),
                                                   FormatSize(per_s))),
                ErrorKind::kSlowNode),
       slow->index);
}

void WriteStream::OnDone(const grpc::Status& status) {
  MutexLock lock(mu_);
  if (!status.ok()) {
    Fail(FromRpcStatus(status, DataNodeName(options_.nodes.front())), 0);
  } else if (!IsFinished()) {
    Fail(absl::UnavailableError(fmt::format("{} broke off", DataNodeName(options_.nodes.front()))),
         0);
  }
  done_ = true;
  changed_.SignalAll();
}

}  // namespace cairn
