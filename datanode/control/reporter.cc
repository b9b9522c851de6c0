#include "datanode/control/reporter.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/strings.h"
#include "datanode/control/namenode_link.h"
#include "datanode/pipeline/node_numbers.h"
#include "datanode/store/replica_store.h"
#include "proto/control.pb.h"

namespace cairn::datanode {
namespace {

constexpr size_t kMaxChanges = 1'000;   // a message
constexpr size_t kMaxReplicas = 2'000;  // a piece: what the NameNode takes in under one lock hold

void SetBlock(const Block& block, v1::Block* out) {
  out->set_id(block.id);
  out->set_generation(block.generation);
  out->set_length(block.length);
}

v1::ReplicaChange::Kind ToProto(ChangeQueue::Change::Kind kind) {
  switch (kind) {
    case ChangeQueue::Change::kReceived:
      return v1::ReplicaChange::RECEIVED;
    case ChangeQueue::Change::kWaiting:
      return v1::ReplicaChange::WAITING;
    default:
      return v1::ReplicaChange::DELETED;
  }
}

// Sending the same again would change nothing, and hold up all that waits behind it.
bool IsRejected(const absl::Status& status) {
  if (KindOf(status) != ErrorKind::kNone) return false;
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status);
}

}  // namespace

Reporter::Reporter(Options options, std::string node_id, uint64_t incarnation, NameNodeLink* link,
                   ReplicaStore* store, const NodeNumbers* numbers, ChangeQueue* changes,
                   Clock* clock)
    : options_(options),
      node_id_(std::move(node_id)),
      incarnation_(incarnation),
      link_(link),
      store_(store),
      numbers_(numbers),
      changes_(changes),
      clock_(clock),
      next_full_ms_(clock->SteadyMs() + options.full_report_interval_ms) {}

void Reporter::RequestFullReports(const std::vector<StorageNumber>& storages) {
  const std::vector<VolumeInfo> volumes = store_->Volumes();
  MutexLock lock(mu_);
  for (const VolumeInfo& volume : volumes) {
    const StorageNumber number = numbers_->storage(volume.index);
    const bool asked =
        storages.empty() || std::find(storages.begin(), storages.end(), number) != storages.end();
    if (asked && !volume.failed) due_.insert(volume.index);
  }
  if (!storages.empty()) return;
  const int64_t tenth = options_.full_report_interval_ms / 10;
  const auto jitter = static_cast<int64_t>(RandomU64() % static_cast<uint64_t>(tenth + 1));
  next_full_ms_ = clock_->SteadyMs() + options_.full_report_interval_ms - jitter;
}

void Reporter::RequestIfTimeHasCome() {
  {
    MutexLock lock(mu_);
    if (clock_->SteadyMs() < next_full_ms_) return;
  }
  RequestFullReports({});
}

absl::Status Reporter::RunOnce() {
  RETURN_IF_ERROR(SendChanges());
  RequestIfTimeHasCome();
  return SendFullReports();
}

absl::Status Reporter::SendChanges() {
  while (true) {
    const std::vector<ChangeQueue::Change> changes = changes_->Front(kMaxChanges);
    if (changes.empty()) return absl::OkStatus();
    // Bad replicas have a call of their own; what came before goes first.
    if (changes.front().kind == ChangeQueue::Change::kBad) {
      RETURN_IF_ERROR(SendBad(changes.front()));
      changes_->Acknowledge(1);
      continue;
    }
    v1::IncrementalReportRequest request;
    request.set_node_id(node_id_);
    request.set_incarnation(incarnation_);
    size_t count = 0;
    for (const ChangeQueue::Change& change : changes) {
      if (change.kind == ChangeQueue::Change::kBad) break;
      ++count;
      // Its deletion, which was ordered before this was sent, is told once it is done.
      const bool deleted = change.kind == ChangeQueue::Change::kDeleted;
      if (!deleted && store_->IsDeleting(change.block)) continue;
      // Of a volume that was removed: with it, the NameNode has lost all that was there.
      if (numbers_->storage(change.volume) == 0) continue;
      v1::ReplicaChange* out = request.add_changes();
      out->set_kind(ToProto(change.kind));
      out->set_storage(numbers_->storage(change.volume));
      SetBlock(change.block, out->mutable_block());
    }
    request.set_sequence(++sequence_);
    const absl::Status sent =
        request.changes().empty() ? absl::OkStatus() : link_->IncrementalReport(request);
    if (IsRejected(sent)) {
      LogError("the NameNode rejects a report of {} changes: {}", count, MessageOf(sent));
      RequestFullReports({});
    } else if (!sent.ok()) {
      return sent;
    }
    changes_->Acknowledge(count);
  }
}

absl::Status Reporter::SendBad(const ChangeQueue::Change& change) {
  if (numbers_->storage(change.volume) == 0) return absl::OkStatus();  // its volume was removed
  v1::BadReplicaRequest request;
  request.set_node_id(node_id_);
  request.set_incarnation(incarnation_);
  request.set_storage(numbers_->storage(change.volume));
  SetBlock(change.block, request.mutable_block());
  const absl::Status sent = link_->BadReplica(request);
  if (!IsRejected(sent)) return sent;
  LogWarn("the NameNode does not take block {} (generation {}) as bad: {}", change.block.id,
          change.block.generation, MessageOf(sent));
  return absl::OkStatus();
}

absl::Status Reporter::SendFullReports() {
  while (true) {
    size_t volume;
    {
      MutexLock lock(mu_);
      if (due_.empty()) return absl::OkStatus();
      volume = *due_.begin();
      due_.erase(due_.begin());
    }
    const absl::Status sent = SendFullReport(volume);
    if (!sent.ok()) {
      MutexLock lock(mu_);
      due_.insert(volume);
      return sent;
    }
    // Between the reports of two disks, what has changed meanwhile.
    RETURN_IF_ERROR(SendChanges());
  }
}

absl::Status Reporter::SendFullReport(size_t volume) {
  if (numbers_->storage(volume) == 0) return absl::OkStatus();  // it was removed
  std::vector<ReplicaInfo> replicas = store_->Replicas(volume);
  // The NameNode finds neighbours faster than what lies scattered over all of its blocks.
  std::sort(replicas.begin(), replicas.end(),
            [](const ReplicaInfo& a, const ReplicaInfo& b) { return a.block.id < b.block.id; });
  size_t sent = 0;
  bool done = false;
  const auto next = [&](v1::FullReportPiece* piece) {
    if (done) return false;
    piece->set_node_id(node_id_);
    piece->set_incarnation(incarnation_);
    piece->set_storage(numbers_->storage(volume));
    piece->set_total(replicas.size());
    for (uint32_t i = 0; i < kMaxReplicas && sent < replicas.size(); ++i, ++sent) {
      const ReplicaInfo& replica = replicas[sent];
      piece->add_block_ids(replica.block.id);
      piece->add_generations(replica.block.generation);
      piece->add_lengths(replica.block.length);
      if (replica.state == ReplicaState::kOpen) piece->add_open(i);
      if (replica.waiting) piece->add_waiting(i);
    }
    done = sent == replicas.size();
    piece->set_last(done);
    return true;
  };
  RETURN_IF_ERROR(link_->FullReport(next));
  // A report lists what can be read; what is bad is told each time, for the NameNode may be new.
  for (const ReplicaInfo& bad : store_->BadReplicas()) {
    if (bad.volume != volume) continue;
    RETURN_IF_ERROR(SendBad({ChangeQueue::Change::kBad, bad.volume, bad.block}));
  }
  LogInfo("reported {} replicas of storage {}", replicas.size(), numbers_->storage(volume));
  return absl::OkStatus();
}

}  // namespace cairn::datanode
