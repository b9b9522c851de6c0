#include "namenode/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/background_task.h"
#include "common/offset_status.h"
#include "namenode/codec/edit_codec.h"
#include "namenode/journal/journal_reader.h"
#include "namenode/namespace/apply.h"
#include "namenode/verify_files.h"

namespace cairn::namenode {
namespace {

constexpr int kScans = 5;  // a running NameNode's files come and go while they are read
constexpr int64_t kScanPauseMs = 300;

class Verifier {
 public:
  Verifier(Env* env, std::vector<std::string> dirs) : env_(env), dirs_(std::move(dirs)) {}

  absl::StatusOr<VerifySummary> Run(const std::function<absl::Status(std::string_view)>& line);

 private:
  using Copies = std::vector<FileCheck*>;
  // What is behind, with how far it is.
  using Behind = std::set<std::pair<std::string, TxId>>;

  // Reads everything; false when a file was gone meanwhile.
  absl::StatusOr<bool> Scan();
  absl::Status ScanDir(size_t dir, const std::string& cluster_id);
  // The same, of what was scanned; forgets them.
  absl::StatusOr<bool> DropGone();
  void Group();
  void CompareVersions();
  void CompareImages();
  void CompareSegments();
  // Edits up to `needed_above` are in the newest image.
  void CompareCopies(TxId first, const Copies& copies, TxId needed_above);
  void AddMissing(size_t dir, const FileCheck& other);
  Behind FindBehind() const;
  // What is behind in one look and not in the next, or further then, belongs to a NameNode at work.
  void ForgiveAtWork(const Behind& before);
  void CheckChain();
  // False when a file was gone meanwhile.
  bool Replay();
  void Advance(TxId through);
  absl::Status ReplaySegment(const FileCheck& segment, TxId through);
  void ReplayImage(FileCheck* image);
  std::string WhyNoStart() const;
  std::optional<TxId> NewestImage() const;
  FileCheck* Find(const std::string& path);

  // The longest intact copy; null when all are damaged.
  static const FileCheck* Best(const Copies& copies);

  Env* const env_;
  const std::vector<std::string> dirs_;
  std::vector<std::unique_ptr<FileCheck>> checks_;
  std::map<TxId, Copies> images_;
  std::map<TxId, Copies> segments_;  // by first txid
  std::unique_ptr<FsState> state_;   // of the replay; null where it cannot go on
  bool gone_ = false;                // a file, between the scan and the replay
};

const FileCheck* Verifier::Best(const Copies& copies) {
  const FileCheck* best = nullptr;
  for (const FileCheck* copy : copies) {
    if (!copy->ok()) continue;
    if (best == nullptr ||
        std::pair(copy->last, copy->closed) > std::pair(best->last, best->closed)) {
      best = copy;
    }
  }
  return best;
}

FileCheck* Verifier::Find(const std::string& path) {
  for (const auto& check : checks_) {
    if (check->path == path) return check.get();
  }
  return nullptr;
}

absl::StatusOr<bool> Verifier::Scan() {
  checks_.clear();
  std::string cluster_id;
  for (size_t dir = 0; dir < dirs_.size(); ++dir) {
    FileCheck version = CheckVersion(env_, dirs_[dir]);
    version.dir = dir;
    if (cluster_id.empty() && version.version) cluster_id = version.version->cluster_id;
    checks_.push_back(std::make_unique<FileCheck>(std::move(version)));
  }
  for (size_t dir = 0; dir < dirs_.size(); ++dir) RETURN_IF_ERROR(ScanDir(dir, cluster_id));
  ASSIGN_OR_RETURN(const bool whole, DropGone());
  Group();
  return whole;
}

// What was listed and could not be opened is damage while it is listed, and no file any more when
// it is not.
absl::StatusOr<bool> Verifier::DropGone() {
  bool whole = true;
  for (auto check = checks_.begin(); check != checks_.end();) {
    const size_t slash = (*check)->path.rfind('/');
    if (!(*check)->gone) {
      ++check;
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> names,
                     env_->List((*check)->path.substr(0, slash)));
    const bool listed =
        std::find(names.begin(), names.end(), (*check)->path.substr(slash + 1)) != names.end();
    check = listed ? check + 1 : checks_.erase(check);
    whole = whole && listed;
  }
  return whole;
}

absl::Status Verifier::ScanDir(size_t dir, const std::string& cluster_id) {
  const std::string current = dirs_[dir] + "/current";
  ASSIGN_OR_RETURN(const bool there, env_->Exists(current));
  if (!there) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, env_->List(current));
  for (const std::string& name : names) {
    FileCheck check = CheckFile(env_, dirs_[dir], name, cluster_id);
    check.dir = dir;
    checks_.push_back(std::make_unique<FileCheck>(std::move(check)));
  }
  return absl::OkStatus();
}

void Verifier::Group() {
  images_.clear();
  segments_.clear();
  for (const auto& check : checks_) {
    if (check->kind == FileKind::kImage) images_[check->txid].push_back(check.get());
    if (check->kind == FileKind::kSegment) segments_[check->first].push_back(check.get());
  }
}

std::optional<TxId> Verifier::NewestImage() const {
  for (auto it = images_.rbegin(); it != images_.rend(); ++it) {
    if (std::any_of(it->second.begin(), it->second.end(), [](auto* copy) { return copy->loads; })) {
      return it->first;
    }
  }
  return std::nullopt;
}

void Verifier::CompareVersions() {
  const FileCheck* first = nullptr;
  for (const auto& check : checks_) {
    if (!check->version) continue;
    if (first == nullptr) first = check.get();
    if (check->version->cluster_id == first->version->cluster_id) continue;
    check->Damage(absl::DataLossError(fmt::format("{}: it belongs to cluster {}, {} to {}",
                                                  check->path, check->version->cluster_id,
                                                  first->path, first->version->cluster_id)),
                  true);
  }
  if (first != nullptr) return;
  for (const auto& check : checks_) {
    if (check->kind != FileKind::kVersion || check->verdict != FileVerdict::kBehind) continue;
    check->Damage(absl::DataLossError(fmt::format(
                      "{}: missing; this is not a NameNode's data directory", check->path)),
                  true);
  }
}

// A directory that lacks what another one has, and what a start would copy.
void Verifier::AddMissing(size_t dir, const FileCheck& other) {
  FileCheck missing = other;
  missing.path = dirs_[dir] + other.path.substr(dirs_[other.dir].size());
  missing.dir = dir;
  missing.verdict = FileVerdict::kBehind;
  missing.reason = fmt::format("missing; {} is intact", other.path);
  missing.offset.reset();
  missing.torn = false;
  missing.kind = FileKind::kOther;  // there is no such file to compare or to replay
  checks_.push_back(std::make_unique<FileCheck>(std::move(missing)));
}

// As the start does: every directory needs the newest image.
void Verifier::CompareImages() {
  const std::optional<TxId> newest = NewestImage();
  if (!newest) return;
  std::vector<bool> has(dirs_.size(), false);
  const FileCheck* intact = nullptr;
  for (const FileCheck* copy : images_[*newest]) {
    has[copy->dir] = true;
    if (copy->loads) intact = copy;
  }
  for (size_t dir = 0; dir < dirs_.size(); ++dir) {
    if (!has[dir]) AddMissing(dir, *intact);
  }
}

void Verifier::CompareSegments() {
  const TxId needed_above = NewestImage().value_or(0);
  for (const auto& [first, copies] : segments_) {
    CompareCopies(first, copies, needed_above);
    const FileCheck* best = Best(copies);
    if (best == nullptr || best->last <= needed_above || best->last < first) continue;
    std::vector<bool> has(dirs_.size(), false);
    for (const FileCheck* copy : copies) has[copy->dir] = true;
    for (size_t dir = 0; dir < dirs_.size(); ++dir) {
      if (!has[dir]) AddMissing(dir, *best);
    }
  }
}

void Verifier::CompareCopies(TxId first, const Copies& copies, TxId needed_above) {
  const FileCheck* best = Best(copies);
  if (best == nullptr || best->last < first) return;
  for (FileCheck* copy : copies) {
    if (!copy->ok()) continue;
    const bool empty = copy->last < first;  // whatever it is, a start removes it
    if (!empty &&
        (copy->segment_id != best->segment_id || (copy->closed && copy->last != best->last))) {
      copy->Damage(absl::DataLossError(fmt::format(
                       "{}: holds other edits than {}: these data directories went different ways",
                       copy->path, best->path)),
                   best->last > needed_above);
    } else if (copy->last < best->last) {
      copy->verdict = FileVerdict::kBehind;
      copy->reason = fmt::format("ends at txid {}, {} at {}", copy->last, best->path, best->last);
    }
  }
}

Verifier::Behind Verifier::FindBehind() const {
  Behind behind;
  for (const auto& check : checks_) {
    if (check->verdict == FileVerdict::kBehind) behind.emplace(check->path, check->last);
  }
  return behind;
}

void Verifier::ForgiveAtWork(const Behind& before) {
  const auto at_work = [&](const FileCheck& check) {
    return check.verdict == FileVerdict::kBehind && check.kind != FileKind::kVersion &&
           !before.contains({check.path, check.last});
  };
  // Files that another directory has, and this one will have in a moment.
  std::erase_if(checks_, [&](const auto& check) {
    return check->kind == FileKind::kOther && at_work(*check);
  });
  for (const auto& check : checks_) {
    if (!at_work(*check)) continue;
    check->verdict = FileVerdict::kOk;
    check->reason.clear();
  }
}

// The segments follow each other, from the oldest image on.
void Verifier::CheckChain() {
  const TxId newest = NewestImage().value_or(0);
  TxId next = 1;
  for (const auto& [txid, copies] : images_) {
    next = txid + 1;
    if (std::any_of(copies.begin(), copies.end(), [](auto* copy) { return copy->loads; })) break;
  }
  std::string before;  // the segment that ends at `next` - 1
  for (const auto& [first, copies] : segments_) {
    const FileCheck* best = Best(copies);
    const FileCheck& any = best != nullptr ? *best : *copies.front();
    const TxId last = best == nullptr && any.closed ? any.named_last : any.last;
    if (last < first) continue;  // holds nothing (yet)
    for (FileCheck* copy : copies) {
      if (!copy->ok()) continue;
      if (first > next) {
        copy->Damage(WithOffset(absl::DataLossError(fmt::format(
                                    "{}: the edits from txid {} to {} are missing before it; "
                                    "restore them from another --data-dir or a backup",
                                    copy->path, next, first - 1)),
                                0),
                     first > std::max(next, newest + 1));
      } else if (first < next && !before.empty()) {
        copy->Damage(
            WithOffset(absl::DataLossError(fmt::format("{}: begins at txid {}, which {} has too",
                                                       copy->path, first, before)),
                       0),
            next > newest + 1);
      }
    }
    if (last + 1 < next) continue;  // a leftover below the oldest image
    before = any.path;
    next = last + 1;
  }
}

// Applies the segment's edits up to `through`. NOT_FOUND when its file is gone.
absl::Status Verifier::ReplaySegment(const FileCheck& segment, TxId through) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SegmentReader> reader,
                   SegmentReader::Open(env_, segment.path));
  JournalRecord record;
  const TxId end = std::min(through, segment.last);
  while (state_->applied_txid() < end) {
    ASSIGN_OR_RETURN(const bool more, reader->Next(&record));
    if (!more) return absl::DataLossError(fmt::format("{}: became shorter", segment.path));
    if (record.txid <= state_->applied_txid()) continue;
    const absl::StatusOr<EditRecord> edit = DecodeEdit(record.bytes);
    const absl::Status applied =
        edit.ok() ? Apply(*state_, record.txid, *edit).status() : edit.status();
    if (!applied.ok()) {
      return WithOffset(Annotate(applied, fmt::format("{}: replay of edit {}, at byte {}",
                                                      segment.path, record.txid, record.offset)),
                        record.offset);
    }
  }
  return absl::OkStatus();
}

// Brings the state to `through`, or to null where that is not possible.
void Verifier::Advance(TxId through) {
  const TxId newest = NewestImage().value_or(0);
  for (const auto& [first, copies] : segments_) {
    if (state_ == nullptr || state_->applied_txid() >= through) return;
    const FileCheck* best = Best(copies);
    if (best == nullptr || best->last <= state_->applied_txid()) continue;
    if (first > state_->applied_txid() + 1) {
      state_.reset();
      return;
    }
    const absl::Status replayed = ReplaySegment(*best, through);
    if (replayed.ok()) continue;
    if (absl::IsNotFound(replayed) && !OffsetOf(replayed)) {
      gone_ = true;
    } else {
      Find(best->path)->Damage(replayed, state_->applied_txid() >= newest);
    }
    state_.reset();
  }
}

// Compares the state, as it is at the image's txid, with the image; or takes it from there.
void Verifier::ReplayImage(FileCheck* image) {
  if (state_ != nullptr && state_->digest() == image->digest) return;
  if (state_ != nullptr) {
    image->Damage(absl::DataLossError(fmt::format(
                      "{}: its digest is {}, an older image with the edits behind it gives {}",
                      image->path, ToHex(image->digest), ToHex(state_->digest()))),
                  false);
    state_.reset();
  }
  absl::StatusOr<LoadedImage> loaded = LoadImageFile(env_, image->path);
  if (loaded.ok()) state_ = std::make_unique<FsState>(std::move(loaded->state));
  gone_ = gone_ || absl::IsNotFound(loaded.status());
}

bool Verifier::Replay() {
  state_.reset();
  gone_ = false;
  for (const auto& [txid, copies] : images_) {
    Advance(txid);
    if (state_ != nullptr && state_->applied_txid() != txid) state_.reset();
    for (FileCheck* copy : copies) {
      if (copy->loads && copy->ok()) ReplayImage(copy);
    }
  }
  Advance(UINT64_MAX);
  return !gone_;
}

// What a start would say; empty when it would start. Its rules are those of StateStore::Recover.
std::string Verifier::WhyNoStart() const {
  const std::optional<TxId> image = NewestImage();
  TxId reached = 0;
  bool any = false;
  for (const auto& check : checks_) {
    // A damaged segment that the newest image makes needless is not looked into.
    const bool needless =
        check->kind == FileKind::kSegment && check->closed && image && check->named_last <= *image;
    if (check->blocks_start && !needless) return check->reason;
    if (check->kind != FileKind::kSegment) continue;
    any = true;
    reached = std::max({reached, check->last, check->named_last});
  }
  if (!image) return "no intact fsimage file";
  if (any && reached < *image) {
    return fmt::format("the edits end at txid {}, below the image of txid {}", reached, *image);
  }
  return {};
}

nlohmann::ordered_json ToJson(const FileCheck& check) {
  static constexpr std::string_view kKinds[] = {"version", "image", "segment", "other"};
  static constexpr std::string_view kVerdicts[] = {"ok", "damaged", "behind", "unknown"};
  nlohmann::ordered_json json = {{"file", check.path},
                                 {"kind", kKinds[static_cast<int>(check.kind)]},
                                 {"status", kVerdicts[static_cast<int>(check.verdict)]}};
  if (check.kind == FileKind::kImage) json["txid"] = check.txid;
  if (check.kind == FileKind::kSegment) {
    json["first_txid"] = check.first;
    json["last_txid"] = check.last;
    if (!check.closed) json["in_progress"] = true;
    if (check.torn) json["torn"] = true;
  }
  if (check.offset) json["offset"] = *check.offset;
  if (!check.reason.empty()) json["reason"] = check.reason;
  return json;
}

std::string Dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

absl::StatusOr<VerifySummary> Verifier::Run(
    const std::function<absl::Status(std::string_view)>& line) {
  Behind before;
  for (int scan = 1;; ++scan) {
    ASSIGN_OR_RETURN(const bool whole, Scan());
    CompareVersions();
    CompareImages();
    CompareSegments();
    const Behind behind = FindBehind();
    const bool settled = whole && before == behind;
    if (settled || scan == kScans) {
      ForgiveAtWork(before);
      CheckChain();
      if (Replay() || scan == kScans) break;
    }
    before = behind;
    if (!settled) PauseForMs(kScanPauseMs);
  }

  VerifySummary summary;
  summary.reason = WhyNoStart();
  summary.starts = summary.reason.empty();
  for (const auto& check : checks_) {
    ++summary.files;
    if (check->verdict == FileVerdict::kDamaged) ++summary.damaged;
    if (check->verdict == FileVerdict::kBehind) ++summary.behind;
    if (check->verdict == FileVerdict::kUnknown) ++summary.unknown;
    RETURN_IF_ERROR(line(Dump(ToJson(*check))));
  }
  nlohmann::ordered_json json = {
      {"summary", true},          {"status", summary.damaged == 0 ? "ok" : "damaged"},
      {"files", summary.files},   {"damaged", summary.damaged},
      {"behind", summary.behind}, {"unknown", summary.unknown},
      {"starts", summary.starts}};
  if (const auto image = NewestImage()) json["image_txid"] = *image;
  if (state_ != nullptr) json["last_txid"] = state_->applied_txid();
  if (!summary.starts) json["reason"] = summary.reason;
  RETURN_IF_ERROR(line(Dump(json)));
  return summary;
}

}  // namespace

absl::StatusOr<VerifySummary> VerifyDataDirs(
    Env* env, const std::vector<std::string>& data_dirs,
    const std::function<absl::Status(std::string_view json)>& line) {
  return Verifier(env, data_dirs).Run(line);
}

}  // namespace cairn::namenode
