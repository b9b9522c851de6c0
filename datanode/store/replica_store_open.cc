// How a ReplicaStore starts: its directories, who it is, what it holds; and the numbers it keeps.
#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/data_dir.h"
#include "common/logging.h"
#include "common/strings.h"
#include "datanode/store/data_writer.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

// Each is 1 MiB. More writes than these at a time go through the page cache.
constexpr size_t kDirectBuffers = 32;

template <typename T>
void RaiseTo(std::atomic<T>* highest, T value) {
  T seen = highest->load();
  while (seen < value && !highest->compare_exchange_weak(seen, value)) {
  }
}

// What says that a directory must not be used, rather than that its disk does not work.
bool IsRefusal(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsDataLoss(status) ||
         absl::IsInvalidArgument(status);
}

}  // namespace

ReplicaStore::ReplicaStore(Env* env, Options options)
    : env_(env),
      options_(std::move(options)),
      direct_buffers_(std::make_unique<AlignedBuffers>(kDirectBuffers)),
      replicas_(std::make_unique<ReplicaMap>()),
      slow_disks_(std::make_unique<SlowDisks>()) {}

ReplicaStore::~ReplicaStore() {
  if (!ready_.load()) return;
  CloseLogs();
  MutexLock lock(mu_);
  if (const absl::Status saved = SaveHighest(); !saved.ok()) {
    LogWarn("the highest block id seen was not kept: {}", MessageOf(saved));
  }
}

absl::StatusOr<std::unique_ptr<ReplicaStore>> ReplicaStore::Open(Env* env, Options options) {
  std::unique_ptr<ReplicaStore> store(new ReplicaStore(env, std::move(options)));
  RETURN_IF_ERROR(store->OpenDirs());
  RETURN_IF_ERROR(store->CheckVolumes());
  if (const std::string cluster_id = store->cluster_id(); !cluster_id.empty()) {
    RETURN_IF_ERROR(store->AdoptCluster(cluster_id));
  }
  return store;
}

std::unique_ptr<Volume> ReplicaStore::MakeVolume(size_t index, const std::string& path,
                                                 std::unique_ptr<DataDir> dir) {
  const std::string storage_id = dir->formatted() ? dir->version().storage_id : NewUuid();
  auto volume = std::make_unique<Volume>(env_, index, path, storage_id,
                                         Volume::Limits{.capacity_bytes = options_.capacity_bytes,
                                                        .reserved_bytes = options_.reserved_bytes});
  volume->SetDir(std::move(dir));
  return volume;
}

absl::Status ReplicaStore::OpenDirs() {
  if (options_.data_dirs.empty()) return absl::InvalidArgumentError("no data directory is given");
  for (size_t i = 0; i < options_.data_dirs.size(); ++i) {
    const std::string& path = options_.data_dirs[i];
    auto dir = DataDir::Open(env_, path, DataDirType::kDataNode);
    if (!dir.ok()) {
      if (IsRefusal(dir.status()) || options_.data_dirs.size() == 1) return dir.status();
      LogError("data directory {} cannot be used: {}", path, MessageOf(dir.status()));
      MutexLock lock(volumes_mu_);
      missing_.push_back(path);
      continue;
    }
    if ((*dir)->formatted()) RETURN_IF_ERROR(CheckIdentity(**dir));
    EnterVolume(MakeVolume(i, path, *std::move(dir)));
  }
  if (node_id_.empty()) node_id_ = NewUuid();
  return absl::OkStatus();
}

absl::Status ReplicaStore::CheckIdentity(const DataDir& dir) {
  const DataDirVersion& version = dir.version();
  MutexLock lock(mu_);
  if (node_id_.empty()) {
    node_id_ = version.node_id;
    cluster_id_ = version.cluster_id;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(dir.CheckCluster(cluster_id_));
  if (version.node_id != node_id_) {
    return absl::FailedPreconditionError(
        fmt::format("{}: belongs to DataNode {}, the other directories to {}", dir.path(),
                    version.node_id, node_id_));
  }
  for (const Volume* const volume : CurrentVolumes()) {
    if (volume->storage_id() == version.storage_id) {
      return absl::FailedPreconditionError(
          fmt::format("{}: has the same storage id as {}; one is a copy of the other", dir.path(),
                      volume->path()));
    }
  }
  return absl::OkStatus();
}

std::string ReplicaStore::cluster_id() const {
  MutexLock lock(mu_);
  return cluster_id_;
}

absl::Status ReplicaStore::AdoptCluster(const std::string& cluster_id) {
  {
    MutexLock lock(mu_);
    if (!cluster_id_.empty() && cluster_id_ != cluster_id) {
      return absl::FailedPreconditionError(
          fmt::format("{}: belongs to cluster {}, the NameNode to {}; choose another --data-dir "
                      "or --namenode",
                      options_.data_dirs.front(), cluster_id_, cluster_id));
    }
    if (ready_.load()) return absl::OkStatus();
    FormatDirs(cluster_id);
    RETURN_IF_ERROR(CheckVolumes());
    cluster_id_ = cluster_id;
  }
  RETURN_IF_ERROR(LoadVolumes());
  ready_.store(true);
  return CheckVolumes();
}

// A disk that cannot be formatted is left out; CheckVolumes decides whether the others suffice.
void ReplicaStore::FormatDirs(const std::string& cluster_id) {
  for (Volume* const volume : CurrentVolumes()) {
    if (volume->dir()->formatted() || volume->failed()) continue;
    if (const absl::Status formatted = FormatDir(volume, cluster_id); !formatted.ok()) {
      volume->Fail(formatted);
    }
  }
}

absl::Status ReplicaStore::FormatDir(Volume* volume, const std::string& cluster_id) {
  LogInfo("{}: new data directory of DataNode {} in cluster {}", volume->path(), node_id_,
          cluster_id);
  return volume->dir()->Format({.type = DataDirType::kDataNode,
                                .cluster_id = cluster_id,
                                .node_id = node_id_,
                                .storage_id = volume->storage_id()});
}

absl::Status ReplicaStore::LoadVolumes() {
  std::vector<std::thread> threads;
  for (Volume* const volume : CurrentVolumes()) {
    if (volume->failed()) continue;  // it could not be formatted
    threads.emplace_back([this, volume] {
      auto found = ScanVolume(volume, /*at_start=*/true);
      if (found.ok()) {
        TakeReplicas(volume, *found);
      } else {
        // Without all its replicas it is of no use, whatever the reason; CheckVolumes decides.
        volume->Fail(found.status());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return absl::OkStatus();
}

// All that needs its disk; nothing of it is known to anybody yet.
absl::StatusOr<std::vector<FoundReplica>> ReplicaStore::ScanVolume(Volume* volume, bool at_start) {
  RETURN_IF_ERROR(volume->Prepare());
  LearnDirectWrites(volume);
  RETURN_IF_ERROR(ReplaySmall(volume));
  RETURN_IF_ERROR(LoadHighest(volume, at_start));
  return volume->Scan();
}

void ReplicaStore::LearnDirectWrites(Volume* volume) {
  if (options_.disk_writes == DiskWrites::kBuffered) return;
  const std::string path = volume->FolderOf(Place::kTmp, 0) + "/direct";
  const absl::Status status = TryDirectWrite(env_, path, direct_buffers_.get());
  // A full disk says nothing against it.
  if (status.ok() || absl::IsResourceExhausted(status)) {
    volume->SetTakesDirectWrites();
  } else {
    LogInfo("{}: no direct writes here, replicas are written through the page cache: {}",
            volume->path(), MessageOf(status));
  }
}

void ReplicaStore::TakeReplicas(Volume* volume, const std::vector<FoundReplica>& found) {
  uint64_t bad = 0;
  uint64_t open = 0;
  for (const FoundReplica& replica : found) {
    Replica loaded{.block = replica.block, .place = replica.place, .volume = volume};
    if (replica.bad) {
      ++bad;
      LogError("block {} in {} is bad and will not be served: {}", replica.block.id, volume->path(),
               replica.reason);
      loaded.state = ReplicaState::kBad;
    } else if (replica.place == Place::kFinalized) {
      loaded.state = ReplicaState::kFinalized;
    } else {
      ++open;
      loaded.open = std::make_shared<OpenReplica>(replica.kept, 0, replica.durable);
      loaded.restarted = true;
    }
    // An open replica that was never synced may be of any client that chose its numbers.
    const bool promised = loaded.open == nullptr || replica.durable.sequence > 0;
    if (promised) NoteSeen(replica.block);
    LoadReplica(std::move(loaded));
  }
  LogInfo("{}: {} replicas, {} of them open, {} bad", volume->path(), found.size(), open, bad);
}

void ReplicaStore::LoadReplica(Replica loaded) {
  Volume& volume = *loaded.volume;
  volume.AddUsed(loaded.block.length);
  const auto rank = [](const Replica& replica) {
    const bool good = replica.state != ReplicaState::kBad;
    const bool whole = replica.state == ReplicaState::kFinalized;
    return std::tuple(good, replica.block.generation, whole);
  };
  replicas_->WithShard(loaded.block.id, [&](ReplicaMap::Shard& shard) {
    Replica& entry = shard[loaded.block.id];
    if (entry.volume != nullptr) {
      // While the node runs, what somebody is at stays, and what is to go has gone soon.
      const bool at_rest =
          !entry.owned() && !entry.delete_requested && entry.state != ReplicaState::kDeleting;
      const bool better = at_rest && (entry.volume->failed() || rank(loaded) > rank(entry));
      LogWarn("block {} is in both {} and {}: the former is left alone", loaded.block.id,
              better ? entry.volume->path() : volume.path(),
              better ? volume.path() : entry.volume->path());
      if (!better) return;
      loaded.recovery = std::max(loaded.recovery, entry.recovery);  // who was fenced stays so
      if (entry.state == ReplicaState::kFinalized) entry.volume->AddFinalized(-1);
    }
    if (loaded.state == ReplicaState::kFinalized) volume.AddFinalized(1);
    entry = std::move(loaded);
  });
}

absl::Status ReplicaStore::CheckVolumes() const {
  int failed = 0;
  int all = 0;
  {
    MutexLock lock(volumes_mu_);
    failed = static_cast<int>(missing_.size());
    all = static_cast<int>(missing_.size() + volumes_.size());
  }
  // One that is being removed, and hangs, is not missed.
  for (const Volume* const volume : CurrentVolumes()) {
    failed += volume->broken() && !volume->left() ? 1 : 0;
  }
  const int tolerated =
      options_.failed_volumes_tolerated < 0 ? all - 1 : options_.failed_volumes_tolerated;
  if (failed <= tolerated && failed < all) return absl::OkStatus();
  return absl::InternalError(fmt::format(
      "{} of {} data directories failed, {} are tolerated (--failed-volumes-tolerated); see the "
      "log for the reasons",
      failed, all, std::min(tolerated, all - 1)));
}

// --- the highest numbers seen ------------------------------------------------------------------

void ReplicaStore::NoteSeen(const Block& block) {
  RaiseTo(&highest_block_id_, block.id);
  RaiseTo(&highest_generation_, block.generation);
}

HighestSeen ReplicaStore::highest() const {
  return {.epoch = highest_epoch_.load(),
          .block_id = highest_block_id_.load(),
          .generation = highest_generation_.load()};
}

absl::Status ReplicaStore::LoadHighest(Volume* volume, bool at_start) {
  ASSIGN_OR_RETURN(const bool exists, env_->Exists(volume->HighestFile()));
  if (!exists) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text, env_->ReadFile(volume->HighestFile()));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto number = [&](const char* key) -> uint64_t {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number_unsigned()) return 0;
    return json[key].get<uint64_t>();
  };
  if (!json.is_object()) LogWarn("{}: damaged, written anew later", volume->HighestFile());
  RaiseTo(&highest_epoch_, number("epoch"));
  NoteSeen({number("block_id"), number("generation"), 0});
  // Of a directory that is added it is old: this process knows when it last heard of a NameNode.
  if (!at_start || !json.is_object() || !json.contains("contact_generation")) {
    return absl::OkStatus();
  }
  // Of several disks the one that knows most: each was written at the same time, or failed.
  MutexLock lock(mu_);
  HighestSeen contact = lost_contact_.value_or(HighestSeen{});
  contact.block_id = std::max(contact.block_id, number("contact_block_id"));
  contact.generation = std::max(contact.generation, number("contact_generation"));
  lost_contact_ = contact;
  return absl::OkStatus();
}

absl::Status ReplicaStore::SaveHighest() {
  const HighestSeen seen = highest();
  nlohmann::ordered_json json = {
      {"epoch", seen.epoch}, {"block_id", seen.block_id}, {"generation", seen.generation}};
  if (lost_contact_.has_value()) {
    json["contact_block_id"] = lost_contact_->block_id;
    json["contact_generation"] = lost_contact_->generation;
  }
  const std::string text = json.dump() + "\n";
  absl::Status saved;
  for (Volume* const volume : CurrentVolumes()) {
    if (volume->failed()) continue;
    saved.Update(volume->NoteWriteFailure(env_->WriteFileAtomically(volume->HighestFile(), text)));
  }
  return saved;
}

absl::Status ReplicaStore::NoteEpoch(uint64_t epoch) {
  const uint64_t seen = highest_epoch_.load();
  if (epoch < seen) {
    return absl::FailedPreconditionError(
        fmt::format("this NameNode is at epoch {}, but one at epoch {} has been seen: not obeyed",
                    epoch, seen));
  }
  if (epoch == seen || !ready_.load()) return absl::OkStatus();
  MutexLock lock(mu_);
  RaiseTo(&highest_epoch_, epoch);
  return SaveHighest();
}

absl::Status ReplicaStore::NoteContactLost(const HighestSeen& known) {
  MutexLock lock(mu_);
  if (lost_contact_.has_value()) return absl::OkStatus();
  lost_contact_ = known;
  absl::Status saved = SaveHighest();
  if (!saved.ok()) lost_contact_.reset();  // the next heartbeat tries again
  return saved;
}

absl::Status ReplicaStore::NoteContact() {
  MutexLock lock(mu_);
  if (!lost_contact_.has_value()) return absl::OkStatus();
  const HighestSeen known = *std::exchange(lost_contact_, std::nullopt);
  absl::Status saved = SaveHighest();
  if (!saved.ok()) lost_contact_ = known;
  return saved;
}

std::optional<HighestSeen> ReplicaStore::lost_contact() const {
  MutexLock lock(mu_);
  return lost_contact_;
}

}  // namespace cairn::datanode
