#include "common/status.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <system_error>

#include "absl/strings/cord.h"
#include "common/offset_status.h"

namespace cairn {
namespace {

constexpr char kKindPayload[] = "cairn/error_kind";
constexpr char kOffsetPayload[] = "cairn/offset";

absl::StatusCode CodeOf(int error_number) {
  if (error_number == EIO) return absl::StatusCode::kInternal;
  if (error_number == EFBIG) return absl::StatusCode::kResourceExhausted;
  return absl::ErrnoToStatusCode(error_number);
}

}  // namespace

absl::Status WithKind(absl::Status status, ErrorKind kind) {
  if (status.ok()) return status;
  if (kind == ErrorKind::kNone) {
    status.ErasePayload(kKindPayload);
  } else {
    status.SetPayload(kKindPayload, absl::Cord(std::to_string(static_cast<int>(kind))));
  }
  return status;
}

ErrorKind KindOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kKindPayload);
  if (!payload.has_value()) return ErrorKind::kNone;
  const std::string text(*payload);
  int kind = 0;
  std::from_chars(text.data(), text.data() + text.size(), kind);
  return static_cast<ErrorKind>(kind);
}

absl::Status WithOffset(absl::Status status, uint64_t offset) {
  if (!status.ok()) status.SetPayload(kOffsetPayload, absl::Cord(std::to_string(offset)));
  return status;
}

std::optional<uint64_t> OffsetOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kOffsetPayload);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  uint64_t offset = 0;
  std::from_chars(text.data(), text.data() + text.size(), offset);
  return offset;
}

absl::Status ErrnoStatus(std::string_view context, int error_number) {
  std::string message = std::generic_category().message(error_number);
  if (!context.empty()) message = fmt::format("{}: {}", context, message);
  absl::Status status(CodeOf(error_number), message);
  // EFBIG: a limit on the size of files (ulimit -f, or the file system's own).
  const bool disk_full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  return disk_full ? WithKind(std::move(status), ErrorKind::kNoSpace) : status;
}

absl::Status Annotate(absl::Status status, std::string_view prefix) {
  if (status.ok()) return status;
  const absl::Status annotated(status.code(), fmt::format("{}: {}", prefix, MessageOf(status)));
  const std::optional<uint64_t> offset = OffsetOf(status);
  return WithKind(offset ? WithOffset(annotated, *offset) : annotated, KindOf(status));
}

}  // namespace cairn
