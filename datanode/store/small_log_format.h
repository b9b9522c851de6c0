// The bytes of a small-replica log's segment: its header, its records, and nothing else.
//
// Why: a record is a whole replica, durable by one write; what a power cut left of the last ones
// must be told from damage, and what an earlier use of the segment left must not be taken for
// records. The format is docs/formats/small-replica-log.md. Pure functions, thread-safe; used by
// the log and by its replay.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/status.h"

namespace cairn::datanode {

// Records and the first one's offset are multiples of it; the segment's header is alone before.
inline constexpr uint64_t kSmallLogAlignment = 4096;
inline constexpr uint64_t kSmallRecordHeaderBytes = 64;
inline constexpr uint32_t kSmallLogVersion = 1;
// The longest replica that a record can have.
inline constexpr uint64_t kMaxSmallReplicaBytes = 4 << 20;

// One use of a segment.
struct SmallSegmentHeader {
  uint64_t sequence = 0;  // grows from use to use, over all segments of a log
  uint64_t salt = 0;      // random; the records of this use have it

  bool operator==(const SmallSegmentHeader&) const = default;
};

std::string EncodeSmallSegmentHeader(const SmallSegmentHeader& header);
// DATA_LOSS with what is wrong: too short, another format, damaged.
absl::StatusOr<SmallSegmentHeader> DecodeSmallSegmentHeader(std::string_view bytes);

// What a record of a replica of `length` bytes takes in a segment.
uint64_t SmallRecordBytes(uint64_t length);

// A record in the making: the room for what it holds, to be filled in, then sealed.
class SmallRecord {
 public:
  explicit SmallRecord(const Block& block);

  const Block& block() const { return block_; }
  std::span<char> checksums();  // 4 bytes for each chunk, as in a checksum file
  std::span<char> data();       // block().length bytes
  // What it holds is complete: the CRC over it is taken.
  void Seal();
  // Of a sealed one: which use of a segment it is for, and where the commit that it is part of
  // begins there.
  void Stamp(uint64_t salt, uint64_t commit_offset);

  std::string_view bytes() const { return bytes_; }

 private:
  const Block block_;
  std::string bytes_;
};

// A record as it stands in a segment. Views into the segment's bytes.
struct SmallRecordView {
  Block block;
  std::string_view checksums;
  std::string_view data;
  uint64_t commit_offset = 0;
};

// The record at the beginning of `bytes`. NOT_FOUND where none begins, DATA_LOSS where one does
// that is torn or damaged.
absl::StatusOr<SmallRecordView> DecodeSmallRecord(std::string_view bytes, uint64_t salt);

struct SmallSegment {
  SmallSegmentHeader header;
  std::vector<SmallRecordView> records;
  // Where records were that later commits stand behind: these were whole once.
  std::vector<uint64_t> damaged;
};

// All records of a segment. What is torn at the end was never acknowledged and is passed over.
absl::StatusOr<SmallSegment> ParseSmallSegment(std::string_view bytes);

}  // namespace cairn::datanode
