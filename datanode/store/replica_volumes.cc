// Volumes that come and go while the node runs (ADR 0034).
//
// A Volume object outlives its removal: whoever is at one of its replicas at that moment finds it
// out of use, as if its disk had failed. What must not happen after a removal is that a file there
// is opened or held open by the store, so it waits for those who own replicas on it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "common/data_dir.h"
#include "common/logging.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

// A disk on which an operation takes longer than this hangs.
constexpr std::chrono::milliseconds kPatience(5'000);
constexpr int64_t kRoundMs = 100;  // until writers are told again to end

// One name for a directory, however it was spelled, as long as its disk answers.
std::filesystem::path Resolved(const std::string& path) {
  std::error_code error;
  std::filesystem::path resolved = std::filesystem::absolute(path, error);
  if (error) resolved = path;
  const std::filesystem::path real = std::filesystem::weakly_canonical(resolved, error);
  if (!error) resolved = real;
  resolved = resolved.lexically_normal();
  return resolved.has_filename() ? resolved : resolved.parent_path();
}

bool IsWithin(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  auto at = inner.begin();
  for (const auto& part : outer) {
    if (at == inner.end() || *at++ != part) return false;
  }
  return true;
}

}  // namespace

// The right to change the set of volumes; one at a time.
class ReplicaStore::Change {
 public:
  static absl::StatusOr<Change> Begin(ReplicaStore* store) {
    RETURN_IF_ERROR(store->CheckReady());
    MutexLock lock(store->volumes_mu_);
    if (std::exchange(store->changing_, true)) {
      return absl::UnavailableError(
          "another data directory is being added or removed; try again when that is done");
    }
    return Change(store);
  }
  Change(Change&& other) noexcept : store_(std::exchange(other.store_, nullptr)) {}
  Change& operator=(Change&&) = delete;
  ~Change() {
    if (store_ == nullptr) return;
    MutexLock lock(store_->volumes_mu_);
    store_->changing_ = false;
  }

 private:
  explicit Change(ReplicaStore* store) : store_(store) {}
  ReplicaStore* store_;
};

// --- adding --------------------------------------------------------------------------------------

absl::Status ReplicaStore::CheckPlace(const std::string& path) const {
  if (!path.starts_with('/')) {
    return absl::InvalidArgumentError(
        fmt::format("'{}': name the directory by its absolute path on the DataNode", path));
  }
  const std::filesystem::path place = Resolved(path);
  for (const Volume* const volume : CurrentVolumes()) {
    const std::filesystem::path other = Resolved(volume->path());
    if (place == other) {
      return absl::AlreadyExistsError(
          fmt::format("{}: is a data directory of this node already{}", path,
                      volume->failed() ? "; it is out of use, remove it first" : ""));
    }
    if (IsWithin(place, other) || IsWithin(other, place)) {
      return absl::AlreadyExistsError(fmt::format("{}: lies {} the data directory {}", path,
                                                  IsWithin(place, other) ? "within" : "around",
                                                  volume->path()));
    }
  }
  return absl::OkStatus();
}

// True: it was one of those that could not be opened at the start.
bool ReplicaStore::DropMissing(const std::string& path) {
  std::vector<std::string> missing;
  {
    MutexLock lock(volumes_mu_);
    missing = missing_;
  }
  // It may hang: not under the lock. One change at a time, so nobody else takes any out.
  const std::filesystem::path place = Resolved(path);
  const size_t before = missing.size();
  std::erase_if(missing, [&](const std::string& one) { return Resolved(one) == place; });
  const bool dropped = missing.size() < before;
  MutexLock lock(volumes_mu_);
  missing_ = std::move(missing);
  return dropped;
}

absl::StatusOr<VolumeInfo> ReplicaStore::AddVolume(const std::string& given) {
  ASSIGN_OR_RETURN(const Change change, Change::Begin(this));
  RETURN_IF_ERROR(CheckPlace(given));
  std::filesystem::path normal = std::filesystem::path(given).lexically_normal();
  const std::string path = (normal.has_filename() ? normal : normal.parent_path()).string();
  ASSIGN_OR_RETURN(auto dir, DataDir::Open(env_, path, DataDirType::kDataNode));
  if (dir->formatted()) RETURN_IF_ERROR(CheckIdentity(*dir));
  size_t index = 0;
  {
    MutexLock lock(volumes_mu_);
    index = next_index_;
  }
  auto made = MakeVolume(index, path, std::move(dir));
  Volume* const volume = made.get();
  volume->SetNamed(false);
  // Nobody knows of it yet: after an error nothing has changed but for what is in the directory.
  if (!volume->dir()->formatted()) RETURN_IF_ERROR(FormatDir(volume, cluster_id()));
  ASSIGN_OR_RETURN(const std::vector<FoundReplica> found, ScanVolume(volume, /*at_start=*/false));
  if (volume->failed()) return absl::InternalError(path + ": its disk failed; see the log");
  DropMissing(path);
  EnterVolume(std::move(made));
  TakeReplicas(volume, found);
  {
    MutexLock lock(mu_);
    if (const absl::Status saved = SaveHighest(); !saved.ok()) {
      LogWarn("the highest block id seen was not kept: {}", MessageOf(saved));
    }
  }
  return volume->Info();
}

void ReplicaStore::StartUsing(const std::vector<VolumeInfo>& volumes) {
  for (const VolumeInfo& info : volumes) {
    if (Volume* const volume = FindVolume(info.index)) volume->SetNamed(true);
  }
}

// --- removing ------------------------------------------------------------------------------------

absl::StatusOr<Volume*> ReplicaStore::FindRemovable(const std::string& name) {
  const std::vector<Volume*> volumes = CurrentVolumes();
  Volume* found = nullptr;
  std::vector<std::string> paths;
  for (Volume* const volume : volumes) {
    paths.push_back(volume->path());
    if (volume->path() == name || volume->storage_id() == name) found = volume;
  }
  for (Volume* const volume : volumes) {
    const bool path = found == nullptr && name.starts_with('/');
    if (path && Resolved(volume->path()) == Resolved(name)) found = volume;
  }
  if (found == nullptr) {
    return absl::NotFoundError(fmt::format("{}: not a data directory of this node, which has {}",
                                           name, fmt::join(paths, ", ")));
  }
  for (const Volume* const volume : volumes) {
    if (volume != found && !volume->failed()) return found;
  }
  return absl::FailedPreconditionError(
      fmt::format("{}: no other data directory of this node works, and a node needs one; add "
                  "another one first, or decommission the node",
                  found->path()));
}

absl::StatusOr<ReplicaStore::RemovedVolume> ReplicaStore::RemoveVolume(
    const std::string& name, bool force, const CancelFn& cancel_write) {
  ASSIGN_OR_RETURN(const Change change, Change::Begin(this));
  const absl::StatusOr<Volume*> found = FindRemovable(name);
  if (absl::IsNotFound(found.status()) && DropMissing(name)) {
    return RemovedVolume{.info = {.path = name, .failed = true}};
  }
  RETURN_IF_ERROR(found.status());
  Volume* const volume = *found;
  RemovedVolume removed{.info = volume->Info()};
  ASSIGN_OR_RETURN(removed.replicas, TakeOut(volume, force, cancel_write));
  {
    MutexLock lock(volumes_mu_);
    std::erase(volumes_, volume);
  }
  LogInfo("{}: removed; its {} replicas stay there, and are not this node's any more",
          volume->path(), removed.replicas);
  return removed;
}

// What the volume has promised, or a replica whose writer owns it.
absl::Status ReplicaStore::CheckNotWritten(Volume* volume) {
  size_t written = 0;
  replicas_->ForEach([&](const Replica& replica) {
    written += replica.volume == volume && replica.writer ? 1 : 0;
  });
  written = std::max(written, volume->promises());
  if (written == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{}: {} {} being written there; try again when {} done, or use --force, and "
                  "{} writers go on with other nodes",
                  volume->path(), written, written == 1 ? "replica is" : "replicas are",
                  written == 1 ? "that is" : "they are", written == 1 ? "its" : "their"));
}

// Returns how many replicas were forgotten.
absl::StatusOr<uint64_t> ReplicaStore::TakeOut(Volume* volume, bool force,
                                               const CancelFn& cancel_write) {
  const bool took_new = volume->SetTakesNew(false);
  if (!volume->failed()) {
    const absl::Status idle = force ? absl::OkStatus() : CheckNotWritten(volume);
    if (!idle.ok()) {
      volume->SetTakesNew(took_new);
      return idle;
    }
    // What it holds is to be found by whoever opens it next, without the help of a log.
    SyncPending();
    if (volume->small_log() != nullptr) RetireLog(volume, /*all=*/true).IgnoreError();
  }
  volume->Leave();
  const absl::StatusOr<uint64_t> forgotten = ForgetAll(volume, cancel_write);
  if (!forgotten.ok()) {
    LogError("{}", MessageOf(forgotten.status()));
    volume->Fail(forgotten.status());
    return forgotten;
  }
  if (SmallLog* const log = volume->small_log(); log != nullptr) {
    absl::Status closed;
    // Those who were still writing may have left records; their files are made durable here.
    if (!volume->broken()) closed = log->Retire(/*all=*/true, [](uint64_t, const Block&) {});
    if (!volume->broken() && closed.ok()) closed = log->Close();
    if (!closed.ok()) {
      LogWarn("{}: the small-replica log is left to whoever opens it next: {}", volume->path(),
              MessageOf(closed));
    }
    log->Abandon();
  }
  volume->ReleaseDir();
  return forgotten;
}

// Those that nobody owns; adds what is written yet to *written and sets *owned to one that is
// owned.
uint64_t ReplicaStore::ForgetReplicas(const Volume* volume, std::vector<Block>* written,
                                      std::optional<BlockId>* owned) {
  uint64_t forgotten = 0;
  replicas_->EraseIf([&](Replica& replica) {
    // Nothing to come back to, and nothing to remove.
    if (replica.replaces != nullptr && replica.replaces->volume == volume) {
      replica.replaces.reset();
    }
    if (replica.volume != volume) return false;
    if (!replica.owned()) {
      ++forgotten;
      return true;
    }
    if (replica.writer) written->push_back(replica.block);
    *owned = replica.block.id;
    return false;
  });
  return forgotten;
}

absl::StatusOr<uint64_t> ReplicaStore::ForgetAll(Volume* volume, const CancelFn& cancel_write) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  uint64_t forgotten = 0;
  while (true) {
    std::vector<Block> written;
    std::optional<BlockId> owned;
    // First: who has a promise may enter a replica behind the walk.
    const bool promised = volume->promises() > 0;
    forgotten += ForgetReplicas(volume, &written, &owned);
    if (!owned.has_value() && !promised) return forgotten;
    if (std::chrono::steady_clock::now() >= deadline) {
      return absl::UnavailableError(
          fmt::format("{}: out of use, but something on its disk does not end; remove it again to "
                      "have it released",
                      volume->path()));
    }
    for (const Block& block : written) cancel_write(block);
    if (owned.has_value()) {
      replicas_->WaitUntil(*owned, kRoundMs, [](const Replica* replica) {
        return replica == nullptr || !replica->owned();
      });
    } else {
      volume->WaitForPromises(kRoundMs);
    }
  }
}

}  // namespace cairn::datanode
