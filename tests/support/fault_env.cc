#include "tests/support/fault_env.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace cairn {
namespace {

constexpr uint64_t kSectorBytes = 512;  // what a disk writes whole

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A small generator of our own, so that a seed means the same everywhere (Numerical Recipes).
bool CoinFlip(uint32_t* random) {
  *random = *random * 1664525u + 1013904223u;
  return (*random >> 16 & 1) != 0;
}

bool IsChange(FaultOp op) {
  return op != FaultOp::kRead && op != FaultOp::kList && op != FaultOp::kOpen;
}

}  // namespace

class FaultEnv::MemoryLock final : public FileLock {
 public:
  MemoryLock(FaultEnv* env, std::string path, uint64_t life)
      : env_(env), path_(std::move(path)), life_(life) {}
  ~MemoryLock() override {
    MutexLock lock(env_->mu_);
    if (env_->life_ == life_) env_->locked_.erase(path_);
  }

 private:
  FaultEnv* const env_;
  const std::string path_;
  const uint64_t life_;
};

class FaultEnv::MemoryFile final : public File {
 public:
  MemoryFile(FaultEnv* env, std::string path, INodePtr inode, uint64_t life, bool direct)
      : env_(env), path_(std::move(path)), inode_(std::move(inode)), life_(life), direct_(direct) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) override {
    MutexLock lock(env_->mu_);
    RETURN_IF_ERROR(Begin(FaultOp::kRead));
    const std::string& data = inode_->data;
    if (offset >= data.size()) return 0;
    return data.copy(out.data(), out.size(), offset);
  }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    return WriteVAt(offset, {&data, 1});
  }

  absl::Status WriteVAt(uint64_t offset, std::span<const std::string_view> pieces) override {
    MutexLock lock(env_->mu_);
    RETURN_IF_ERROR(Begin(FaultOp::kWrite));
    Change change{.offset = offset, .bytes = "", .resize = false, .direct = direct_};
    for (const std::string_view piece : pieces) change.bytes += piece;
    if (direct_) RETURN_IF_ERROR(CheckDirect(change, pieces));
    const uint64_t end = offset + change.bytes.size();
    const uint64_t fits = env_->FitsUpTo(*inode_);
    if (end > fits) change.bytes.resize(fits > offset ? fits - offset : 0);
    if (!change.bytes.empty()) Do(std::move(change));
    if (end > fits) return ErrnoStatus(path_, ENOSPC);
    if (direct_) ++env_->direct_writes_;
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    MutexLock lock(env_->mu_);
    if (env_->life_ != life_ || env_->PowerIsOff()) return ErrnoStatus(path_, EIO);
    const absl::Status begun = Begin(FaultOp::kSync);
    if (begun.ok()) {
      for (const Change& change : inode_->unsynced) Apply(change, inode_->durable);
    }
    inode_->unsynced.clear();  // after a failure: lost, as on Linux
    return begun;
  }

  absl::Status SyncFileSystem() override {
    MutexLock lock(env_->mu_);
    RETURN_IF_ERROR(Begin(FaultOp::kSyncFileSystem));
    for (const auto& [path, inode] : env_->names_) {
      for (const Change& change : inode->unsynced) Apply(change, inode->durable);
      inode->unsynced.clear();
    }
    for (const DirChange& change : env_->unsynced_) Apply(change, env_->durable_names_);
    env_->unsynced_.clear();
    return absl::OkStatus();
  }

  absl::Status Preallocate(uint64_t bytes, bool keep_size) override {
    MutexLock lock(env_->mu_);
    RETURN_IF_ERROR(Begin(FaultOp::kPreallocate));
    if (bytes > env_->FitsUpTo(*inode_)) return ErrnoStatus(path_, ENOSPC);
    inode_->reserved = std::max(inode_->reserved, bytes);
    if (!keep_size && bytes > inode_->data.size()) {
      Do({.offset = bytes, .bytes = "", .resize = true});
    }
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t bytes) override {
    MutexLock lock(env_->mu_);
    RETURN_IF_ERROR(Begin(FaultOp::kTruncate));
    inode_->reserved = 0;
    Do({.offset = bytes, .bytes = "", .resize = true});
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override {
    MutexLock lock(env_->mu_);
    RETURN_IF_ERROR(Begin(FaultOp::kRead));
    return inode_->data.size();
  }

 private:
  absl::Status Begin(FaultOp op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(env_->mu_) {
    if (env_->life_ != life_) return ErrnoStatus(path_, EIO);  // from before a crash
    return env_->Begin(op, path_);
  }
  absl::Status CheckDirect(const Change& change, std::span<const std::string_view> pieces) const {
    uint64_t bits = change.offset;
    for (const std::string_view piece : pieces) {
      bits |= piece.size() | reinterpret_cast<uintptr_t>(piece.data());
    }
    if (bits % kDirectAlignment != 0) {
      return absl::UnimplementedError(fmt::format("{}: not aligned for a direct write", path_));
    }
    const uint64_t end = change.offset + change.bytes.size();
    for (const Change& other : inode_->unsynced) {
      const uint64_t other_end = other.offset + other.bytes.size();
      if (other.resize || other.direct || other.offset >= end || other_end <= change.offset) {
        continue;
      }
      return absl::InternalError(
          fmt::format("{}: a direct write at {} over what the page cache holds at {}", path_,
                      change.offset, other.offset));
    }
    return absl::OkStatus();
  }
  void Do(Change change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(env_->mu_) {
    Apply(change, inode_->data);
    inode_->unsynced.push_back(std::move(change));
  }

  FaultEnv* const env_;
  const std::string path_;
  const INodePtr inode_;
  const uint64_t life_;
  const bool direct_;
};

FaultEnv::FaultEnv() : capacity_(std::numeric_limits<int64_t>::max()), dirs_{"/", "."} {}
FaultEnv::~FaultEnv() = default;

// --- Faults ---

void FaultEnv::SetHook(Hook hook) {
  MutexLock lock(mu_);
  hook_ = std::move(hook);
}

uint64_t FaultEnv::changes() const {
  MutexLock lock(mu_);
  return changes_;
}

void FaultEnv::CutPowerAfter(uint64_t changes) {
  MutexLock lock(mu_);
  power_until_ = changes_ + changes;
}

void FaultEnv::SetCapacity(uint64_t bytes) {
  MutexLock lock(mu_);
  capacity_ = bytes;
}

void FaultEnv::SetDirect(bool has_direct) {
  MutexLock lock(mu_);
  has_direct_ = has_direct;
}

uint64_t FaultEnv::direct_writes() const {
  MutexLock lock(mu_);
  return direct_writes_;
}

void FaultEnv::Flip(const std::string& path, uint64_t offset, uint8_t mask) {
  MutexLock lock(mu_);
  const auto it = names_.find(path);
  if (it == names_.end()) return;
  for (std::string* data : {&it->second->data, &it->second->durable}) {
    if (offset < data->size()) (*data)[offset] = static_cast<char>((*data)[offset] ^ mask);
  }
}

void FaultEnv::Kill() {
  MutexLock lock(mu_);
  ++life_;
  power_until_.reset();
  locked_.clear();
}

void FaultEnv::Crash(std::optional<uint32_t> seed) {
  MutexLock lock(mu_);
  ++life_;
  power_until_.reset();
  locked_.clear();
  uint32_t random = seed.value_or(0);
  if (seed) {
    for (const DirChange& change : unsynced_) {
      if (!CoinFlip(&random)) break;
      Apply(change, durable_names_);
    }
  }
  unsynced_.clear();
  names_ = durable_names_;
  for (const auto& [path, inode] : names_) {
    if (seed) {
      for (const Change& change : inode->unsynced) KeepSome(change, &random, inode->durable);
    }
    inode->unsynced.clear();
    inode->data = inode->durable;
    inode->reserved = 0;
  }
}

void FaultEnv::Apply(const Change& change, std::string& data) {
  if (change.resize) {
    data.resize(change.offset);
    return;
  }
  const uint64_t end = change.offset + change.bytes.size();
  if (data.size() < end) data.resize(end);
  data.replace(change.offset, change.bytes.size(), change.bytes);
}

void FaultEnv::KeepSome(const Change& change, uint32_t* random, std::string& data) {
  if (change.resize) {
    if (CoinFlip(random)) Apply(change, data);
    return;
  }
  for (uint64_t at = 0; at < change.bytes.size();) {
    const uint64_t offset = change.offset + at;
    const uint64_t bytes = std::min(kSectorBytes - offset % kSectorBytes, change.bytes.size() - at);
    if (CoinFlip(random)) {
      Apply({.offset = offset, .bytes = change.bytes.substr(at, bytes), .resize = false}, data);
    }
    at += bytes;
  }
}

void FaultEnv::Apply(const DirChange& change, Names& names) {
  if (!change.to.empty()) {
    names.erase(change.path);
    names[change.to] = change.inode;
  } else if (change.inode != nullptr) {
    names[change.path] = change.inode;
  } else {
    names.erase(change.path);
  }
}

// --- Env ---

absl::Status FaultEnv::Begin(FaultOp op, const std::string& path) {
  if (PowerIsOff()) return ErrnoStatus(path, EIO);
  if (hook_) RETURN_IF_ERROR(hook_(op, path));
  if (IsChange(op)) ++changes_;
  return absl::OkStatus();
}

absl::StatusOr<FaultEnv::INodePtr> FaultEnv::Find(const std::string& path) {
  const auto it = names_.find(path);
  if (it != names_.end()) return it->second;
  return ErrnoStatus(path, dirs_.contains(path) ? EISDIR : ENOENT);
}

void FaultEnv::ChangeDir(DirChange change) {
  Apply(change, names_);
  unsynced_.push_back(std::move(change));
}

uint64_t FaultEnv::UsedBytes() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : names_) used += inode->used();
  return used;
}

uint64_t FaultEnv::FitsUpTo(const INode& inode) const {
  const uint64_t others = UsedBytes() - std::min(UsedBytes(), inode.used());
  return std::max(inode.used(), capacity_ - std::min(capacity_, others));
}

absl::StatusOr<std::unique_ptr<File>> FaultEnv::Open(const std::string& path, OpenMode mode) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kOpen, path));
  const bool direct = mode == OpenMode::kDirect;
  if (direct && !has_direct_) {
    return absl::UnimplementedError(fmt::format("{}: no direct writes here", path));
  }
  const bool may_create = mode == OpenMode::kCreate || mode == OpenMode::kTruncate;
  auto it = names_.find(path);
  if (it != names_.end() && mode == OpenMode::kCreate) return ErrnoStatus(path, EEXIST);
  if (it == names_.end()) {
    if (dirs_.contains(path)) return ErrnoStatus(path, EISDIR);
    if (!may_create || !dirs_.contains(ParentOf(path))) return ErrnoStatus(path, ENOENT);
    ++changes_;
    ChangeDir({.path = path, .to = "", .inode = std::make_shared<INode>()});
    it = names_.find(path);
  } else if (mode == OpenMode::kTruncate) {
    ++changes_;
    const Change change{.offset = 0, .bytes = "", .resize = true};
    Apply(change, it->second->data);
    it->second->unsynced.push_back(change);
    it->second->reserved = 0;
  }
  return std::make_unique<MemoryFile>(this, path, it->second, life_, direct);
}

absl::StatusOr<std::string> FaultEnv::ReadFile(const std::string& path) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kRead, path));
  ASSIGN_OR_RETURN(const INodePtr inode, Find(path));
  return inode->data;
}

absl::Status FaultEnv::WriteFileAtomically(const std::string& path, std::string_view content) {
  const std::string tmp = path + ".tmp";
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, Open(tmp, OpenMode::kTruncate));
  RETURN_IF_ERROR(file->WriteAt(0, content));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(Rename(tmp, path));
  return SyncDir(ParentOf(path));
}

absl::Status FaultEnv::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kRename, from));
  ASSIGN_OR_RETURN(INodePtr inode, Find(from));
  if (!dirs_.contains(ParentOf(to))) return ErrnoStatus(to, ENOENT);
  ChangeDir({.path = from, .to = to, .inode = std::move(inode)});
  return absl::OkStatus();
}

absl::Status FaultEnv::Remove(const std::string& path) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kRemove, path));
  RETURN_IF_ERROR(Find(path).status());
  ChangeDir({.path = path, .to = "", .inode = nullptr});
  return absl::OkStatus();
}

absl::Status FaultEnv::RemoveDir(const std::string& path) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kRemove, path));
  if (!dirs_.contains(path)) return ErrnoStatus(path, ENOENT);
  const auto inside = [&path](const std::string& other) { return ParentOf(other) == path; };
  for (const auto& [name, inode] : names_) {
    if (inside(name)) return ErrnoStatus(path, ENOTEMPTY);
  }
  if (std::any_of(dirs_.begin(), dirs_.end(), inside)) return ErrnoStatus(path, ENOTEMPTY);
  dirs_.erase(path);
  return absl::OkStatus();
}

absl::Status FaultEnv::CreateDirs(const std::string& path) {
  MutexLock lock(mu_);
  if (dirs_.contains(path)) return absl::OkStatus();
  RETURN_IF_ERROR(Begin(FaultOp::kSyncDir, path));
  for (std::string dir = path; !dirs_.contains(dir); dir = ParentOf(dir)) {
    if (names_.contains(dir)) return ErrnoStatus(dir, ENOTDIR);
    dirs_.insert(dir);
  }
  return absl::OkStatus();
}

absl::Status FaultEnv::SyncDir(const std::string& path) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kSyncDir, path));
  if (!dirs_.contains(path)) return ErrnoStatus(path, ENOENT);
  size_t count = 0;  // up to the last change in this folder
  for (size_t i = 0; i < unsynced_.size(); ++i) {
    const DirChange& change = unsynced_[i];
    if (ParentOf(change.path) == path || ParentOf(change.to) == path) count = i + 1;
  }
  for (size_t i = 0; i < count; ++i) Apply(unsynced_[i], durable_names_);
  unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<ptrdiff_t>(count));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FaultEnv::List(const std::string& dir) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kList, dir));
  if (!dirs_.contains(dir)) return ErrnoStatus(dir, names_.contains(dir) ? ENOTDIR : ENOENT);
  std::vector<std::string> found;
  const auto add = [&](const std::string& path) {
    if (path != dir && ParentOf(path) == dir) found.push_back(path.substr(path.rfind('/') + 1));
  };
  for (const auto& [path, inode] : names_) add(path);
  for (const std::string& path : dirs_) add(path);
  std::sort(found.begin(), found.end());
  return found;
}

absl::StatusOr<bool> FaultEnv::Exists(const std::string& path) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kRead, path));
  return names_.contains(path) || dirs_.contains(path);
}

absl::StatusOr<DiskSpace> FaultEnv::Space(const std::string& path) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kRead, path));
  if (!names_.contains(path) && !dirs_.contains(path)) return ErrnoStatus(path, ENOENT);
  return DiskSpace{.capacity_bytes = capacity_,
                   .free_bytes = capacity_ - std::min(capacity_, UsedBytes())};
}

absl::StatusOr<std::unique_ptr<FileLock>> FaultEnv::Lock(const std::string& path) {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(Begin(FaultOp::kOpen, path));
  if (!dirs_.contains(ParentOf(path))) return ErrnoStatus(path, ENOENT);
  if (!locked_.insert(path).second) {
    return absl::FailedPreconditionError(fmt::format("{}: locked by a running process", path));
  }
  if (!names_.contains(path)) {
    ChangeDir({.path = path, .to = "", .inode = std::make_shared<INode>()});
  }
  return std::make_unique<MemoryLock>(this, path, life_);
}

}  // namespace cairn
