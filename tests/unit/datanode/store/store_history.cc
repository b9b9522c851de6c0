#include "tests/unit/datanode/store/store_history.h"

#include <algorithm>

namespace cairn::datanode {
namespace {

bool StartsWith(std::string_view whole, std::string_view start) {
  return whole.substr(0, start.size()) == start;
}

// Whether `found` may be what is left of `promise`; `alive`: without a power cut.
bool Fits(const Promise& promise, const Found& found, bool alive) {
  const uint64_t least = alive ? promise.content.size() : promise.durable;
  if (found.state == Found::kNone) {
    return !promise.here || (least == 0 && !promise.must_finalize);
  }
  if (!promise.here || found.state == Found::kBad) return false;
  if (found.generation != promise.generation) return false;
  if (found.state == Found::kFinalized) {
    return promise.finalized && found.content == promise.content;
  }
  return !promise.must_finalize && found.content.size() >= least &&
         StartsWith(promise.content, found.content);
}

std::string Describe(const Promise& promise) {
  if (!promise.here) return "none";
  return "generation " + std::to_string(promise.generation) + ", " +
         std::to_string(promise.content.size()) + " bytes, " + std::to_string(promise.durable) +
         " durable, finalized " + std::to_string(promise.finalized) + " for sure " +
         std::to_string(promise.must_finalize);
}

std::string Describe(const Found& found) {
  constexpr const char* kNames[] = {"none", "open", "finalized", "bad"};
  return std::string(kNames[found.state]) + ", generation " + std::to_string(found.generation) +
         ", " + std::to_string(found.content.size()) + " bytes";
}

}  // namespace

StoreHistory::StoreHistory(FaultEnv* env, uint32_t seed, DiskWrites disk_writes,
                           std::vector<std::string> dirs)
    : env_(env),
      disk_writes_(disk_writes),
      dirs_(std::move(dirs)),
      small_log_(seed >= kWithLog),
      random_(seed) {
  for (BlockId id = 1; id <= kBlocks; ++id) blocks_[id];
}

StoreHistory::~StoreHistory() { LeaveAll(); }

void StoreHistory::Open() {
  ReplicaStore::Options options;
  options.data_dirs = dirs_;
  options.reserved_bytes = 0;
  options.disk_writes = disk_writes_;
  if (small_log_) {
    options.small_replica_max_bytes = 30'000;  // some are longer
    options.small_log_segment_bytes = 80'000;
    options.small_log_segments = 3;
  }
  auto store = ReplicaStore::Open(env_, options);
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  ASSERT_TRUE(store_->AdoptCluster(kCluster).ok());
}

void StoreHistory::LeaveAll() {
  for (auto& [id, block] : blocks_) block.writer.reset();
}

absl::Status StoreHistory::Became(BlockState& block, absl::Status status, Promise next) {
  if (status.ok()) block.may_be.clear();
  block.may_be.push_back(std::move(next));
  return status;
}

absl::Status StoreHistory::Step() {
  if (Random(12) == 0) return SyncPending();
  const BlockId id = 1 + Random(kBlocks);
  return StepOn(id, blocks_[id]);
}

absl::Status StoreHistory::StepOn(BlockId id, BlockState& block) {
  if (block.writer != nullptr) {
    switch (Random(10)) {
      case 0:
        block.writer.reset();
        if (block.now().content.empty()) block.now().here = false;
        return absl::OkStatus();
      case 1:
        return Finalize(id, block, Durability::kNow);
      case 2:
        return Finalize(id, block, Durability::kLater);
      case 3:
      case 4:
        return Sync(block);
      default:
        return Append(block);
    }
  }
  if (!block.now().here) {
    const uint32_t choice = Random(6);
    return choice >= 2 ? Create(id, block) : Copy(id, block, choice == 0);
  }
  switch (Random(7)) {
    case 0:
      return Delete(id, block);
    case 1:
    case 2:
      return Recover(id, block);
    case 3:
      return block.now().finalized ? Reopen(id, block) : Copy(id, block, Random(2) == 0);
    default:
      return Reopen(id, block);
  }
}

absl::Status StoreHistory::Create(BlockId id, BlockState& block) {
  const GenerationStamp generation = ++stamp_;
  auto writer = store_->Create({id, generation, kBlockBytes});
  RETURN_IF_ERROR(writer.status());
  block.writer = *std::move(writer);
  block.restarted = block.unsynced = false;
  // What was deleted before may come back until this one is durable.
  block.may_be.push_back({.here = true, .generation = generation});
  return absl::OkStatus();
}

absl::Status StoreHistory::Copy(BlockId id, BlockState& block, bool join) {
  const GenerationStamp generation = ++stamp_;
  Promise next{.here = true,
               .generation = generation,
               .content = BytesOf(++bytes_seed_, 1 + Random(20'000)),
               .finalized = !join,
               .must_finalize = !join};
  next.durable = next.content.size();
  const uint64_t length = next.content.size();
  // What it replaces goes before its own name comes.
  block.may_be.insert(block.may_be.begin(), Promise{});
  auto writer = join ? store_->CreateJoin({id, generation, length})
                     : store_->CreateCopy({id, generation, length});
  absl::Status status = writer.status();
  if (status.ok()) status = AppendAll(**writer, next.content, 4096 * (1 + Random(4)));
  if (status.ok()) status = join ? (*writer)->Seal() : (*writer)->Finalize();
  if (status.ok()) block.restarted = block.unsynced = false;
  return Became(block, status, std::move(next));
}

absl::Status StoreHistory::Append(BlockState& block) {
  Promise next = block.now();
  const uint64_t room = kBlockBytes - next.content.size();
  next.content += BytesOf(++bytes_seed_, std::min<uint64_t>(room, 1 + Random(9'000)));
  // Sometimes the packet begins before the end of what is there.
  const uint64_t chunks = block.writer->length() / kChunkBytes;
  const uint64_t back = std::min<uint64_t>(chunks, Random(3));
  const uint64_t offset = (chunks - back) * kChunkBytes;
  const std::string_view part = std::string_view(next.content).substr(offset);
  const absl::Status status = block.writer->Append(offset, absl::Cord(ToAbsl(part)), CrcsOf(part));
  block.now().content = std::move(next.content);  // some of it may be there in any case
  return status;
}

absl::Status StoreHistory::Sync(BlockState& block) {
  Promise next = block.now();
  next.durable = next.content.size();
  RETURN_IF_ERROR(block.writer->Sync());
  block.may_be = {std::move(next)};
  return absl::OkStatus();
}

absl::Status StoreHistory::Finalize(BlockId id, BlockState& block, Durability durability) {
  Promise next = block.now();
  next.finalized = true;
  if (durability == Durability::kNow) {
    next.must_finalize = true;
    next.durable = next.content.size();
    RETURN_IF_ERROR(Became(block, block.writer->Finalize(durability), std::move(next)));
  } else {
    block.may_be.push_back(std::move(next));  // nothing is durable: what was before may be
    RETURN_IF_ERROR(block.writer->Finalize(durability));
    block.unsynced = true;
  }
  block.writer.reset();
  return absl::OkStatus();
}

absl::Status StoreHistory::SyncPending() {
  for (auto& [id, block] : blocks_) {
    if (!block.unsynced) continue;
    Promise next = block.now();
    next.must_finalize = true;
    next.durable = next.content.size();
    block.may_be.push_back(std::move(next));
  }
  store_->SyncPending();
  if (!env_->List("/").ok() || !store_works()) return absl::InternalError("power");
  for (const ReplicaInfo& replica : store_->Replicas(0)) {
    if (replica.state == ReplicaState::kFinalized) blocks_[replica.block.id].unsynced = false;
  }
  for (auto& [id, block] : blocks_) {
    if (block.unsynced && block.now().must_finalize) {
      return absl::InternalError("block " + std::to_string(id) + " was not synced, it is " +
                                 Describe(Look(id)));
    }
    if (block.now().must_finalize) block.may_be = {block.now()};
  }
  return absl::OkStatus();
}

absl::Status StoreHistory::Reopen(BlockId id, BlockState& block) {
  const uint64_t length = block.now().content.size();
  Promise next = block.now();
  const GenerationStamp from = next.generation;
  next.generation = ++stamp_;
  if (block.now().finalized) next.durable = length;
  next.finalized = next.must_finalize = false;
  if (block.unsynced) {
    Promise synced = block.now();
    synced.durable = length;
    synced.must_finalize = true;
    block.may_be.push_back(std::move(synced));
  }
  auto writer = store_->Reopen({id, next.generation, kBlockBytes}, from, Random(2) ? length : 0);
  RETURN_IF_ERROR(Became(block, writer.status(), std::move(next)));
  block.writer = *std::move(writer);
  block.restarted = block.unsynced = false;
  return absl::OkStatus();
}

// Also a truncation, of a finalized replica.
absl::Status StoreHistory::Recover(BlockId id, BlockState& block) {
  const Promise before = block.now();
  const GenerationStamp recovery = ++stamp_;
  const auto answer = store_->StartRecovery({id, before.generation, 0}, recovery);
  RETURN_IF_ERROR(answer.status());
  EXPECT_EQ(answer->state, before.finalized  ? RecoveryAnswer::kFinalized
                           : block.restarted ? RecoveryAnswer::kRestarted
                                             : RecoveryAnswer::kOpen);
  EXPECT_EQ(answer->block, (Block{id, before.generation, before.content.size()}));
  Promise next = before;
  next.generation = recovery;
  if (next.content.size() > 1 && Random(3) != 0)
    next.content.resize(1 + Random(static_cast<uint32_t>(next.content.size())));
  next.durable = next.content.size();
  next.finalized = next.must_finalize = true;
  // On the way: cut or synced, under the old stamp.
  Promise between = before;
  between.durable = std::min<uint64_t>(before.durable, next.durable);
  block.may_be.push_back(std::move(between));
  if (block.unsynced) {
    Promise synced = before;
    synced.durable = before.content.size();
    synced.must_finalize = true;
    block.may_be.push_back(std::move(synced));
  }
  const Block agreed{id, before.generation, next.content.size()};
  const absl::Status status = store_->FinishRecovery(agreed, recovery).status();
  if (status.ok()) {
    block.restarted = block.unsynced = false;
    EXPECT_TRUE(store_->FinishRecovery(agreed, recovery).ok());  // a retry
  }
  return Became(block, status, std::move(next));
}

absl::Status StoreHistory::Delete(BlockId id, BlockState& block) {
  // A deletion is not synced: all that it may have been may come back.
  const GenerationStamp generation = block.now().generation;
  block.may_be.push_back({});
  block.restarted = block.unsynced = false;
  return store_->Delete({id, generation, 0});
}

Found StoreHistory::Look(BlockId id) {
  Found found;
  for (const ReplicaInfo& bad : store_->BadReplicas()) {
    if (bad.block.id == id) return {.state = Found::kBad, .generation = bad.block.generation};
  }
  for (size_t volume = 0; volume < dirs_.size(); ++volume) {
    for (const ReplicaInfo& replica : store_->Replicas(volume)) {
      if (replica.block.id != id) continue;
      found.generation = replica.block.generation;
      const auto answer = store_->GetReplica({id, 0, 0});
      const bool open = !answer.ok() || answer->open;
      found.state = open ? Found::kOpen : Found::kFinalized;
      const auto bytes = GetAs(*store_, replica.block, ReadAs::kExact);
      EXPECT_TRUE(bytes.ok()) << id << ": " << bytes.status();
      if (bytes.ok()) found.content = *bytes;
    }
  }
  return found;
}

uint64_t StoreHistory::CheckFound(BlockId id, BlockState& block, const Found& found, bool alive,
                                  const std::string& what) {
  // Without a power cut it is what it was last.
  std::optional<uint64_t> durable;
  for (const Promise& promise : block.may_be) {
    if (alive && &promise != &block.now()) continue;
    if (!Fits(promise, found, alive)) continue;
    durable = std::min(durable.value_or(promise.durable), promise.durable);
  }
  if (durable) return *durable;
  if (may_be_bad_ && found.state == Found::kBad) return 0;
  std::string message = what + ": block " + std::to_string(id) + " is " + Describe(found);
  for (const Promise& promise : block.may_be) message += "\n  may be " + Describe(promise);
  ADD_FAILURE() << message;
  return 0;
}

void StoreHistory::Settle(Loss loss, const std::string& what) {
  for (auto& [id, block] : blocks_) {
    const Found found = Look(id);
    const uint64_t durable = CheckFound(id, block, found, loss == Loss::kNothing, what);
    const bool bad = found.state == Found::kBad;
    if (found.state != Found::kFinalized) block.unsynced = false;
    if (bad) EXPECT_TRUE(store_->Delete({id, found.generation, 0}).ok());
    Promise now{.here = found.state != Found::kNone && !bad,
                .generation = found.generation,
                .content = found.content};
    now.finalized = found.state == Found::kFinalized;
    now.must_finalize = now.finalized && !block.unsynced;
    now.durable = now.must_finalize ? now.content.size() : durable;
    // What was not durably undone may come back as long as nothing else is durable.
    if (loss == Loss::kUnsynced) block.may_be.clear();
    block.may_be.push_back(std::move(now));
  }
  may_be_bad_ = false;
}

void StoreHistory::Restart(Loss loss, const std::string& what) {
  store_.reset();
  for (auto& [id, block] : blocks_) block.unsynced = false;
  Open();
  Settle(loss, what);
  for (auto& [id, block] : blocks_) block.restarted = !block.now().finalized;
}

void StoreHistory::PowerCut(std::optional<uint32_t> seed, const std::string& what) {
  env_->CutPowerAfter(0);
  LeaveAll();
  env_->Crash(seed);
  Restart(Loss::kUnsynced, what);
}

void StoreHistory::Kill(const std::string& what) {
  env_->CutPowerAfter(0);
  LeaveAll();
  env_->Kill();
  Restart(Loss::kNothing, what);
}

}  // namespace cairn::datanode
