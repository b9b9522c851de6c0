#include "namenode/journal/journal_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "common/logging.h"
#include "namenode/journal/journal_reader.h"
#include "namenode/journal/segment_format.h"

namespace cairn::namenode {
namespace {

// One segment file in one directory, and what reading it gave.
struct Copy {
  size_t dir = 0;
  std::string path;
  SegmentName name;
  absl::Status status;
  std::string id;
  TxId last = 0;
  uint64_t bytes = 0;  // that count
  bool torn = false;

  bool empty() const { return last < name.first; }
};

// All copies of one segment.
struct Segment {
  std::vector<Copy> copies;

  const Copy& best() const {  // the longest; a closed one rather than one in progress
    return *std::max_element(copies.begin(), copies.end(), [](const Copy& a, const Copy& b) {
      return std::pair(a.last, a.name.closed) < std::pair(b.last, b.name.closed);
    });
  }
  TxId last() const { return best().last; }
};

class Recovery {
 public:
  Recovery(Env* env, const std::vector<std::string>& dirs, TxId from)
      : env_(env), dirs_(dirs), from_(from) {}

  absl::StatusOr<TxId> Run() {
    for (size_t dir = 0; dir < dirs_.size(); ++dir) RETURN_IF_ERROR(Scan(dir));
    RETURN_IF_ERROR(CheckDamage());
    for (const auto& [first, segment] : chain_) RETURN_IF_ERROR(CheckCopies(segment));
    RETURN_IF_ERROR(CheckChain());
    return Repair();
  }

 private:
  absl::Status Scan(size_t dir);
  Copy Read(size_t dir, const std::string& path, const SegmentName& name);
  absl::Status CheckDamage() const;
  absl::Status CheckCopies(const Segment& segment) const;
  absl::Status CheckChain() const;
  absl::StatusOr<TxId> Repair();
  absl::Status RepairDir(const Segment& segment, size_t dir);
  absl::Status Finish(const Copy& copy);
  absl::Status CopyTo(const Copy& source, const std::string& path);

  std::string ClosedPath(size_t dir, TxId first, TxId last) const {
    return fmt::format("{}/{}", dirs_[dir], ClosedName(first, last));
  }

  Env* const env_;
  const std::vector<std::string>& dirs_;
  const TxId from_;
  std::map<TxId, Segment> chain_;       // by first txid; what holds anything from from_ on
  std::vector<std::string> leftovers_;  // files to be removed
  bool any_ = false;                    // there are edits, needed or not
  TxId reached_ = 0;                    // the highest txid that any file speaks of
};

absl::Status Recovery::Scan(size_t dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, env_->List(dirs_[dir]));
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", dirs_[dir], name);
    const auto segment = ParseSegmentName(name);
    if (!segment) {
      if (name.starts_with("edits_") && name.ends_with(kTmpSuffix)) {
        leftovers_.push_back(path);
      } else if (name.starts_with("edits_")) {
        LogWarn("{}: ignored, it is not the name of a segment", path);
      }
      continue;
    }
    any_ = true;
    reached_ = std::max(reached_, segment->closed ? segment->last : segment->first - 1);
    if (segment->closed && segment->last < from_) continue;
    Copy copy = Read(dir, path, *segment);
    if (copy.status.ok() && copy.empty()) {
      if (copy.torn)
        LogWarn("{}: ends in its first batch, torn while it was written; removed", path);
      leftovers_.push_back(path);
      continue;
    }
    reached_ = std::max(reached_, copy.last);
    if (copy.status.ok() && copy.last < from_) continue;
    chain_[segment->first].copies.push_back(std::move(copy));
  }
  return absl::OkStatus();
}

Copy Recovery::Read(size_t dir, const std::string& path, const SegmentName& name) {
  Copy copy{.dir = dir, .path = path, .name = name, .last = name.first - 1};
  absl::StatusOr<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(env_, path);
  copy.status = reader.status();
  if (!copy.status.ok()) return copy;
  JournalRecord record;
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = (*reader)->Next(&record);
  copy.status = more.status();
  copy.id = (*reader)->id();
  copy.last = (*reader)->last();
  copy.bytes = (*reader)->valid_bytes();
  copy.torn = (*reader)->torn();
  return copy;
}

absl::Status Recovery::CheckDamage() const {
  for (const auto& [first, segment] : chain_) {
    for (const Copy& copy : segment.copies) {
      if (copy.status.ok()) continue;
      for (const Copy& other : segment.copies) {
        if (!other.status.ok()) continue;
        return Annotate(copy.status,
                        fmt::format("{} is intact: move the damaged file away and start again, "
                                    "and it is copied from there",
                                    other.path));
      }
      return copy.status;
    }
  }
  return absl::OkStatus();
}

// All copies of a segment are of one history: written together, and closed at one txid.
absl::Status Recovery::CheckCopies(const Segment& segment) const {
  const Copy& best = segment.best();
  for (const Copy& copy : segment.copies) {
    if (copy.id == best.id && (!copy.name.closed || copy.last == best.last)) continue;
    return absl::DataLossError(fmt::format(
        "{} and {} hold different edits: these data directories went different ways; give "
        "--data-dir only those to be kept, and empty the others to have them filled again",
        best.path, copy.path));
  }
  return absl::OkStatus();
}

absl::Status Recovery::CheckChain() const {
  TxId next = from_;
  const Copy* before = nullptr;
  for (const auto& [first, segment] : chain_) {
    const Copy& best = segment.best();
    if (before != nullptr && first < next) {
      return absl::DataLossError(fmt::format(
          "{} and {} hold different edits: both have txid {}; give --data-dir only the directories "
          "to be kept, and empty the others to have them filled again",
          before->path, best.path, first));
    }
    if (first > next) {
      return absl::DataLossError(fmt::format(
          "{}: the edits from txid {} to {} are missing before it (byte 0); restore them from "
          "another --data-dir or a backup",
          best.path, next, first - 1));
    }
    next = segment.last() + 1;
    before = &best;
  }
  if (!chain_.empty() || reached_ + 1 >= from_) return absl::OkStatus();
  if (any_) {
    return absl::DataLossError(
        fmt::format("{}: the edits end at txid {}, below the image of txid {}: newer edits are "
                    "missing; restore "
                    "them from another --data-dir or a backup",
                    dirs_[0], reached_, from_ - 1));
  }
  if (from_ > 1) {
    LogWarn("{}: no edits at all beside the image of txid {}; going on from the image", dirs_[0],
            from_ - 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<TxId> Recovery::Repair() {
  TxId last = from_ - 1;
  for (const auto& [first, segment] : chain_) {
    // The best copy first: the others are made from it.
    const size_t source = segment.best().dir;
    RETURN_IF_ERROR(RepairDir(segment, source));
    for (size_t dir = 0; dir < dirs_.size(); ++dir) {
      if (dir != source) RETURN_IF_ERROR(RepairDir(segment, dir));
    }
    last = segment.last();
  }
  // Renames by a process that ended before it could sync them count, too; only then may what they
  // replace go.
  for (const std::string& dir : dirs_) RETURN_IF_ERROR(env_->SyncDir(dir));
  for (const std::string& path : leftovers_) {
    const absl::Status removed = env_->Remove(path);  // a copy may have taken a leftover's place
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  }
  for (const std::string& dir : dirs_) RETURN_IF_ERROR(env_->SyncDir(dir));
  return last;
}

// Leaves the segment closed and whole in directory `dir`.
absl::Status Recovery::RepairDir(const Segment& segment, size_t dir) {
  const Copy& best = segment.best();
  bool whole = false;
  for (const Copy& copy : segment.copies) {
    whole = whole || (copy.dir == dir && copy.name.closed);
  }
  for (const Copy& copy : segment.copies) {
    if (copy.dir != dir || copy.name.closed) continue;
    if (!whole && copy.last == best.last) {
      RETURN_IF_ERROR(Finish(copy));
      whole = true;
    } else {
      leftovers_.push_back(copy.path);  // shorter than what replaces it
    }
  }
  if (whole) return absl::OkStatus();
  Copy source = best;
  source.path = ClosedPath(best.dir, best.name.first, best.last);
  const std::string path = ClosedPath(dir, best.name.first, best.last);
  LogWarn("{}: was missing or behind; copied from {}", path, source.path);
  return CopyTo(source, path);
}

// Closes a segment that was in progress.
absl::Status Recovery::Finish(const Copy& copy) {
  if (copy.torn) {
    LogWarn("{}: the batch at byte {} was torn while it was written; cut after txid {}", copy.path,
            copy.bytes, copy.last);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, env_->Open(copy.path, OpenMode::kReadWrite));
  RETURN_IF_ERROR(file->Truncate(copy.bytes));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(env_->Rename(copy.path, ClosedPath(copy.dir, copy.name.first, copy.last)));
  return env_->SyncDir(dirs_[copy.dir]);
}

absl::Status Recovery::CopyTo(const Copy& source, const std::string& path) {
  const std::string tmp = path + std::string(kTmpSuffix);
  ASSIGN_OR_RETURN(const std::unique_ptr<File> in, env_->Open(source.path, OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::unique_ptr<File> out, env_->Open(tmp, OpenMode::kTruncate));
  std::string piece(1u << 20, '\0');
  for (uint64_t offset = 0; offset < source.bytes;) {
    const size_t want = std::min<uint64_t>(piece.size(), source.bytes - offset);
    ASSIGN_OR_RETURN(const size_t got, in->ReadAt(offset, {piece.data(), want}));
    if (got == 0) return absl::DataLossError(fmt::format("{}: became shorter", source.path));
    RETURN_IF_ERROR(out->WriteAt(offset, {piece.data(), got}));
    offset += got;
  }
  RETURN_IF_ERROR(out->Sync());
  return env_->Rename(tmp, path);  // the directory is synced at the end
}

}  // namespace

absl::StatusOr<TxId> RecoverJournal(Env* env, const std::vector<std::string>& dirs, TxId from) {
  return Recovery(env, dirs, from).Run();
}

}  // namespace cairn::namenode
