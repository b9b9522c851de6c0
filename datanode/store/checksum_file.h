// The checksum file of a replica (blk_<id>_<generation>.meta): its bytes, and nothing else.
//
// Why: every 4 KiB chunk of a replica has a CRC32C of its own, computed by the writer, so that no
// reader gets a byte that fails it. A header with two alternating slots tells how many bytes are
// durable. The format is docs/formats/replica.md. Pure functions, thread-safe; used by the store.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/status.h"

namespace cairn::datanode {

inline constexpr uint64_t kChecksumHeaderBytes = 128;
inline constexpr uint64_t kChecksumSlotBytes = 20;
inline constexpr uint32_t kChecksumVersion = 1;

// Up to where the data was durable when the slot was written.
struct ChecksumSlot {
  uint64_t synced_length = 0;  // bytes
  uint32_t tail_crc = 0;       // of the last chunk, as far as it is within synced_length; 0 if none
  uint32_t sequence = 0;       // the slot with the higher one is the newer; 0: never written
};

// The first slot of a replica that is finalized without ever having been synced before: written
// together with the checksums, so that outside of finalized/ it may stand without them.
inline constexpr uint32_t kWholeSequence = 1;
// The first slot of an open replica. From here on data and checksums are durable before the slot is
// written: bytes that contradict it are damaged.
inline constexpr uint32_t kFirstSyncSequence = 2;

struct ChecksumHeader {
  BlockId block_id = 0;
  ChecksumSlot newest;  // sequence 0: there is none
};

constexpr uint64_t ChunksOf(uint64_t length) { return (length + kChunkBytes - 1) / kChunkBytes; }
constexpr uint64_t ChecksumFileBytes(uint64_t length) {
  return kChecksumHeaderBytes + 4 * ChunksOf(length);
}
// Where the CRC of the chunk that starts at `offset` stands in the file.
constexpr uint64_t ChecksumOffset(uint64_t offset) {
  return kChecksumHeaderBytes + 4 * (offset / kChunkBytes);
}
// Where the slot with this sequence stands: they take turns.
constexpr uint64_t ChecksumSlotOffset(uint32_t sequence) { return sequence % 2 == 1 ? 32 : 64; }

// A header without a slot.
std::string EncodeChecksumHeader(BlockId block_id);
std::string EncodeChecksumSlot(const ChecksumSlot& slot);
std::string EncodeChecksums(std::span<const uint32_t> crcs);
// The whole checksum file of a replica of `length` bytes; `crcs` has one for each chunk.
std::string EncodeChecksumFile(BlockId block_id, uint64_t length, std::span<const uint32_t> crcs);

// DATA_LOSS with what is wrong: too short, another format, damaged, of another block.
absl::StatusOr<ChecksumHeader> DecodeOpenChecksumHeader(std::string_view bytes, BlockId block_id);
// The same for a finalized replica, which has a slot.
absl::StatusOr<ChecksumHeader> DecodeChecksumHeader(std::string_view bytes, BlockId block_id);

// Appends the CRCs that `bytes` (a multiple of 4) hold.
void DecodeChecksums(std::string_view bytes, std::vector<uint32_t>* crcs);

}  // namespace cairn::datanode
