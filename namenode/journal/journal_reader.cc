#include "namenode/journal/journal_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/crc32c.h"
#include "common/offset_status.h"
#include "namenode/journal/segment_format.h"

namespace cairn::namenode {
namespace {

constexpr size_t kWindowBytes = 1u << 20;
constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

std::string_view BaseName(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

}  // namespace

// A piece of the file in memory, so that small batches cost no system call each.
class SegmentReader::Window {
 public:
  explicit Window(File* file) : file_(file) {}

  // [offset, offset + bytes), or less at the file's end. Valid until the next call.
  absl::StatusOr<std::string_view> View(uint64_t offset, size_t bytes) {
    if (offset < start_ || offset + bytes > start_ + filled_) {
      buffer_.resize(std::max(bytes, kWindowBytes));
      start_ = offset;
      filled_ = 0;
      ASSIGN_OR_RETURN(filled_, file_->ReadAt(offset, {buffer_.data(), buffer_.size()}));
    }
    const uint64_t skip = offset - start_;
    if (skip >= filled_) return std::string_view();
    return std::string_view(buffer_).substr(skip, std::min<uint64_t>(bytes, filled_ - skip));
  }

  void Forget() { filled_ = 0; }  // the file may have changed

 private:
  File* const file_;
  std::string buffer_;
  uint64_t start_ = 0;
  size_t filled_ = 0;
};

SegmentReader::SegmentReader(std::string path, std::unique_ptr<File> file)
    : path_(std::move(path)),
      file_(std::move(file)),
      window_(std::make_unique<Window>(file_.get())) {}

SegmentReader::~SegmentReader() = default;

absl::Status SegmentReader::DamageAt(uint64_t offset, const std::string& what) const {
  return WithOffset(
      absl::DataLossError(fmt::format(
          "{}: damaged at byte {}: {}; restore this file from another --data-dir or a backup",
          path_, offset, what)),
      offset);
}

absl::StatusOr<std::unique_ptr<SegmentReader>> SegmentReader::Open(Env* env,
                                                                   const std::string& path) {
  const auto name = ParseSegmentName(BaseName(path));
  if (!name) {
    return absl::InvalidArgumentError(
        fmt::format("{}: not the name of an edits file (edits_<first>-<last> or "
                    "edits_inprogress_<first>)",
                    path));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, env->Open(path, OpenMode::kRead));
  std::unique_ptr<SegmentReader> reader(new SegmentReader(path, std::move(file)));
  reader->closed_ = name->closed;
  reader->closed_last_ = name->last;
  reader->first_ = name->first;
  reader->next_ = name->first;
  RETURN_IF_ERROR(reader->ReadHeader());
  return reader;
}

absl::Status SegmentReader::ReadHeader() {
  ASSIGN_OR_RETURN(const std::string_view bytes, window_->View(0, kSegmentHeaderBytes));
  std::string why;
  const auto header = DecodeSegmentHeader(bytes, &why);
  if (!header) return DamageAt(0, why);
  if (header->first != first_) {
    return DamageAt(0, fmt::format("its header says that it begins at txid {}", header->first));
  }
  id_ = header->id;
  crc_seed_ = FrameSeed(id_);
  offset_ = kSegmentHeaderBytes;
  return absl::OkStatus();
}

// Loads the batch at offset_. False, with the reason, when there is no whole one; an error when
// there is one that does not belong here.
absl::StatusOr<bool> SegmentReader::LoadBatch(std::string* why) {
  ASSIGN_OR_RETURN(const std::string_view head, window_->View(offset_, kFrameHeaderBytes));
  const auto frame = DecodeFrameHeader(crc_seed_, head);
  if (!frame) {
    *why = head.size() < kFrameHeaderBytes ? "a batch header is cut off" : "not a batch header";
    return false;
  }
  ASSIGN_OR_RETURN(const std::string_view records,
                   window_->View(offset_ + kFrameHeaderBytes, frame->record_bytes));
  if (records.size() < frame->record_bytes) {
    *why = fmt::format("the batch of txids {} to {} is cut off", frame->first, frame->last);
    return false;
  }
  if (Crc32cExtend(crc_seed_, records) != frame->records_crc) {
    *why = fmt::format("the batch of txids {} to {} fails its checksum", frame->first, frame->last);
    return false;
  }
  if (frame->first != next_ || frame->last + 1 < frame->first) {
    return DamageAt(offset_, fmt::format("a batch of txids {} to {}, where {} is next",
                                         frame->first, frame->last, next_));
  }
  // The records must be exactly those that the header counts.
  std::string_view rest = records;
  TxId count = 0;
  for (; rest.size() >= kRecordPrefixBytes; ++count) {
    const uint64_t whole = uint64_t{kRecordPrefixBytes} + GetU32(rest.data());
    if (whole > rest.size()) break;
    rest.remove_prefix(whole);
  }
  if (!rest.empty() || count != frame->last + 1 - frame->first) {
    return DamageAt(offset_, fmt::format("the batch of txids {} to {} does not hold that many "
                                         "records",
                                         frame->first, frame->last));
  }
  records_ = records;
  record_txid_ = frame->first;
  next_ = frame->last + 1;
  offset_ += kFrameHeaderBytes + records.size();
  return true;
}

absl::StatusOr<bool> SegmentReader::NextBatch() {
  if (closed_ && next_ == closed_last_ + 1) {
    ASSIGN_OR_RETURN(const uint64_t size, file_->Size());
    if (offset_ == size) return false;
  }
  std::string why;
  ASSIGN_OR_RETURN(const bool loaded, LoadBatch(&why));
  if (loaded) {
    if (closed_ && next_ > closed_last_ + 1) {
      return DamageAt(
          offset_, fmt::format("txid {} follows, which its name does not say", closed_last_ + 1));
    }
    return true;
  }
  if (!closed_) return EndOfInProgress();
  return DamageAt(offset_, why);
}

// No whole batch is at offset_: the end, unless a batch follows anywhere. A batch is only written
// once the one before it is synced, so one that follows shows that this one was whole.
absl::StatusOr<bool> SegmentReader::EndOfInProgress() {
  ASSIGN_OR_RETURN(const uint64_t later, FindBatchAfter(offset_));
  if (later == kNone) return false;
  // A NameNode that runs may have written this one between our looks.
  window_->Forget();
  std::string still;
  ASSIGN_OR_RETURN(const bool loaded, LoadBatch(&still));
  if (loaded) return true;
  return DamageAt(offset_, fmt::format("{}, but a batch follows at byte {}", still, later));
}

// The offset of a batch header anywhere above `offset`, or kNone; notes whether anything but zeros
// is there.
absl::StatusOr<uint64_t> SegmentReader::FindBatchAfter(uint64_t offset) {
  torn_ = false;
  window_->Forget();
  for (uint64_t at = offset;;) {
    ASSIGN_OR_RETURN(const std::string_view piece, window_->View(at, kWindowBytes));
    torn_ = torn_ || piece.find_first_not_of('\0') != std::string_view::npos;
    for (size_t hit = piece.find(kFrameMagic); hit != std::string_view::npos;
         hit = piece.find(kFrameMagic, hit + 1)) {
      if (at + hit > offset && DecodeFrameHeader(crc_seed_, piece.substr(hit))) return at + hit;
    }
    if (piece.size() < kWindowBytes) return kNone;
    at += piece.size() - kFrameHeaderBytes;  // a header may lie across two pieces
  }
}

absl::StatusOr<bool> SegmentReader::Next(JournalRecord* record) {
  while (records_.empty()) {
    ASSIGN_OR_RETURN(const bool more, NextBatch());
    if (!more) return false;
  }
  const size_t length = GetU32(records_.data());
  record->txid = record_txid_++;
  record->bytes = records_.substr(kRecordPrefixBytes, length);
  record->offset = offset_ - records_.size() + kRecordPrefixBytes;
  records_.remove_prefix(kRecordPrefixBytes + length);
  return true;
}

// --- The chain ---

namespace {

// The segments of all directories that hold anything from `from` on, one file each; closed copies
// before those in progress.
absl::StatusOr<std::map<TxId, std::pair<SegmentName, std::string>>> ListChain(
    Env* env, const std::vector<std::string>& dirs, TxId from) {
  std::map<TxId, std::pair<SegmentName, std::string>> chain;
  for (const std::string& dir : dirs) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, env->List(dir));
    for (const std::string& name : names) {
      const auto segment = ParseSegmentName(name);
      if (!segment || (segment->closed && segment->last < from)) continue;
      const auto [it, added] =
          chain.try_emplace(segment->first, *segment, fmt::format("{}/{}", dir, name));
      if (!added && segment->closed && !it->second.first.closed) {
        it->second = {*segment, fmt::format("{}/{}", dir, name)};
      }
    }
  }
  // One in progress, once closed ones follow, is needed only if it holds something from `from` on.
  while (chain.size() > 1 && std::next(chain.begin())->first <= from) chain.erase(chain.begin());
  return chain;
}

}  // namespace

JournalReader::JournalReader(Env* env, std::vector<std::string> paths, TxId from, TxId to)
    : env_(env), paths_(std::move(paths)), to_(to), next_(from) {}

JournalReader::~JournalReader() = default;

absl::StatusOr<std::unique_ptr<JournalReader>> JournalReader::Open(
    Env* env, const std::vector<std::string>& dirs, TxId from, TxId to) {
  ASSIGN_OR_RETURN(const auto chain, ListChain(env, dirs, from));
  std::vector<std::string> paths;
  for (const auto& [first, segment] : chain) {
    if (paths.empty() && first > from) {
      return absl::NotFoundError(fmt::format(
          "the edits from txid {} to {} are missing: the oldest is {}; restore them from another "
          "--data-dir or begin at a newer image",
          from, first - 1, segment.second));
    }
    paths.push_back(segment.second);
  }
  return std::unique_ptr<JournalReader>(new JournalReader(env, std::move(paths), from, to));
}

absl::StatusOr<bool> JournalReader::Next(JournalRecord* record) {
  while (next_ <= to_) {
    if (segment_ == nullptr) {
      if (next_path_ == paths_.size()) break;
      ASSIGN_OR_RETURN(segment_, SegmentReader::Open(env_, paths_[next_path_++]));
      if (segment_->first() > next_) {
        return absl::DataLossError(fmt::format(
            "{}: the edits from txid {} to {} are missing before it; restore them from another "
            "--data-dir or a backup",
            segment_->path(), next_, segment_->first() - 1));
      }
    }
    ASSIGN_OR_RETURN(const bool more, segment_->Next(record));
    if (!more) {
      segment_.reset();
    } else if (record->txid > next_) {
      return absl::InternalError("edits out of order");
    } else if (record->txid == next_) {
      ++next_;
      return true;
    }
  }
  if (to_ == kAll || next_ > to_) return false;
  return absl::DataLossError(
      fmt::format("the edits end at txid {}, but {} is asked for", next_ - 1, to_));
}

}  // namespace cairn::namenode
