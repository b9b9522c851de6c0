#include "datanode/store/small_log_format.h"

#include <fmt/format.h>

#include <optional>

#include "common/crc32c.h"
#include "datanode/store/checksum_file.h"

namespace cairn::datanode {
namespace {

constexpr std::string_view kSegmentMagic = "CAIRNSRL";
constexpr size_t kSegmentFixedBytes = 32;      // magic, version, zero, sequence, salt
constexpr uint32_t kRecordMagic = 0x43525253;  // "SRRC"
// Offsets within a record's header.
constexpr size_t kSaltAt = 8;
constexpr size_t kCommitAt = 16;
constexpr size_t kIdAt = 24;
constexpr size_t kGenerationAt = 32;
constexpr size_t kLengthAt = 40;
constexpr size_t kBodyCrcAt = 48;
constexpr size_t kHeaderCrcAt = 60;

template <typename T>
void Put(std::string* out, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) (*out)[at + i] = static_cast<char>(value >> (8 * i));
}

template <typename T>
T Get(std::string_view bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return value;
}

}  // namespace

std::string EncodeSmallSegmentHeader(const SmallSegmentHeader& header) {
  std::string out(kSegmentMagic);
  out.resize(kSmallLogAlignment, '\0');
  Put(&out, 8, kSmallLogVersion);
  Put(&out, 16, header.sequence);
  Put(&out, 24, header.salt);
  Put(&out, kSegmentFixedBytes, Crc32c(std::string_view(out).substr(0, kSegmentFixedBytes)));
  return out;
}

absl::StatusOr<SmallSegmentHeader> DecodeSmallSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSmallLogAlignment) {
    return absl::DataLossError(
        fmt::format("it has {} bytes, less than a segment's header", bytes.size()));
  }
  if (bytes.substr(0, kSegmentMagic.size()) != kSegmentMagic) {
    return absl::DataLossError("not a segment of a small-replica log: wrong magic");
  }
  if (Crc32c(bytes.substr(0, kSegmentFixedBytes)) != Get<uint32_t>(bytes, kSegmentFixedBytes)) {
    return absl::DataLossError("the segment's header is damaged");
  }
  if (const auto version = Get<uint32_t>(bytes, 8); version != kSmallLogVersion) {
    return absl::DataLossError(fmt::format("unknown small-replica log: version {}", version));
  }
  return SmallSegmentHeader{.sequence = Get<uint64_t>(bytes, 16), .salt = Get<uint64_t>(bytes, 24)};
}

uint64_t SmallRecordBytes(uint64_t length) {
  const uint64_t bytes = kSmallRecordHeaderBytes + 4 * ChunksOf(length) + length;
  return (bytes + kSmallLogAlignment - 1) / kSmallLogAlignment * kSmallLogAlignment;
}

SmallRecord::SmallRecord(const Block& block)
    : block_(block), bytes_(SmallRecordBytes(block.length), '\0') {
  Put(&bytes_, 0, kRecordMagic);
  Put(&bytes_, kIdAt, block.id);
  Put(&bytes_, kGenerationAt, block.generation);
  Put(&bytes_, kLengthAt, block.length);
}

std::span<char> SmallRecord::checksums() {
  return {bytes_.data() + kSmallRecordHeaderBytes, 4 * ChunksOf(block_.length)};
}

std::span<char> SmallRecord::data() {
  return {bytes_.data() + kSmallRecordHeaderBytes + 4 * ChunksOf(block_.length), block_.length};
}

void SmallRecord::Seal() {
  const std::string_view body(bytes_.data() + kSmallRecordHeaderBytes,
                              4 * ChunksOf(block_.length) + block_.length);
  Put(&bytes_, kBodyCrcAt, Crc32c(body));
}

void SmallRecord::Stamp(uint64_t salt, uint64_t commit_offset) {
  Put(&bytes_, kSaltAt, salt);
  Put(&bytes_, kCommitAt, commit_offset);
  Put(&bytes_, kHeaderCrcAt, Crc32c(std::string_view(bytes_).substr(0, kHeaderCrcAt)));
}

absl::StatusOr<SmallRecordView> DecodeSmallRecord(std::string_view bytes, uint64_t salt) {
  const bool begins = bytes.size() >= kSmallRecordHeaderBytes &&
                      Get<uint32_t>(bytes, 0) == kRecordMagic &&
                      Get<uint64_t>(bytes, kSaltAt) == salt;
  if (!begins) return absl::NotFoundError("no record begins here");
  if (Crc32c(bytes.substr(0, kHeaderCrcAt)) != Get<uint32_t>(bytes, kHeaderCrcAt)) {
    return absl::DataLossError("the record's header is damaged");
  }
  const auto length = Get<uint64_t>(bytes, kLengthAt);
  if (length > kMaxSmallReplicaBytes || SmallRecordBytes(length) > bytes.size()) {
    return absl::DataLossError("the record goes beyond its segment");
  }
  const std::string_view body =
      bytes.substr(kSmallRecordHeaderBytes, 4 * ChunksOf(length) + length);
  if (Crc32c(body) != Get<uint32_t>(bytes, kBodyCrcAt)) {
    return absl::DataLossError("the record fails its checksum");
  }
  return SmallRecordView{
      .block = {Get<uint64_t>(bytes, kIdAt), Get<uint64_t>(bytes, kGenerationAt), length},
      .checksums = body.substr(0, 4 * ChunksOf(length)),
      .data = body.substr(4 * ChunksOf(length)),
      .commit_offset = Get<uint64_t>(bytes, kCommitAt)};
}

absl::StatusOr<SmallSegment> ParseSmallSegment(std::string_view bytes) {
  SmallSegment segment;
  ASSIGN_OR_RETURN(segment.header, DecodeSmallSegmentHeader(bytes));
  std::optional<uint64_t> gap;  // where a record was expected and is not
  for (uint64_t at = kSmallLogAlignment; at < bytes.size();) {
    const auto record = DecodeSmallRecord(bytes.substr(at), segment.header.salt);
    if (!record.ok()) {
      if (!gap) gap = at;
      at += kSmallLogAlignment;
      continue;
    }
    // The commits come one after another: of one that another follows, all was on the disk.
    if (gap && record->commit_offset > *gap) segment.damaged.push_back(*gap);
    gap.reset();
    segment.records.push_back(*record);
    at += SmallRecordBytes(record->block.length);
  }
  return segment;
}

}  // namespace cairn::datanode
