#include "namenode/journal/segment_format.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "common/crc32c.h"

namespace cairn::namenode {
namespace {

constexpr std::string_view kPrefix = "edits_";
constexpr std::string_view kInProgressPrefix = "edits_inprogress_";
constexpr size_t kTxIdDigits = 20;

std::optional<TxId> ParseTxId(std::string_view text) {
  TxId txid = 0;
  if (text.size() != kTxIdDigits) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), txid);
  if (error != std::errc() || end != text.data() + text.size() || txid == 0) return std::nullopt;
  return txid;
}

}  // namespace

// Byte by byte: right on every machine, and compilers make one move of it.
void PutU32(uint32_t value, char* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

void PutU64(uint64_t value, char* out) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

uint32_t GetU32(const char* in) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= uint32_t{static_cast<unsigned char>(in[i])} << (8 * i);
  return value;
}

uint64_t GetU64(const char* in) { return GetU32(in) | static_cast<uint64_t>(GetU32(in + 4)) << 32; }

std::string ClosedName(TxId first, TxId last) {
  return fmt::format("{}{:020}-{:020}", kPrefix, first, last);
}

std::string InProgressName(TxId first) { return fmt::format("{}{:020}", kInProgressPrefix, first); }

std::optional<SegmentName> ParseSegmentName(std::string_view name) {
  if (name.starts_with(kInProgressPrefix)) {
    const auto first = ParseTxId(name.substr(kInProgressPrefix.size()));
    if (!first) return std::nullopt;
    return SegmentName{.first = *first};
  }
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  if (name.size() != 2 * kTxIdDigits + 1 || name[kTxIdDigits] != '-') return std::nullopt;
  const auto first = ParseTxId(name.substr(0, kTxIdDigits));
  const auto last = ParseTxId(name.substr(kTxIdDigits + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return SegmentName{.first = *first, .last = *last, .closed = true};
}

// Header: magic 8, version 4, zero 4, id 16, first txid 8, CRC32C of these 4.
std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string out(kSegmentHeaderBytes, '\0');
  std::memcpy(out.data(), kSegmentMagic.data(), kSegmentMagic.size());
  PutU32(kSegmentVersion, out.data() + 8);
  std::memcpy(out.data() + 16, header.id.data(), kSegmentIdBytes);
  PutU64(header.first, out.data() + 32);
  PutU32(Crc32c({out.data(), 40}), out.data() + 40);
  return out;
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes, std::string* why) {
  if (bytes.size() < kSegmentHeaderBytes) {
    *why = "the segment header is cut off";
    return std::nullopt;
  }
  if (bytes.substr(0, kSegmentMagic.size()) != kSegmentMagic) {
    *why = "the segment header does not begin with CAIRNEDT";
    return std::nullopt;
  }
  if (Crc32c(bytes.substr(0, 40)) != GetU32(bytes.data() + 40)) {
    *why = "the segment header fails its checksum";
    return std::nullopt;
  }
  if (const uint32_t version = GetU32(bytes.data() + 8); version != kSegmentVersion) {
    *why = fmt::format("segment format {} is not known here ({} is)", version, kSegmentVersion);
    return std::nullopt;
  }
  return SegmentHeader{.id = std::string(bytes.substr(16, kSegmentIdBytes)),
                       .first = GetU64(bytes.data() + 32)};
}

uint32_t FrameSeed(std::string_view segment_id) { return Crc32c(segment_id); }

// Frame header: magic 4, CRC32C of the rest of the header 4, first txid 8, last 8, record bytes 4,
// CRC32C of the records 4.
std::string EncodeFrameHeader(uint32_t seed, TxId first, TxId last, std::string_view records) {
  std::string out(kFrameHeaderBytes, '\0');
  std::memcpy(out.data(), kFrameMagic.data(), kFrameMagic.size());
  PutU64(first, out.data() + 8);
  PutU64(last, out.data() + 16);
  PutU32(static_cast<uint32_t>(records.size()), out.data() + 24);
  PutU32(Crc32cExtend(seed, records), out.data() + 28);
  PutU32(Crc32cExtend(seed, {out.data() + 8, kFrameHeaderBytes - 8}), out.data() + 4);
  return out;
}

std::optional<FrameHeader> DecodeFrameHeader(uint32_t seed, std::string_view bytes) {
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  if (bytes.substr(0, kFrameMagic.size()) != kFrameMagic) return std::nullopt;
  if (Crc32cExtend(seed, bytes.substr(8, kFrameHeaderBytes - 8)) != GetU32(bytes.data() + 4)) {
    return std::nullopt;
  }
  return FrameHeader{.first = GetU64(bytes.data() + 8),
                     .last = GetU64(bytes.data() + 16),
                     .record_bytes = GetU32(bytes.data() + 24),
                     .records_crc = GetU32(bytes.data() + 28)};
}

}  // namespace cairn::namenode
