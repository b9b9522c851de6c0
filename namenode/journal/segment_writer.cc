#include "namenode/journal/segment_writer.h"

#include <fmt/format.h>

#include <array>

#include "common/strings.h"
#include "namenode/journal/segment_format.h"

namespace cairn::namenode {

SegmentWriter::SegmentWriter(Env* env, TxId first, uint64_t preallocate_bytes)
    : env_(env), first_(first), preallocate_bytes_(preallocate_bytes), last_(first - 1) {}

absl::StatusOr<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(
    Env* env, const std::vector<std::string>& dirs, TxId first, uint64_t preallocate_bytes) {
  std::unique_ptr<SegmentWriter> segment(new SegmentWriter(env, first, preallocate_bytes));
  const SegmentHeader header{.id = RandomBytes16(), .first = first};
  const std::string bytes = EncodeSegmentHeader(header);
  segment->crc_seed_ = FrameSeed(header.id);
  segment->end_ = bytes.size();
  segment->reserved_ = preallocate_bytes;
  for (const std::string& dir : dirs) RETURN_IF_ERROR(segment->CreateCopy(dir, bytes));
  return segment;
}

absl::Status SegmentWriter::CreateCopy(const std::string& dir, std::string_view header) {
  Copy copy{.dir = dir, .path = fmt::format("{}/{}", dir, InProgressName(first_)), .file = nullptr};
  const std::string tmp = copy.path + std::string(kTmpSuffix);
  ASSIGN_OR_RETURN(copy.file, env_->Open(tmp, OpenMode::kTruncate));
  RETURN_IF_ERROR(copy.file->Preallocate(reserved_, /*keep_size=*/false));
  RETURN_IF_ERROR(copy.file->WriteAt(0, header));
  RETURN_IF_ERROR(copy.file->Sync());
  RETURN_IF_ERROR(env_->Rename(tmp, copy.path));
  RETURN_IF_ERROR(env_->SyncDir(dir));
  copies_.push_back(std::move(copy));
  return absl::OkStatus();
}

absl::Status SegmentWriter::Reserve(uint64_t bytes) {
  if (bytes <= reserved_ || preallocate_bytes_ == 0) return absl::OkStatus();
  const uint64_t steps = (bytes + preallocate_bytes_ - 1) / preallocate_bytes_;
  for (const Copy& copy : copies_) {
    RETURN_IF_ERROR(copy.file->Preallocate(steps * preallocate_bytes_, /*keep_size=*/false));
  }
  reserved_ = steps * preallocate_bytes_;
  return absl::OkStatus();
}

absl::Status SegmentWriter::Append(TxId first, TxId last, std::string_view records) {
  const std::string header = EncodeFrameHeader(crc_seed_, first, last, records);
  const uint64_t bytes = header.size() + records.size();
  RETURN_IF_ERROR(Reserve(end_ + bytes));
  const std::array<std::string_view, 2> pieces{header, records};
  for (const Copy& copy : copies_) {
    RETURN_IF_ERROR(copy.file->WriteVAt(end_, pieces));
    // The disks work at the same time; the syncs below then only wait.
    if (copies_.size() > 1) copy.file->StartWriteback(end_, bytes);
  }
  for (const Copy& copy : copies_) RETURN_IF_ERROR(copy.file->Sync());
  end_ += bytes;
  last_ = last;
  return absl::OkStatus();
}

absl::Status SegmentWriter::Close() {
  for (Copy& copy : copies_) {
    if (last_ < first_) {
      copy.file.reset();
      RETURN_IF_ERROR(env_->Remove(copy.path));
    } else {
      RETURN_IF_ERROR(copy.file->Truncate(end_));
      RETURN_IF_ERROR(copy.file->Sync());
      copy.file.reset();
      const std::string closed = fmt::format("{}/{}", copy.dir, ClosedName(first_, last_));
      RETURN_IF_ERROR(env_->Rename(copy.path, closed));
    }
    RETURN_IF_ERROR(env_->SyncDir(copy.dir));
  }
  copies_.clear();
  return absl::OkStatus();
}

}  // namespace cairn::namenode
