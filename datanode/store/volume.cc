#include "datanode/store/volume.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/logging.h"
#include "common/units.h"
#include "datanode/store/checksum_file.h"

namespace cairn::datanode {
namespace {

absl::Status RemoveIfThere(Env* env, const std::string& path) {
  absl::Status status = env->Remove(path);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace

SpacePromise::~SpacePromise() { volume_->ReturnPromise(bytes_, allocated_); }

void SpacePromise::SetAllocated(uint64_t bytes) {
  const uint64_t allocated = std::min(bytes, bytes_);
  volume_->AddAllocated(static_cast<int64_t>(allocated) - static_cast<int64_t>(allocated_));
  allocated_ = allocated;
}

Volume::Volume(Env* env, size_t index, std::string path, std::string storage_id, Limits limits)
    : env_(env),
      index_(index),
      path_(std::move(path)),
      current_(path_ + "/current"),
      storage_id_(std::move(storage_id)),
      limits_(limits) {}

std::string Volume::RbwDir() const { return current_ + "/rbw"; }

std::string Volume::RbwData(const Block& block) const {
  return fmt::format("{}/rbw/blk_{}", current_, block.id);
}

std::string Volume::RbwChecksums(const Block& block) const {
  return fmt::format("{}/rbw/blk_{}_{}.meta", current_, block.id, block.generation);
}

// As in HDFS: neighbours share a folder, and no folder grows beyond what a file system likes.
std::string Volume::FinalizedDir(BlockId id) const {
  return fmt::format("{}/finalized/subdir{}/subdir{}", current_, (id >> 16) & 31, (id >> 8) & 31);
}

std::string Volume::FinalizedData(BlockId id) const {
  return fmt::format("{}/blk_{}", FinalizedDir(id), id);
}

std::string Volume::FinalizedChecksums(const Block& block) const {
  return fmt::format("{}/blk_{}_{}.meta", FinalizedDir(block.id), block.id, block.generation);
}

std::string Volume::BadChecksums(const Block& block) const {
  return fmt::format("{}/blk_{}_{}.bad", FinalizedDir(block.id), block.id, block.generation);
}

std::string Volume::HighestFile() const { return current_ + "/highest"; }

absl::Status Volume::Prepare() {
  RETURN_IF_ERROR(env_->CreateDirs(current_ + "/finalized"));
  RETURN_IF_ERROR(env_->CreateDirs(RbwDir()));
  // An earlier run may have made them and lost power before their names were durable.
  RETURN_IF_ERROR(env_->SyncDir(current_));
  RETURN_IF_ERROR(env_->SyncDir(path_));
  ASSIGN_OR_RETURN(const std::vector<std::string> leftovers, env_->List(RbwDir()));
  for (const std::string& name : leftovers) {
    LogInfo("{}/{}: removed, the write did not end before the last stop", RbwDir(), name);
    RETURN_IF_ERROR(RemoveIfThere(env_, fmt::format("{}/{}", RbwDir(), name)));
  }
  return leftovers.empty() ? absl::OkStatus() : env_->SyncDir(RbwDir());
}

absl::Status Volume::PrepareFinalizedDir(BlockId id) {
  const size_t place = ((id >> 16) & 31) * 32 + ((id >> 8) & 31);
  {
    MutexLock lock(mu_);
    if (durable_folders_[place]) return absl::OkStatus();
  }
  const std::string folder = FinalizedDir(id);
  RETURN_IF_ERROR(env_->CreateDirs(folder));
  RETURN_IF_ERROR(env_->SyncDir(folder.substr(0, folder.rfind('/'))));
  RETURN_IF_ERROR(env_->SyncDir(current_ + "/finalized"));
  MutexLock lock(mu_);
  durable_folders_.set(place);
  return absl::OkStatus();
}

absl::Status Volume::RemoveFinalized(const Block& block) {
  RETURN_IF_ERROR(RemoveIfThere(env_, FinalizedData(block.id)));
  RETURN_IF_ERROR(RemoveIfThere(env_, FinalizedChecksums(block)));
  return RemoveIfThere(env_, BadChecksums(block));
}

absl::Status Volume::RemoveRbw(const Block& block) {
  RETURN_IF_ERROR(RemoveIfThere(env_, RbwData(block)));
  return RemoveIfThere(env_, RbwChecksums(block));
}

std::unique_ptr<SpacePromise> Volume::Promise(uint64_t bytes) {
  const absl::StatusOr<DiskSpace> space = env_->Space(path_);  // no lock held across I/O
  MutexLock lock(mu_);
  if (failed_ || !space.ok()) return nullptr;
  last_space_ = *space;
  if (RemainingLocked(*space) < bytes) return nullptr;
  promised_ += bytes;
  return std::make_unique<SpacePromise>(this, bytes);
}

void Volume::ReturnPromise(uint64_t bytes, uint64_t allocated) {
  MutexLock lock(mu_);
  promised_ -= bytes;
  allocated_ -= allocated;
}

void Volume::AddAllocated(int64_t bytes) {
  MutexLock lock(mu_);
  allocated_ += static_cast<uint64_t>(bytes);
}

void Volume::AddUsed(uint64_t length) {
  MutexLock lock(mu_);
  used_ += length + ChecksumFileBytes(length);
}

void Volume::SubtractUsed(uint64_t length) {
  MutexLock lock(mu_);
  used_ -= std::min(used_, length + ChecksumFileBytes(length));
}

void Volume::AddFinalized(int64_t count) {
  MutexLock lock(mu_);
  finalized_ += static_cast<uint64_t>(count);
}

uint64_t Volume::RemainingLocked(const DiskSpace& disk) const {
  const auto less = [](uint64_t a, uint64_t b) { return a > b ? a - b : 0; };
  uint64_t remaining = less(disk.free_bytes, limits_.reserved_bytes);
  remaining = less(remaining, promised_ - allocated_);
  if (limits_.capacity_bytes > 0) {
    remaining = std::min(remaining, less(limits_.capacity_bytes, used_ + promised_));
  }
  return remaining;
}

VolumeInfo Volume::Info() {
  const absl::StatusOr<DiskSpace> space = env_->Space(path_);
  MutexLock lock(mu_);
  if (space.ok()) last_space_ = *space;
  const uint64_t disk = last_space_.capacity_bytes > limits_.reserved_bytes
                            ? last_space_.capacity_bytes - limits_.reserved_bytes
                            : 0;
  VolumeInfo info;
  info.index = index_;
  info.storage_id = storage_id_;
  info.path = path_;
  info.capacity_bytes = limits_.capacity_bytes > 0 ? std::min(limits_.capacity_bytes, disk) : disk;
  info.used_bytes = used_;
  info.remaining_bytes = failed_ ? 0 : RemainingLocked(last_space_);
  info.blocks = finalized_;
  info.failed = failed_;
  return info;
}

bool Volume::failed() const {
  MutexLock lock(mu_);
  return failed_;
}

absl::Status Volume::NoteWriteFailure(absl::Status status) {
  // A full disk or too many open files say nothing against the disk.
  if (!status.ok() && !absl::IsResourceExhausted(status)) Fail(status);
  return status;
}

void Volume::Fail(const absl::Status& why) {
  MutexLock lock(mu_);
  if (!failed_) {
    LogError("data directory {} failed and is not used any more: {}", path_, MessageOf(why));
  }
  failed_ = true;
}

}  // namespace cairn::datanode
