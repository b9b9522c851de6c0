// Any bytes as the header of a replica's checksum file, as the scrubber's file, and as the name of
// a replica's file: an error, or what gives the same bytes again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "datanode/scrubber/scan_progress.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/replica_names.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::datanode;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr cairn::BlockId kBlock = 7;
  const auto open = DecodeOpenChecksumHeader(bytes, kBlock);
  const auto finalized = DecodeChecksumHeader(bytes, kBlock);
  if (finalized.ok() && (!open.ok() || finalized->newest.sequence == 0)) std::abort();
  if (open.ok() && open->newest.sequence != 0) {
    const std::string slot = EncodeChecksumSlot(open->newest);
    const uint64_t at = ChecksumSlotOffset(open->newest.sequence);
    if (bytes.substr(at, slot.size()) != slot) std::abort();
  }
  const auto progress = DecodeScanProgress(bytes);
  if (progress.ok() && EncodeScanProgress(*progress) != bytes) std::abort();
  (void)ParseReplicaFileName(bytes);
  return 0;
}
