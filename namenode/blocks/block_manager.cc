#include "namenode/blocks/block_manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/types/span.h"
#include "common/clock.h"
#include "common/logging.h"
#include "common/status.h"
#include "namenode/blocks/reported_state.h"

namespace cairn::namenode {
namespace {

constexpr size_t kReplicasPerLock = 2'000;
constexpr size_t kChangesPerLock = 500;  // of the namespace; each may be of three replicas
constexpr size_t kBlocksPerLock = 500;   // of a repair round, whose work per block is larger

}  // namespace

BlockManager::BlockManager(BlockManagerOptions options, Clock* clock, std::function<TxId()> durable,
                           uint64_t seed)
    : durable_(std::move(durable)),
      state_(std::make_unique<ReportedState>(std::move(options), clock, seed)) {}

BlockManager::~BlockManager() = default;

BlockManager::Hold::Hold(BlockManager& manager, Turn turn) : manager_(manager) {
  turn == Turn::kNow ? manager.mu_.Lock() : manager.mu_.LockInTurn();
  while (!manager.DrainSome()) {
    manager.mu_.Unlock();
    manager.mu_.LockInTurn();
  }
}

BlockManager::Hold::~Hold() { manager_.mu_.Unlock(); }

bool BlockManager::DrainSome() {
  const bool all = changes_.TakeUpTo(durable_(), kChangesPerLock, &drained_);
  for (const BlockChange& change : drained_) state_->Apply(change);
  drained_.clear();
  return all;
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
  const Hold hold(*this);
  state_->Apply(block);
}

void BlockManager::LoadNode(const NodeRegistration& node, AdminState admin) {
  const Hold hold(*this);
  state_->LoadNode(node, admin);
}

void BlockManager::FinishLoading() {
  const Hold hold(*this);
  state_->safe_mode().FinishLoading();
  UpdateSafeMode();
}

// --- The namesystem -------------------------------------------------------------------------

void BlockManager::SetIdLimits(BlockId highest_block_id, GenerationStamp highest_generation) {
  const Hold hold(*this);
  state_->RaiseLimits(highest_block_id, highest_generation);
}

void BlockManager::SpareIds(BlockId first, BlockId last, GenerationStamp first_stamp,
                            GenerationStamp last_stamp) {
  const Hold hold(*this);
  state_->SpareIds(first, last, first_stamp, last_stamp);
}

absl::StatusOr<std::vector<NodeNumber>> BlockManager::ChooseTargets(const TargetRequest& request) {
  const Hold hold(*this);
  return state_->ChooseTargets(request);
}

BlockLocations BlockManager::Locate(BlockId block, std::string_view reader_host,
                                    std::string_view reader_rack) {
  const Hold hold(*this);
  return state_->Locate(block, reader_host, reader_rack);
}

std::vector<NodeAddress> BlockManager::LocateOpen(const std::vector<NodeNumber>& pipeline,
                                                  std::string_view reader_host,
                                                  std::string_view reader_rack) {
  const Hold hold(*this);
  return state_->LocateOpen(pipeline, reader_host, reader_rack);
}

std::optional<std::vector<NodeNumber>> BlockManager::GoodNodes(const Block& block) {
  const Hold hold(*this);
  return state_->GoodNodes(block);
}

std::vector<NodeAddress> BlockManager::NodeAddresses(const std::vector<NodeNumber>& nodes) {
  const Hold hold(*this);
  return state_->NodeAddresses(nodes);
}

// --- DataNodes ------------------------------------------------------------------------------

absl::StatusOr<NodeIdentity> BlockManager::FindNode(std::string_view name) {
  const Hold hold(*this);
  return state_->FindNode(name);
}

absl::Status BlockManager::Register(const NodeRegistration& registration) {
  while (true) {
    const Hold hold(*this, Turn::kAfterOthers);
    RETURN_IF_ERROR(state_->PrepareRegister(registration));
    if (!state_->RemoveLostReplicas(kReplicasPerLock)) continue;
    RETURN_IF_ERROR(state_->Register(registration));
    UpdateSafeMode();
    break;
  }
  RemoveLostReplicas();
  FreeDropped();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NodeCommand>> BlockManager::Heartbeat(std::string_view node_id,
                                                                 uint64_t incarnation,
                                                                 const HeartbeatReport& report) {
  absl::StatusOr<std::vector<NodeCommand>> commands;
  bool lost = false;
  {
    const Hold hold(*this);
    commands = state_->Heartbeat(node_id, incarnation, report);
    lost = state_->HasLostReplicas();
  }
  if (lost) RemoveLostReplicas();  // of volumes that have failed
  return commands;
}

absl::Status BlockManager::FullReportPiece(std::string_view node_id, uint64_t incarnation,
                                           StorageNumber storage, bool first, bool last,
                                           const std::vector<ReplicaRecord>& replicas) {
  if (first) {
    const Hold hold(*this);
    RETURN_IF_ERROR(state_->BeginReport(node_id, incarnation, storage));
  }
  const auto all = absl::MakeConstSpan(replicas);
  for (size_t begin = 0; begin < all.size(); begin += kReplicasPerLock) {
    const Hold hold(*this, Turn::kAfterOthers);
    RETURN_IF_ERROR(
        state_->ReportPiece(node_id, incarnation, storage, all.subspan(begin, kReplicasPerLock)));
    UpdateSafeMode();
  }
  BlockId cursor = 0;
  for (bool swept = !last; !swept;) {
    const Hold hold(*this, Turn::kAfterOthers);
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
    const Hold hold(*this, Turn::kAfterOthers);
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
  const Hold hold(*this);
  const absl::Status status = state_->BadReplica(node_id, incarnation, storage, block);
  UpdateSafeMode();
  return status;
}

// --- Block recovery -------------------------------------------------------------------------

RecoveryMembers BlockManager::FindMembers(const std::vector<NodeNumber>& pipeline) {
  const Hold hold(*this);
  return state_->FindMembers(pipeline);
}

bool BlockManager::OrderRecovery(NodeNumber primary, RecoverBlock order) {
  const Hold hold(*this);
  return state_->OrderRecovery(primary, std::move(order));
}

absl::Status BlockManager::CheckSpeaker(std::string_view node_id, uint64_t incarnation) {
  const Hold hold(*this);
  return state_->CheckSpeaker(node_id, incarnation);
}

// --- Monitors -------------------------------------------------------------------------------

void BlockManager::RemoveLostReplicas() {
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    done = state_->RemoveLostReplicas(kReplicasPerLock);
    UpdateSafeMode();
  }
}

void BlockManager::FreeDropped() {
  DeletionQueue::Dropped dropped;  // freed after the hold
  const Hold hold(*this);
  dropped = state_->TakeDropped();
}

void BlockManager::RunHeartbeatCheck(std::optional<int64_t> now_ms) {
  {
    const Hold hold(*this);
    state_->CheckNodes(now_ms);
  }
  RemoveLostReplicas();
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    done = state_->JudgeNodes(kReplicasPerLock);
    UpdateSafeMode();
  }
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    done = state_->CheckOverdue(kReplicasPerLock);
  }
  FreeDropped();
}

std::vector<NodeNumber> BlockManager::FindDecommissioned() {
  const Hold hold(*this);
  return state_->FindDecommissioned();
}

void BlockManager::RunReplicationRound() {
  RepairRound round;
  RunRound(/*by_hand=*/false, std::numeric_limits<uint64_t>::max(), &round);
}

RepairRound BlockManager::Repair(uint64_t max) {
  RepairRound round;
  const bool ran = RunRound(/*by_hand=*/true, max, &round);
  const Hold hold(*this);
  state_->Describe(ran, max, &round);
  return round;
}

bool BlockManager::RunRound(bool by_hand, uint64_t max, RepairRound* round) {
  {
    const Hold hold(*this);
    if (!state_->BeginRound(by_hand)) return false;
  }
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    done = state_->FillQueues(kReplicasPerLock);
  }
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    done = state_->CheckSpread(kReplicasPerLock);
  }
  ReplicationQueues::Cursor cursor;
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    if (state_->safe_mode().on()) return false;
    done = state_->ScheduleCopies(cursor, kBlocksPerLock, max, round);
  }
  BlockId next = 0;
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    if (state_->safe_mode().on()) return false;
    done = state_->DeleteSurplus(next, kBlocksPerLock);
  }
  return true;
}

// --- The balancer ---------------------------------------------------------------------------

absl::StatusOr<bool> BlockManager::StartBalancing(double threshold_percent) {
  if (!(threshold_percent > 0 && threshold_percent <= 100)) {
    return absl::InvalidArgumentError(fmt::format(
        "the threshold is a percentage above 0, at most 100, and not {}", threshold_percent));
  }
  const Hold hold(*this);
  Balancer& balancer = state_->balancer();
  if (balancer.running() && balancer.threshold_percent() != threshold_percent) {
    return absl::FailedPreconditionError(
        fmt::format("the balancer runs already, with a threshold of {}%; stop it first",
                    balancer.threshold_percent()));
  }
  return balancer.Start(threshold_percent, state_->Now());
}

void BlockManager::StopBalancing() {
  const Hold hold(*this);
  state_->balancer().Stop(state_->Now());
}

BalanceReport BlockManager::BalanceProgress() {
  const Hold hold(*this);
  return state_->balancer().Report(state_->Now());
}

void BlockManager::RunBalanceRound() {
  BlockId next = 0;
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    done = state_->balancer().Follow(next, kReplicasPerLock, state_->Now());
  }
  {
    const Hold hold(*this);
    if (!state_->BeginBalanceRound()) return;
  }
  for (bool done = false; !done;) {
    const Hold hold(*this, Turn::kAfterOthers);
    if (state_->safe_mode().on() || !state_->balancer().running()) return;
    done = state_->balancer().Schedule(kBlocksPerLock, state_->Now());
  }
}

// --- Safe mode ------------------------------------------------------------------------------

SafeModeState BlockManager::SafeModeNow() {
  const Hold hold(*this);
  UpdateSafeMode();
  return state_->safe_mode().state();
}

void BlockManager::EnterSafeMode() {
  const Hold hold(*this);
  state_->safe_mode().Enter();
  UpdateSafeMode();
}

absl::Status BlockManager::LeaveSafeMode() {
  const Hold hold(*this);
  const absl::Status status = state_->safe_mode().Leave();
  UpdateSafeMode();
  return status;
}

void BlockManager::ForceSafeMode(std::string reason) {
  const Hold hold(*this);
  state_->safe_mode().Force(std::move(reason));
  UpdateSafeMode();
}

// --- Reports --------------------------------------------------------------------------------

ClusterReport BlockManager::Report() {
  const Hold hold(*this);
  UpdateSafeMode();
  return state_->Report();
}

HealthReport BlockManager::Health(size_t limit) {
  const Hold hold(*this);
  return state_->Health(limit);
}

BlockCounts BlockManager::Recount() {
  const Hold hold(*this);
  return state_->Recount();
}

}  // namespace cairn::namenode
