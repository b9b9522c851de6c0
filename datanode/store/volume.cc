#include "datanode/store/volume.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "common/logging.h"
#include "common/units.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/small_log.h"

namespace cairn::datanode {
namespace {

// Of what remains, the small-replica log may take one part in so many.
constexpr uint64_t kLogShare = 16;

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

Volume::~Volume() = default;

std::string Volume::FolderOf(Place place, BlockId id) const {
  if (place == Place::kRbw) return current_ + "/rbw";
  if (place == Place::kTmp) return current_ + "/tmp";
  // As in HDFS: neighbours share a folder, and no folder grows beyond what a file system likes.
  return fmt::format("{}/finalized/subdir{}/subdir{}", current_, (id >> 16) & 31, (id >> 8) & 31);
}

std::string Volume::DataFile(Place place, BlockId id) const {
  return fmt::format("{}/blk_{}", FolderOf(place, id), id);
}

std::string Volume::ChecksumFile(Place place, const Block& block) const {
  const std::string folder = FolderOf(place, block.id);
  if (place == Place::kUnsynced) {
    return fmt::format("{}/blk_{}_{}_{}.unsynced", folder, block.id, block.generation,
                       block.length);
  }
  return fmt::format("{}/blk_{}_{}.meta", folder, block.id, block.generation);
}

std::string Volume::BadMark(Place place, const Block& block) const {
  return fmt::format("{}/blk_{}_{}.bad", FolderOf(place, block.id), block.id, block.generation);
}

std::string Volume::HighestFile() const { return current_ + "/highest"; }
std::string Volume::ScanFile() const { return current_ + "/scan"; }

std::string Volume::SmallLogFolder() const { return current_ + "/small_log"; }

absl::Status Volume::Prepare() {
  RETURN_IF_ERROR(env_->CreateDirs(current_ + "/finalized"));
  RETURN_IF_ERROR(env_->CreateDirs(current_ + "/rbw"));
  const std::string tmp = current_ + "/tmp";
  RETURN_IF_ERROR(env_->CreateDirs(tmp));
  // An earlier run may have made them and lost power before their names were durable.
  RETURN_IF_ERROR(env_->SyncDir(current_));
  RETURN_IF_ERROR(env_->SyncDir(path_));
  ASSIGN_OR_RETURN(const std::vector<std::string> leftovers, env_->List(tmp));
  for (const std::string& name : leftovers) {
    LogInfo("{}/{}: removed, the copy did not end before the last stop", tmp, name);
    RETURN_IF_ERROR(RemoveIfThere(env_, fmt::format("{}/{}", tmp, name)));
  }
  return leftovers.empty() ? absl::OkStatus() : env_->SyncDir(tmp);
}

absl::Status Volume::PrepareFinalizedDir(BlockId id) {
  const size_t place = FinalizedFolderOf(id);
  {
    MutexLock lock(mu_);
    if (durable_folders_[place]) return absl::OkStatus();
  }
  const std::string folder = FolderOf(Place::kFinalized, id);
  RETURN_IF_ERROR(env_->CreateDirs(folder));
  RETURN_IF_ERROR(env_->SyncDir(folder.substr(0, folder.rfind('/'))));
  RETURN_IF_ERROR(env_->SyncDir(current_ + "/finalized"));
  MutexLock lock(mu_);
  durable_folders_.set(place);
  return absl::OkStatus();
}

absl::Status Volume::Remove(Place place, const Block& block) {
  RETURN_IF_ERROR(RemoveIfThere(env_, DataFile(place, block.id)));
  // Without data it is gone; the next start removes what is left.
  absl::Status removed = RemoveIfThere(env_, ChecksumFile(place, block));
  if (removed.ok() && place != Place::kTmp) removed = RemoveIfThere(env_, BadMark(place, block));
  return NoteLeftOver(block, removed);
}

// A disk that failed is told of; on one that is only full a file is left that says nothing.
absl::Status Volume::NoteLeftOver(const Block& block, const absl::Status& removed) {
  if (removed.ok()) return removed;
  LogWarn("block {}: a checksum file was not removed: {}", block.id, MessageOf(removed));
  return absl::IsResourceExhausted(removed) ? absl::OkStatus() : NoteWriteFailure(removed);
}

absl::Status Volume::Move(Place from, const Block& block, Place to, const Block& renamed,
                          bool durable) {
  std::vector<std::pair<std::string, std::string>> names = {
      {ChecksumFile(from, block), ChecksumFile(to, renamed)},
      {DataFile(from, block.id), DataFile(to, block.id)}};
  // Data under finalized/ always has its checksums: they go there first, and leave it last.
  if (to == Place::kRbw && from != Place::kTmp) std::swap(names[0], names[1]);
  std::vector<std::pair<std::string, std::string>> done;
  absl::Status status;
  for (const auto& [old_name, new_name] : names) {
    if (!status.ok() || old_name == new_name) continue;
    status = env_->Rename(old_name, new_name);
    if (status.ok()) done.emplace_back(old_name, new_name);
  }
  const auto sync = [&]() -> absl::Status {
    const std::string folder = FolderOf(to, block.id);
    const std::string left = FolderOf(from, block.id);
    RETURN_IF_ERROR(env_->SyncDir(folder));
    return left == folder ? absl::OkStatus() : env_->SyncDir(left);
  };
  if (status.ok() && durable) status = sync();
  if (status.ok()) return status;
  absl::Status undone;
  for (auto it = done.rbegin(); it != done.rend() && undone.ok(); ++it) {
    undone = env_->Rename(it->second, it->first);
  }
  // Some of it may have become durable, so the way back must, too.
  if (undone.ok() && !done.empty()) undone = sync();
  if (!undone.ok()) Fail(undone);  // where its files are is not known any more
  // Who removed a file is not known; the disk has answered.
  return absl::IsNotFound(status) ? status : NoteWriteFailure(status);
}

absl::Status Volume::Replace(const Block& block, const Block& shorter) {
  const std::string checksums = ChecksumFile(Place::kFinalized, shorter);
  RETURN_IF_ERROR(NoteWriteFailure(env_->Rename(ChecksumFile(Place::kTmp, shorter), checksums)));
  // From here to the next step there are two checksum files; a start takes the one that fits.
  absl::Status replaced =
      env_->Rename(DataFile(Place::kTmp, block.id), DataFile(Place::kFinalized, block.id));
  if (!replaced.ok()) {
    if (!RemoveIfThere(env_, checksums).ok()) Fail(replaced);
    return NoteWriteFailure(replaced);
  }
  absl::Status status =
      NoteLeftOver(block, RemoveIfThere(env_, ChecksumFile(Place::kFinalized, block)));
  if (status.ok()) status = env_->SyncDir(FolderOf(Place::kFinalized, block.id));
  if (!status.ok()) Fail(status);  // the old one is gone, and the new one is not durable
  return status;
}

std::unique_ptr<SpacePromise> Volume::Promise(uint64_t bytes) {
  const absl::StatusOr<DiskSpace> space = env_->Space(path_);  // no lock held across I/O
  MutexLock lock(mu_);
  if (!OpenLocked() || !space.ok()) return nullptr;
  last_space_ = *space;
  if (RemainingLocked(*space) < bytes) return nullptr;
  promised_ += bytes;
  ++promises_;
  return std::make_unique<SpacePromise>(this, bytes);
}

std::unique_ptr<SpacePromise> Volume::PromiseMore(uint64_t bytes, uint64_t length) {
  const absl::StatusOr<DiskSpace> space = env_->Space(path_);
  MutexLock lock(mu_);
  if (!OpenLocked() || !space.ok()) return nullptr;
  last_space_ = *space;
  if (RemainingLocked(*space) < bytes - length) return nullptr;
  ++promises_;
  used_ -= std::min(used_, length + ChecksumFileBytes(length));
  promised_ += bytes;
  allocated_ += length;
  return std::make_unique<SpacePromise>(this, bytes, length);
}

void Volume::ReturnPromise(uint64_t bytes, uint64_t allocated) {
  MutexLock lock(mu_);
  promised_ -= bytes;
  allocated_ -= allocated;
  if (--promises_ == 0) promise_returned_.SignalAll();
}

void Volume::SetNamed(bool named) {
  MutexLock lock(mu_);
  named_ = named;
}

bool Volume::SetTakesNew(bool takes_new) {
  MutexLock lock(mu_);
  return std::exchange(takes_new_, takes_new);
}

size_t Volume::promises() const {
  MutexLock lock(mu_);
  return promises_;
}

void Volume::WaitForPromises(int64_t timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  MutexLock lock(mu_);
  while (promises_ > 0) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) return;
    promise_returned_.WaitFor(mu_, left);
  }
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

void Volume::SetSmallLog(std::unique_ptr<SmallLog> log) { small_log_ = std::move(log); }

bool Volume::TakeForLog(uint64_t bytes) {
  const absl::StatusOr<DiskSpace> space = env_->Space(path_);
  MutexLock lock(mu_);
  if (failed_ || left_ || !space.ok()) return false;
  last_space_ = *space;
  if (RemainingLocked(*space) / kLogShare < log_bytes_ + bytes) return false;
  log_bytes_ += bytes;
  return true;
}

void Volume::GiveBackOfLog(uint64_t bytes) {
  MutexLock lock(mu_);
  log_bytes_ -= bytes;
}

uint64_t Volume::RemainingLocked(const DiskSpace& disk) const {
  const auto less = [](uint64_t a, uint64_t b) { return a > b ? a - b : 0; };
  uint64_t remaining = less(disk.free_bytes, limits_.reserved_bytes);
  remaining = less(remaining, promised_ - allocated_);
  if (limits_.capacity_bytes > 0) {
    remaining = std::min(remaining, less(limits_.capacity_bytes, used_ + promised_ + log_bytes_));
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
  info.remaining_bytes = OpenLocked() ? RemainingLocked(last_space_) : 0;
  info.blocks = finalized_;
  info.failed = failed_;
  info.slow_us = slow_.us;
  info.others_us = slow_.others_us;
  return info;
}

void Volume::SetSlow(const SlowDisks::Verdict* slow) {
  MutexLock lock(mu_);
  const bool was_slow = slow_.us != 0;
  slow_ = slow == nullptr ? SlowDisks::Verdict{} : *slow;
  if (was_slow == (slow != nullptr)) return;
  if (was_slow) {
    LogInfo("{}: is not slow any more", path_);
  } else {
    LogWarn("{}: is slow, a write or a sync takes {} us, on this node's other disks {} us", path_,
            slow_.us, slow_.others_us);
  }
}

bool Volume::failed() const {
  MutexLock lock(mu_);
  return failed_ || left_;
}

bool Volume::broken() const {
  MutexLock lock(mu_);
  return failed_;
}

bool Volume::left() const {
  MutexLock lock(mu_);
  return left_;
}

void Volume::Leave() {
  MutexLock lock(mu_);
  left_ = true;
}

absl::Status Volume::NoteWriteFailure(absl::Status status) {
  // A full disk or too many open files say nothing against the disk.
  if (!status.ok() && !absl::IsResourceExhausted(status)) Fail(status);
  return status;
}

void Volume::Fail(const absl::Status& why) {
  MutexLock lock(mu_);
  if (!failed_ && !left_) {
    LogError("data directory {} failed and is not used any more: {}", path_, MessageOf(why));
  }
  failed_ = true;
}

}  // namespace cairn::datanode
