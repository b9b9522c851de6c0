#include "datanode/store/small_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <string_view>

namespace cairn::datanode {
namespace {

constexpr uint64_t kMaxCommitBytes = 8 << 20;
constexpr int kCallsUntilOld = 5;

uint64_t RandomSalt() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

}  // namespace

SmallLog::SmallLog(Env* env, Options options) : env_(env), options_(std::move(options)) {}

absl::StatusOr<SmallLog::Ticket> SmallLog::Append(SmallRecord record) {
  if (record.bytes().size() > options_.segment_bytes - kSmallLogAlignment) return Ticket();
  Waiter waiter(std::move(record));
  bool full = false;
  {
    MutexLock lock(mu_);
    queue_.push_back(&waiter);
    while (!waiter.done && committing_) changed_.Wait(mu_);
    if (!waiter.done) {
      committing_ = true;
      while (!waiter.done) CommitSome();
      committing_ = false;
      if (std::exchange(seal_wanted_, false)) SealActive();
      full = std::exchange(full_, false);
      changed_.SignalAll();
    }
  }
  if (full && options_.on_full) options_.on_full();
  RETURN_IF_ERROR(waiter.status);
  if (waiter.sequence == 0) return Ticket();
  return Ticket(this, waiter.sequence, waiter.durable);
}

void SmallLog::CommitSome() {
  const auto room = FindRoom(queue_.front()->record.bytes().size());
  if (!room.ok() || *room == nullptr) {
    for (Waiter* waiter : queue_) {
      waiter->status = room.status();
      waiter->done = true;
    }
    queue_.clear();
    return;
  }
  Segment& segment = **room;
  const uint64_t start = segment.end;
  std::vector<Waiter*> batch;
  std::vector<std::string_view> pieces;
  while (!queue_.empty()) {
    Waiter* const next = queue_.front();
    const uint64_t end = segment.end + next->record.bytes().size();
    if (end > options_.segment_bytes) break;
    if (!batch.empty() && end - start > kMaxCommitBytes) break;
    next->record.Stamp(segment.header.salt, start);
    pieces.push_back(next->record.bytes());
    batch.push_back(next);
    segment.end = end;
    queue_.pop_front();
  }
  mu_.Unlock();
  absl::Status status = segment.file->WriteVAt(start, pieces);
  if (status.ok()) status = segment.file->Sync();
  mu_.Lock();
  for (Waiter* waiter : batch) {
    // A full disk is nobody's fault, and leaves nobody without a way; but the record may be there.
    const bool exhausted = absl::IsResourceExhausted(status);
    if (!exhausted) waiter->status = status;
    waiter->durable = status.ok();
    waiter->done = true;
    if (!status.ok() && !exhausted) continue;
    waiter->sequence = segment.header.sequence;
    segment.blocks.push_back(waiter->record.block());
    ++segment.in_flight;
  }
  ++stats_.commits;
  if (status.ok()) {
    stats_.records += batch.size();
    stats_.bytes += segment.end - start;
  } else {
    SealActive();  // what is at its end is not known
  }
}

// Null: there is none.
absl::StatusOr<SmallLog::Segment*> SmallLog::FindRoom(uint64_t bytes) {
  if (active_ != nullptr && active_->end + bytes > options_.segment_bytes) {
    SealActive();
    full_ = sealed_.size() >= options_.max_segments / 2;
  }
  if (active_ != nullptr) return active_;
  if (!free_.empty()) {
    active_ = free_.front();
    free_.pop_front();
    return active_;
  }
  if (segments_.size() >= options_.max_segments) return static_cast<Segment*>(nullptr);
  ASSIGN_OR_RETURN(active_, AddSegment());
  return active_;
}

absl::StatusOr<SmallLog::Segment*> SmallLog::AddSegment() {
  auto segment = std::make_unique<Segment>();
  segment->path = fmt::format("{}/segment_{}", options_.folder, segments_.size());
  segment->header = NextUse();
  const bool marked = marked_;
  mu_.Unlock();
  absl::Status status;
  const bool taken = options_.take_space(options_.segment_bytes);
  if (taken) {
    status = env_->CreateDirs(options_.folder);
    if (status.ok() && !marked) status = options_.mark(true);
    if (status.ok()) {
      auto file = CreateFile(segment->path, segment->header);
      status = file.status();
      if (file.ok()) segment->file = *std::move(file);
    }
    if (!status.ok()) {
      env_->Remove(segment->path).IgnoreError();
      options_.give_back(options_.segment_bytes);
    }
  }
  mu_.Lock();
  if (!taken || absl::IsResourceExhausted(status)) return static_cast<Segment*>(nullptr);
  RETURN_IF_ERROR(status);
  marked_ = true;
  stats_.segment_bytes += options_.segment_bytes;
  segments_.push_back(std::move(segment));
  return segments_.back().get();
}

absl::StatusOr<std::unique_ptr<File>> SmallLog::CreateFile(const std::string& path,
                                                           const SmallSegmentHeader& header) {
  ASSIGN_OR_RETURN(auto file, env_->Open(path, OpenMode::kTruncate));
  RETURN_IF_ERROR(file->Preallocate(options_.segment_bytes, /*keep_size=*/false));
  RETURN_IF_ERROR(file->WriteAt(0, EncodeSmallSegmentHeader(header)));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(env_->SyncDir(options_.folder));
  return file;
}

SmallSegmentHeader SmallLog::NextUse() {
  return {.sequence = next_sequence_++, .salt = RandomSalt()};
}

void SmallLog::SealActive() {
  if (active_ == nullptr || active_->end == kSmallLogAlignment) return;
  sealed_.push_back(std::exchange(active_, nullptr));
}

void SmallLog::EndFlight(uint64_t sequence) {
  MutexLock lock(mu_);
  for (const auto& segment : segments_) {
    if (segment->header.sequence == sequence && --segment->in_flight == 0) changed_.SignalAll();
  }
}

bool SmallLog::IsLive(uint64_t sequence) {
  MutexLock lock(mu_);
  // A free segment has a sequence that nobody was told of.
  return std::any_of(segments_.begin(), segments_.end(),
                     [&](const auto& segment) { return segment->header.sequence == sequence; });
}

// --- retiring ------------------------------------------------------------------------------------

std::vector<SmallLog::Segment*> SmallLog::TakeDue(bool all) {
  const bool used = active_ != nullptr && active_->end > kSmallLogAlignment;
  if (!used && sealed_.empty()) return {};
  const bool many = sealed_.size() >= options_.max_segments / 2;
  if (!all && !many && ++calls_ < kCallsUntilOld) return {};
  calls_ = 0;
  if (used) {
    const uint64_t sequence = active_->header.sequence;
    const auto sealed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return active_ == nullptr || active_->header.sequence != sequence;
    };
    while (committing_ && !sealed()) {
      seal_wanted_ = true;
      changed_.Wait(mu_);
    }
    if (!sealed()) SealActive();
  }
  std::vector<Segment*> taken(sealed_.begin(), sealed_.end());
  for (const Segment* segment : taken) {
    while (segment->in_flight > 0) changed_.Wait(mu_);
  }
  return taken;
}

absl::Status SmallLog::Retire(
    bool all, const std::function<void(uint64_t sequence, const Block&)>& on_settled) {
  MutexLock lock(mu_);
  while (retiring_) changed_.Wait(mu_);
  retiring_ = true;
  const std::vector<Segment*> taken = TakeDue(all);
  std::vector<SmallSegmentHeader> next;
  for (size_t i = 0; i < taken.size(); ++i) next.push_back(NextUse());
  mu_.Unlock();
  absl::Status status;
  if (!taken.empty()) status = taken.front()->file->SyncFileSystem();
  if (!status.ok()) {
    // What it did not write is lost, and a later one would not say so.
    status = absl::InternalError(fmt::format("{}: the files of small replicas were not synced: {}",
                                             options_.folder, MessageOf(status)));
  }
  for (const Segment* segment : taken) {
    if (!status.ok()) break;
    for (const Block& block : segment->blocks) on_settled(segment->header.sequence, block);
  }
  for (size_t i = 0; i < taken.size() && status.ok(); ++i) {
    status = taken[i]->file->WriteAt(0, EncodeSmallSegmentHeader(next[i]));
    if (status.ok()) status = taken[i]->file->Sync();
  }
  mu_.Lock();
  if (status.ok()) {
    for (size_t i = 0; i < taken.size(); ++i) {
      taken[i]->header = next[i];
      taken[i]->end = kSmallLogAlignment;
      taken[i]->blocks.clear();
      free_.push_back(taken[i]);
      sealed_.pop_front();
    }
  }
  retiring_ = false;
  changed_.SignalAll();
  return status;
}

std::vector<std::unique_ptr<SmallLog::Segment>> SmallLog::TakeSegments() {
  while (retiring_) changed_.Wait(mu_);
  active_ = nullptr;
  free_.clear();
  sealed_.clear();
  return std::exchange(segments_, {});
}

void SmallLog::Abandon() {
  std::vector<std::unique_ptr<Segment>> segments;
  MutexLock lock(mu_);
  segments = TakeSegments();
  stats_.segment_bytes = 0;
  mu_.Unlock();
  segments.clear();
  mu_.Lock();
}

absl::Status SmallLog::Close() {
  MutexLock lock(mu_);
  std::vector<std::unique_ptr<Segment>> segments = TakeSegments();
  if (segments.empty()) return absl::OkStatus();
  mu_.Unlock();
  absl::Status status;
  for (const auto& segment : segments) {
    segment->file.reset();
    if (status.ok()) status = env_->Remove(segment->path);
    options_.give_back(options_.segment_bytes);
  }
  if (status.ok()) status = env_->SyncDir(options_.folder);
  if (status.ok()) status = options_.mark(false);
  mu_.Lock();
  marked_ = false;
  stats_.segment_bytes = 0;
  return status;
}

SmallLogStats SmallLog::stats() {
  MutexLock lock(mu_);
  SmallLogStats stats = stats_;
  for (const auto& segment : segments_) stats.pending += segment->blocks.size();
  return stats;
}

}  // namespace cairn::datanode
