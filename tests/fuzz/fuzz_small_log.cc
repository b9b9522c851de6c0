// Any bytes as a segment of a small-replica log, and as a record: an error, or what gives the same
// bytes again. Inputs are short beside the alignment of records, so they are also put where a
// record begins, with room behind them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "datanode/store/small_log_format.h"

namespace {

using namespace cairn::datanode;

void CheckRecord(std::string_view bytes, const SmallRecordView& view, uint64_t salt) {
  SmallRecord record(view.block);
  std::copy(view.checksums.begin(), view.checksums.end(), record.checksums().begin());
  std::copy(view.data.begin(), view.data.end(), record.data().begin());
  record.Seal();
  record.Stamp(salt, view.commit_offset);
  if (record.bytes().size() > bytes.size()) std::abort();
}

void CheckSegment(std::string_view bytes) {
  const auto segment = ParseSmallSegment(bytes);
  if (!segment.ok()) return;
  uint64_t all = kSmallLogAlignment;
  for (const SmallRecordView& record : segment->records) {
    CheckRecord(bytes, record, segment->header.salt);
    all += SmallRecordBytes(record.block.length);
  }
  if (all > bytes.size() && !segment->records.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckSegment(bytes);
  std::string padded(bytes);
  padded.resize(size + 2 * kSmallLogAlignment, '\0');
  if (const auto record = DecodeSmallRecord(padded, /*salt=*/0); record.ok()) {
    CheckRecord(padded, *record, /*salt=*/0);
  }
  CheckSegment(EncodeSmallSegmentHeader({.sequence = 1, .salt = 0}) + padded);
  return 0;
}
