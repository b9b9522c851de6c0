#include "common/line_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/metrics.h"

namespace cairn {
namespace {

constexpr int64_t kTellFailureEveryMs = 30'000;

std::string Numbered(const std::string& path, int64_t number) {
  return number == 0 ? path : fmt::format("{}.{}", path, number);
}

// Whether the file ends with a whole line.
absl::StatusOr<bool> EndsWithNewline(File& file, uint64_t size) {
  char last = '\n';
  if (size > 0) RETURN_IF_ERROR(file.ReadAt(size - 1, {&last, 1}).status());
  return last == '\n';
}

}  // namespace

absl::StatusOr<std::unique_ptr<LineLog>> LineLog::Open(Env* env, LineLogOptions options) {
  if (const size_t slash = options.path.rfind('/'); slash != std::string::npos && slash > 0) {
    RETURN_IF_ERROR(env->CreateDirs(options.path.substr(0, slash)));
  }
  std::unique_ptr<LineLog> log(new LineLog(env, std::move(options)));
  RETURN_IF_ERROR(log->OpenFile());
  log->writer_ = std::thread([raw = log.get()] { raw->RunWriter(); });
  return log;
}

LineLog::LineLog(Env* env, LineLogOptions options) : env_(env), options_(std::move(options)) {}

LineLog::~LineLog() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wake_cv_.SignalAll();
  }
  if (writer_.joinable()) writer_.join();
}

absl::Status LineLog::OpenFile() {
  ASSIGN_OR_RETURN(const bool exists, env_->Exists(options_.path));
  ASSIGN_OR_RETURN(file_,
                   env_->Open(options_.path, exists ? OpenMode::kReadWrite : OpenMode::kTruncate));
  ASSIGN_OR_RETURN(offset_, file_->Size());
  rotate_at_ = options_.max_file_bytes;
  // A process that was killed may have written half of its last line.
  ASSIGN_OR_RETURN(const bool whole, EndsWithNewline(*file_, offset_));
  if (whole) return absl::OkStatus();
  RETURN_IF_ERROR(file_->WriteAt(offset_, "\n"));
  ++offset_;
  return absl::OkStatus();
}

bool LineLog::Append(std::string_view line) {
  MutexLock lock(mu_);
  if (pending_.size() + line.size() + 1 > options_.max_queued_bytes) {
    ++dropped_;
    if (options_.dropped != nullptr) options_.dropped->Increment();
    return false;
  }
  const bool idle = pending_.empty();
  pending_.append(line);
  pending_.push_back('\n');
  appended_bytes_ += line.size() + 1;
  if (idle) wake_cv_.Signal();
  return true;
}

void LineLog::Flush() {
  MutexLock lock(mu_);
  const uint64_t goal = appended_bytes_;
  while (written_bytes_ < goal) written_cv_.Wait(mu_);
}

void LineLog::RunWriter() {
  std::string batch;
  while (true) {
    uint64_t dropped = 0;
    {
      MutexLock lock(mu_);
      while (pending_.empty() && !stopping_) wake_cv_.Wait(mu_);
      if (pending_.empty()) return;
      batch.swap(pending_);
      dropped = std::exchange(dropped_, 0);
    }
    const size_t bytes = batch.size();
    if (lost_ > 0 && Write(options_.dropped_line(lost_) + "\n") == 0) lost_ = 0;
    const uint64_t failed = Write(batch);
    lost_ += failed;
    if (failed > 0 && options_.dropped != nullptr) {
      options_.dropped->Increment(static_cast<double>(failed));
    }
    // They came when the buffer was full of what stands before them.
    if (dropped > 0 && Write(options_.dropped_line(dropped) + "\n") > 0) lost_ += dropped;
    batch.clear();
    MutexLock lock(mu_);
    written_bytes_ += bytes;
    written_cv_.SignalAll();
  }
}

// Writes whole lines, as many to a file as it may hold; returns how many could not be written.
uint64_t LineLog::Write(std::string_view lines) {
  uint64_t failed = 0;
  while (!lines.empty()) {
    size_t fits = lines.size();
    if (offset_ + fits > rotate_at_) {
      const uint64_t room = rotate_at_ > offset_ ? rotate_at_ - offset_ : 0;
      // One past the last newline within the room; 0 without one.
      fits = room == 0 ? 0 : lines.rfind('\n', room - 1) + 1;
    }
    if (fits == 0 && offset_ > 0) {
      Rotate();
      if (offset_ + lines.find('\n') + 1 <= rotate_at_) continue;
    }
    if (fits == 0) fits = lines.find('\n') + 1;
    const std::string_view piece = lines.substr(0, fits);
    lines.remove_prefix(fits);
    const absl::Status written = WritePiece(piece);
    if (written.ok()) continue;
    failed += static_cast<uint64_t>(std::count(piece.begin(), piece.end(), '\n'));
    TellFailure(written);
  }
  return failed;
}

absl::Status LineLog::WritePiece(std::string_view lines) {
  const absl::Status written = file_->WriteAt(offset_, lines);
  if (written.ok()) {
    offset_ += lines.size();
  } else {
    (void)file_->Truncate(offset_);  // what was written of it
  }
  return written;
}

// A file that cannot be renamed is written on: too large is better than lost.
void LineLog::Rotate() {
  const absl::Status renamed = RenameAll();
  if (renamed.ok()) return;
  rotate_at_ = offset_ + options_.max_file_bytes;
  TellFailure(renamed);
}

absl::Status LineLog::RenameAll() {
  if (options_.max_files == 1) {
    RETURN_IF_ERROR(file_->Truncate(0));
    offset_ = 0;
    rotate_at_ = options_.max_file_bytes;
    return absl::OkStatus();
  }
  for (int64_t number = options_.max_files - 2; number >= 0; --number) {
    ASSIGN_OR_RETURN(const bool exists, env_->Exists(Numbered(options_.path, number)));
    if (!exists) continue;
    RETURN_IF_ERROR(
        env_->Rename(Numbered(options_.path, number), Numbered(options_.path, number + 1)));
  }
  return OpenFile();
}

void LineLog::TellFailure(const absl::Status& status) {
  const int64_t now_ms = NewSystemClock()->SteadyMs();
  if (told_failure_ms_ != 0 && now_ms - told_failure_ms_ < kTellFailureEveryMs) return;
  told_failure_ms_ = now_ms;
  LogError("{}: {}", options_.path, MessageOf(status));
}

}  // namespace cairn
