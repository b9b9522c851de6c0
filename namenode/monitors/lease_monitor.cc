#include "namenode/monitors/lease_monitor.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/status.h"

namespace cairn::namenode {

LeaseMonitor::LeaseMonitor(Clock* clock, Namesystem* namesystem, BlockManager* blocks,
                           LeaseOptions options, Metrics* metrics)
    : clock_(clock),
      namesystem_(namesystem),
      blocks_(blocks),
      options_(options),
      files_(metrics->AddGauge("cairn_namenode_files_in_recovery",
                               "Files whose blocks are being settled")),
      files_waiting_(metrics->AddGauge("cairn_namenode_files_awaiting_datanodes",
                                       "Of these, those whose DataNodes are dead or awaited")),
      ordered_(metrics->AddCounter("cairn_namenode_block_recoveries_total",
                                   "Block recoveries ordered from DataNodes")),
      leases_ended_(metrics->AddCounter("cairn_namenode_leases_ended_total",
                                        "Files taken from writers silent for the hard limit")) {}

absl::Status LeaseMonitor::RunOnce() {
  // What is settled on an older journal, or before DataNodes have reported, may be wrong for good.
  if (blocks_->InSafeMode()) return absl::OkStatus();
  RETURN_IF_ERROR(EndExpiredLeases());
  std::vector<RecoveringFile> files;
  namesystem_->Peek([&](const FsState& state) { files = FilesInRecovery(state); });
  waiting_ = 0;
  std::map<BlockId, Recovery> before = std::exchange(recoveries_, {});
  absl::Status status;
  for (const RecoveringFile& file : files) {
    const Block& block = file.block.block;
    Recovery& recovery = recoveries_[block.id];
    recovery.generation = block.generation;
    const auto it = before.find(block.id);
    const bool same = it != before.end() && it->second.generation == block.generation;
    if (same) recovery = std::move(it->second);
    if (status.ok()) status = Recover(file, recovery);
  }
  files_->Set(static_cast<double>(files.size()));
  files_waiting_->Set(static_cast<double>(waiting_));
  return status;
}

absl::Status LeaseMonitor::EndExpiredLeases() {
  for (const Lease& lease : namesystem_->ExpiredLeases(options_.hard_limit_ms)) {
    for (const INodeId inode : lease.inodes) {
      RETURN_IF_ERROR(namesystem_
                          ->CommitAndWait(Origin::kInternal, std::nullopt,
                                          [&](const FsState& s) {
                                            return PlanTakeOver(s, inode, lease.holder);
                                          })
                          .status());
      LogInfo("file {} is taken from a writer that was silent for the hard limit", inode);
      leases_ended_->Increment();
    }
  }
  return absl::OkStatus();
}

int64_t LeaseMonitor::RetryMs(int tries) const {
  const int64_t first = 2 * options_.heartbeat_interval_ms + options_.retry_ms;
  const int64_t most = std::max(first, options_.max_retry_ms);
  int64_t retry = first;
  for (int i = 1; i < tries && retry < most; ++i) retry *= 2;
  return std::min(retry, most);
}

bool LeaseMonitor::Due(const Recovery& recovery, const std::vector<NodeNumber>& members) const {
  const int64_t now = clock_->SteadyMs();
  if (recovery.tries == 0 || now >= recovery.retry_at_ms) return true;
  // A member that died meanwhile would never have answered, and one that came may know more: no
  // need to wait, once the order has had the time to be given.
  return members != recovery.members &&
         now - recovery.ordered_ms >= 2 * options_.heartbeat_interval_ms;
}

void LeaseMonitor::LogWaiting(const RecoveringFile& file, size_t awaited,
                              Recovery& recovery) const {
  const int64_t now = clock_->SteadyMs();
  if (recovery.logged_ms != 0 && now - recovery.logged_ms < options_.log_every_ms) return;
  recovery.logged_ms = now;
  if (awaited > 0) {
    LogInfo("block {} of file {} cannot be recovered yet: {} of its {} DataNodes are awaited",
            file.block.block.id, file.inode, awaited, file.block.pipeline.size());
  } else {
    LogWarn("block {} of file {} cannot be recovered: all of its {} DataNodes are dead",
            file.block.block.id, file.inode, file.block.pipeline.size());
  }
}

absl::Status LeaseMonitor::Recover(const RecoveringFile& file, Recovery& recovery) {
  RecoveryMembers found = blocks_->FindMembers(file.block.pipeline);
  if (!found.awaited.empty() || found.alive.empty()) {
    ++waiting_;
    LogWaiting(file, found.awaited.size(), recovery);
    return absl::OkStatus();
  }
  std::vector<NodeNumber> members;
  for (const NodeAddress& member : found.alive) members.push_back(member.number);
  std::sort(members.begin(), members.end());
  if (!Due(recovery, members)) return absl::OkStatus();

  // The answer comes once the stamp is durable, and with it all that was seen of the file.
  absl::StatusOr<Answer> answer = namesystem_->CommitAndWait(
      Origin::kInternal, std::nullopt,
      [&](const FsState& s) { return PlanBeginRecovery(s, file.inode); });
  RETURN_IF_ERROR(answer.status());
  const auto* stamp = std::get_if<NewStampAnswer>(&*answer);
  if (stamp == nullptr) return absl::OkStatus();  // closed or deleted meanwhile

  const NodeNumber primary =
      found.alive[static_cast<size_t>(recovery.tries) % found.alive.size()].number;
  recovery.ordered_ms = clock_->SteadyMs();
  recovery.retry_at_ms = recovery.ordered_ms + RetryMs(++recovery.tries);
  recovery.members = std::move(members);
  if (blocks_->OrderRecovery(
          primary, {file.block.block, stamp->generation, std::move(found.alive), file.block.cut})) {
    ordered_->Increment();
  }
  return absl::OkStatus();
}

}  // namespace cairn::namenode
