#include "datanode/store/replica_store.h"

#include <map>
#include <string>

#include "common/data_dir.h"
#include "datanode/store/disk_meter.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {

absl::Status ReplicaStore::CheckReady() const {
  if (ready_.load()) return absl::OkStatus();
  return absl::UnavailableError("this DataNode has not joined its cluster yet");
}

std::vector<Volume*> ReplicaStore::CurrentVolumes() const {
  MutexLock lock(volumes_mu_);
  return volumes_;
}

void ReplicaStore::EnterVolume(std::unique_ptr<Volume> volume) {
  MutexLock lock(volumes_mu_);
  next_index_ = volume->index() + 1;
  volumes_.push_back(volume.get());
  all_volumes_.push_back(std::move(volume));
}

std::vector<VolumeInfo> ReplicaStore::Volumes() const {
  const std::vector<Volume*> volumes = CurrentVolumes();
  std::vector<VolumeInfo> infos;
  infos.reserve(volumes.size());
  for (Volume* const volume : volumes) infos.push_back(volume->Info());
  return infos;
}

void ReplicaStore::JudgeDisks(int64_t steady_ms) {
  std::map<std::string, DiskFigures> figures;
  const std::vector<Volume*> volumes = CurrentVolumes();
  for (Volume* const volume : volumes) {
    if (!volume->failed()) figures[volume->storage_id()] = volume->meter().Report(steady_ms);
  }
  slow_disks_->Judge(figures);
  for (Volume* const volume : volumes) volume->SetSlow(slow_disks_->Find(volume->storage_id()));
}

std::vector<ReplicaInfo> ReplicaStore::Replicas(size_t volume) {
  std::vector<ReplicaInfo> found;
  replicas_->ForEach([&](const Replica& replica) {
    const bool reported =
        replica.state == ReplicaState::kFinalized || replica.state == ReplicaState::kOpen;
    if (!reported || replica.delete_requested) return;
    if (replica.volume->index() != volume || replica.volume->failed()) return;
    const bool open = replica.state == ReplicaState::kOpen || !replica.durable();
    const Block block{replica.block.id, replica.block.generation, replica.length()};
    found.push_back({.block = block,
                     .volume = volume,
                     .state = open ? ReplicaState::kOpen : ReplicaState::kFinalized,
                     .waiting = replica.state == ReplicaState::kOpen && !replica.writer});
  });
  return found;
}

std::vector<ReplicaInfo> ReplicaStore::BadReplicas() {
  std::vector<ReplicaInfo> found;
  replicas_->ForEach([&](const Replica& replica) {
    if (replica.state != ReplicaState::kBad || replica.volume->failed()) return;
    found.push_back(
        {.block = replica.block, .volume = replica.volume->index(), .state = ReplicaState::kBad});
  });
  return found;
}

void ReplicaStore::Notify(void (ReplicaObserver::*event)(size_t, const Block&),
                          const Volume& volume, const Block& block) {
  if (ReplicaObserver* observer = observer_.load()) (observer->*event)(volume.index(), block);
}

}  // namespace cairn::datanode
