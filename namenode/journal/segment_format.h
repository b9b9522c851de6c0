// The layout of a segment file: names, header, frames (docs/formats/journal.md). Integers are
// little-endian. Pure functions, thread-safe. Used by the journal's writer and readers alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/ids.h"

namespace cairn::namenode {

inline constexpr size_t kSegmentIdBytes = 16;
inline constexpr size_t kSegmentHeaderBytes = 44;
inline constexpr size_t kFrameHeaderBytes = 32;
inline constexpr size_t kRecordPrefixBytes = 4;               // a record's length
inline constexpr uint64_t kMaxBatchRecordBytes = 1ull << 30;  // records of one batch, in all
inline constexpr uint32_t kSegmentVersion = 1;
inline constexpr std::string_view kSegmentMagic = "CAIRNEDT";
inline constexpr std::string_view kFrameMagic{"\xCA\x1B\xF7\xE5", 4};

// --- Integers ---
void PutU32(uint32_t value, char* out);
void PutU64(uint64_t value, char* out);
uint32_t GetU32(const char* in);
uint64_t GetU64(const char* in);

// --- File names ---
struct SegmentName {
  TxId first = 0;
  TxId last = 0;  // of a closed segment
  bool closed = false;
};
std::string ClosedName(TxId first, TxId last);  // edits_<first>-<last>
std::string InProgressName(TxId first);         // edits_inprogress_<first>
std::optional<SegmentName> ParseSegmentName(std::string_view name);
inline constexpr std::string_view kTmpSuffix = ".tmp";

// --- The segment's header ---
struct SegmentHeader {
  std::string id;  // kSegmentIdBytes, random; the same in all directories
  TxId first = 0;
};
std::string EncodeSegmentHeader(const SegmentHeader& header);
// `bytes`: what the file begins with. On failure, *why says what is wrong.
std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes, std::string* why);

// --- Frames: a header and the records of one batch ---
struct FrameHeader {
  TxId first = 0;
  TxId last = 0;  // first - 1: a marker, without records
  uint32_t record_bytes = 0;
  uint32_t records_crc = 0;
};
// Checksums begin with the segment's id, so that nothing of another segment passes for a frame.
uint32_t FrameSeed(std::string_view segment_id);
std::string EncodeFrameHeader(uint32_t seed, TxId first, TxId last, std::string_view records);
// nullopt when `bytes` does not begin with a frame header of this segment.
std::optional<FrameHeader> DecodeFrameHeader(uint32_t seed, std::string_view bytes);

}  // namespace cairn::namenode
