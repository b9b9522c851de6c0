#include "namenode/blocks/block_manager.h"

#include <algorithm>
#include <utility>

#include "absl/types/span.h"
#include "common/clock.h"
#include "common/logging.h"
#include "common/status.h"
#include "namenode/blocks/reported_state.h"

namespace cairn::namenode {
namespace {

constexpr size_t kReplicasPerLock = 2'000;
constexpr size_t kBlocksPerLock = 500;  // of a repair round, whose work per block is larger

}  // namespace

BlockManager::BlockManager(BlockManagerOptions options, Clock* clock, std::function<TxId()> durable,
                           uint64_t seed)
    : durable_(std::move(durable)),
      state_(std::make_unique<ReportedState>(std::move(options), clock, seed)) {}

BlockManager::~BlockManager() = default;

void BlockManager::Drain() {
  for (const ChangeQueue::Entry& entry : changes_.TakeUpTo(durable_())) {
    for (const BlockChange& change : entry.changes) state_->Apply(change);
  }
}

void BlockManager::UpdateSafeMode() {
  state_->UpdateSafeMode();
  const bool on = state_->safe_mode().on();
  if (on == safe_mode_on_.load(std::memory_order_relaxed)) return;
  safe_mode_on_.store(on, std::memory_order_release);
  if (on) {
    LogInfo("{}", state_->safe_mode().Reason());
  } else {
    LogInfo("safe mode is off");
  }
}

// --- The start ------------------------------------------------------------------------------

void BlockManager::LoadBlock(const BlockChange& block) {
  MutexLock lock(mu_);
  state_->Apply(block);
}

void BlockManager::LoadNode(const NodeRegistration& node) {
  MutexLock lock(mu_);
  state_->LoadNode(node);
}

void BlockManager::FinishLoading() {
  MutexLock lock(mu_);
  state_->safe_mode().FinishLoading();
  UpdateSafeMode();
}

// --- The namesystem -------------------------------------------------------------------------

void BlockManager::SetIdLimits(BlockId highest_block_id, GenerationStamp highest_generation) {
  MutexLock lock(mu_);
  Drain();
  state_->RaiseLimits(highest_block_id, highest_generation);
}

void BlockManager::SpareIds(BlockId first, BlockId last, GenerationStamp first_stamp,
                            GenerationStamp last_stamp) {
  MutexLock lock(mu_);
  Drain();
  state_->SpareIds(first, last, first_stamp, last_stamp);
}

absl::StatusOr<std::vector<NodeNumber>> BlockManager::ChooseTargets(const TargetRequest& request) {
  MutexLock lock(mu_);
  Drain();
  return state_->ChooseTargets(request);
}

BlockLocations BlockManager::Locate(BlockId block, std::string_view reader_host,
                                    std::string_view reader_rack) {
  MutexLock lock(mu_);
  Drain();
  return state_->Locate(block, reader_host, reader_rack);
}

std::vector<NodeAddress> BlockManager::LocateOpen(const std::vector<NodeNumber>& pipeline,
                                                  std::string_view reader_host,
                                                  std::string_view reader_rack) {
  MutexLock lock(mu_);
  Drain();
  return state_->LocateOpen(pipeline, reader_host, reader_rack);
}

std::optional<std::vector<NodeNumber>> BlockManager::GoodNodes(const Block& block) {
  MutexLock lock(mu_);
  Drain();
  return state_->GoodNodes(block);
}

std::vector<NodeAddress> BlockManager::NodeAddresses(const std::vector<NodeNumber>& nodes) {
  MutexLock lock(mu_);
  Drain();
  return state_->NodeAddresses(nodes);
}

// --- DataNodes ------------------------------------------------------------------------------

absl::Status BlockManager::Register(const NodeRegistration& registration) {
  while (true) {
    MutexLock lock(mu_);
    Drain();
    RETURN_IF_ERROR(state_->PrepareRegister(registration));
    if (!state_->RemoveLostReplicas(kReplicasPerLock)) continue;
    RETURN_IF_ERROR(state_->Register(registration));
    UpdateSafeMode();
    break;
  }
  RemoveLostReplicas();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NodeCommand>> BlockManager::Heartbeat(std::string_view node_id,
                                                                 uint64_t incarnation,
                                                                 const HeartbeatReport& report) {
  absl::StatusOr<std::vector<NodeCommand>> commands;
  {
    MutexLock lock(mu_);
    Drain();
    commands = state_->Heartbeat(node_id, incarnation, report);
  }
  RemoveLostReplicas();  // of volumes that have failed
  return commands;
}

absl::Status BlockManager::FullReportPiece(std::string_view node_id, uint64_t incarnation,
                                           StorageNumber storage, bool first, bool last,
                                           const std::vector<ReplicaRecord>& replicas) {
  if (first) {
    MutexLock lock(mu_);
    Drain();
    RETURN_IF_ERROR(state_->BeginReport(node_id, incarnation, storage));
  }
  const auto all = absl::MakeConstSpan(replicas);
  for (size_t begin = 0; begin < all.size(); begin += kReplicasPerLock) {
    MutexLock lock(mu_);
    Drain();
    RETURN_IF_ERROR(
        state_->ReportPiece(node_id, incarnation, storage, all.subspan(begin, kReplicasPerLock)));
    UpdateSafeMode();
  }
  BlockId cursor = 0;
  for (bool swept = !last; !swept;) {
    MutexLock lock(mu_);
    Drain();
    ASSIGN_OR_RETURN(swept,
                     state_->SweepReport(node_id, incarnation, storage, cursor, kReplicasPerLock));
    UpdateSafeMode();
  }
  return absl::OkStatus();
}

absl::Status BlockManager::IncrementalReport(std::string_view node_id, uint64_t incarnation,
                                             uint64_t sequence,
                                             const std::vector<ReplicaChange>& changes) {
  const auto all = absl::MakeConstSpan(changes);
  size_t begin = 0;
  do {  // once even if empty: the caller learns whether it is known
    MutexLock lock(mu_);
    Drain();
    const bool last = all.size() - begin <= kReplicasPerLock;
    RETURN_IF_ERROR(state_->IncrementalReport(node_id, incarnation, sequence, last,
                                              all.subspan(begin, kReplicasPerLock)));
    UpdateSafeMode();
    begin += kReplicasPerLock;
  } while (begin < all.size());
  return absl::OkStatus();
}

absl::Status BlockManager::BadReplica(std::string_view node_id, uint64_t incarnation,
                                      StorageNumber storage, const Block& block) {
  MutexLock lock(mu_);
  Drain();
  const absl::Status status = state_->BadReplica(node_id, incarnation, storage, block);
  UpdateSafeMode();
  return status;
}

// --- Block recovery -------------------------------------------------------------------------

RecoveryMembers BlockManager::FindMembers(const std::vector<NodeNumber>& pipeline) {
  MutexLock lock(mu_);
  Drain();
  return state_->FindMembers(pipeline);
}

bool BlockManager::OrderRecovery(NodeNumber primary, RecoverBlock order) {
  MutexLock lock(mu_);
  Drain();
  return state_->OrderRecovery(primary, std::move(order));
}

absl::Status BlockManager::CheckSpeaker(std::string_view node_id, uint64_t incarnation) {
  MutexLock lock(mu_);
  Drain();
  return state_->CheckSpeaker(node_id, incarnation);
}

// --- Monitors -------------------------------------------------------------------------------

void BlockManager::RemoveLostReplicas() {
  for (bool done = false; !done;) {
    MutexLock lock(mu_);
    done = state_->RemoveLostReplicas(kReplicasPerLock);
    UpdateSafeMode();
  }
}

void BlockManager::RunHeartbeatCheck() {
  {
    MutexLock lock(mu_);
    Drain();
    state_->CheckNodes();
  }
  RemoveLostReplicas();
}

void BlockManager::RunReplicationRound() {
  {
    MutexLock lock(mu_);
    Drain();
    if (!state_->BeginRound()) return;
  }
  ReplicationQueues::Cursor cursor;
  for (bool done = false; !done;) {
    MutexLock lock(mu_);
    Drain();
    if (state_->safe_mode().on()) return;
    done = state_->ScheduleCopies(cursor, kBlocksPerLock);
  }
  BlockId next = 0;
  for (bool done = false; !done;) {
    MutexLock lock(mu_);
    Drain();
    if (state_->safe_mode().on()) return;
    done = state_->DeleteSurplus(next, kBlocksPerLock);
  }
}

// --- Safe mode ------------------------------------------------------------------------------

std::string BlockManager::SafeModeReason() {
  MutexLock lock(mu_);
  Drain();
  UpdateSafeMode();
  return state_->safe_mode().Reason();
}

void BlockManager::EnterSafeMode() {
  MutexLock lock(mu_);
  Drain();
  state_->safe_mode().Enter();
  UpdateSafeMode();
}

absl::Status BlockManager::LeaveSafeMode() {
  MutexLock lock(mu_);
  Drain();
  const absl::Status status = state_->safe_mode().Leave();
  UpdateSafeMode();
  return status;
}

void BlockManager::ForceSafeMode(std::string reason) {
  MutexLock lock(mu_);
  Drain();
  state_->safe_mode().Force(std::move(reason));
  UpdateSafeMode();
}

// --- Reports --------------------------------------------------------------------------------

ClusterReport BlockManager::Report() {
  MutexLock lock(mu_);
  Drain();
  UpdateSafeMode();
  return state_->Report();
}

HealthReport BlockManager::Health(size_t limit) {
  MutexLock lock(mu_);
  Drain();
  return state_->Health(limit);
}

BlockCounts BlockManager::Recount() {
  MutexLock lock(mu_);
  Drain();
  return state_->Recount();
}

}  // namespace cairn::namenode
