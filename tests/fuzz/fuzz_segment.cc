// Any bytes as a journal segment: an error that names a byte within the file, or records with
// txids in order.
//
// Input: one byte that says how the rest is taken. Even: as the file. Odd: as frames with right
// checksums, so that what lies behind those is reached: for each a byte for its first txid, one for
// the number of its records, one for the length of its bytes, and these.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/offset_status.h"
#include "namenode/journal/journal_reader.h"
#include "namenode/journal/segment_format.h"
#include "tests/support/fault_env.h"

namespace cairn::namenode {
namespace {

std::string Frames(std::string_view bytes) {
  const std::string id(kSegmentIdBytes, 'i');
  std::string file = EncodeSegmentHeader({.id = id, .first = 1});
  const uint32_t seed = FrameSeed(id);
  TxId next = 1;
  while (bytes.size() >= 3) {
    const TxId first = next + (static_cast<uint8_t>(bytes[0]) % 16 == 15 ? 1 : 0);
    const TxId last = first + static_cast<uint8_t>(bytes[1]) % 8 - 1;
    const size_t length = std::min<size_t>(static_cast<uint8_t>(bytes[2]), bytes.size() - 3);
    const std::string_view records = bytes.substr(3, length);
    file += EncodeFrameHeader(seed, first, last, records);
    file += records;
    bytes.remove_prefix(3 + length);
    next = last + 1;
  }
  return file.append(bytes);
}

void Read(const std::string& path, std::string_view file) {
  FaultEnv env;
  if (!env.CreateDirs("/d").ok() || !env.WriteFileAtomically(path, file).ok()) std::abort();
  auto reader = SegmentReader::Open(&env, path);
  if (!reader.ok()) {
    if (!OffsetOf(reader.status())) std::abort();
    return;
  }
  TxId next = (*reader)->first();
  JournalRecord record;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&record);
    if (!more.ok() && OffsetOf(more.status()).value_or(file.size() + 1) > file.size()) std::abort();
    if (!more.ok() || !*more) break;
    if (record.txid != next++) std::abort();
    if (record.bytes != file.substr(record.offset, record.bytes.size())) std::abort();
  }
  if ((*reader)->valid_bytes() > file.size()) std::abort();
}

}  // namespace
}  // namespace cairn::namenode

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::namenode;
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string file = data[0] % 2 == 0 ? std::string(rest) : Frames(rest);
  Read("/d/" + InProgressName(1), file);
  Read("/d/" + ClosedName(1, 3), file);
  return 0;
}
