#include "datanode/store/checksum_file.h"

#include <fmt/format.h>

#include <optional>

#include "common/crc32c.h"

namespace cairn::datanode {
namespace {

constexpr std::string_view kMagic = "CAIRNSUM";
constexpr size_t kFixedBytes = 32;  // magic, version, chunk size, block id, zero, CRC
constexpr size_t kSlotBytes = kChecksumSlotBytes;  // synced length, tail CRC, sequence, CRC

template <typename T>
void Append(std::string* out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

template <typename T>
T Get(std::string_view bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return value;
}

std::optional<ChecksumSlot> DecodeSlot(std::string_view bytes) {
  if (Crc32c(bytes.substr(0, kSlotBytes - 4)) != Get<uint32_t>(bytes, kSlotBytes - 4)) {
    return std::nullopt;
  }
  ChecksumSlot slot{.synced_length = Get<uint64_t>(bytes, 0),
                    .tail_crc = Get<uint32_t>(bytes, 8),
                    .sequence = Get<uint32_t>(bytes, 12)};
  if (slot.sequence == 0) return std::nullopt;
  return slot;
}

}  // namespace

std::string EncodeChecksumHeader(BlockId block_id) {
  std::string out(kMagic);
  Append(&out, kChecksumVersion);
  Append(&out, static_cast<uint32_t>(kChunkBytes));
  Append(&out, block_id);
  Append(&out, uint32_t{0});
  Append(&out, Crc32c(out));
  out.resize(kChecksumHeaderBytes, '\0');
  return out;
}

std::string EncodeChecksumSlot(const ChecksumSlot& slot) {
  std::string out;
  Append(&out, slot.synced_length);
  Append(&out, slot.tail_crc);
  Append(&out, slot.sequence);
  Append(&out, Crc32c(out));
  return out;
}

std::string EncodeChecksums(std::span<const uint32_t> crcs) {
  std::string out;
  out.reserve(4 * crcs.size());
  for (const uint32_t crc : crcs) Append(&out, crc);
  return out;
}

std::string EncodeChecksumFile(BlockId block_id, uint64_t length, std::span<const uint32_t> crcs) {
  std::string out = EncodeChecksumHeader(block_id);
  const ChecksumSlot slot{.synced_length = length,
                          .tail_crc = crcs.empty() ? 0 : crcs.back(),
                          .sequence = kWholeSequence};
  out.replace(ChecksumSlotOffset(slot.sequence), kSlotBytes, EncodeChecksumSlot(slot));
  return out + EncodeChecksums(crcs);
}

absl::StatusOr<ChecksumHeader> DecodeOpenChecksumHeader(std::string_view bytes, BlockId block_id) {
  if (bytes.size() < kChecksumHeaderBytes) {
    return absl::DataLossError(
        fmt::format("the checksum file has {} bytes, less than its header", bytes.size()));
  }
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return absl::DataLossError("not a checksum file: wrong magic");
  }
  if (Crc32c(bytes.substr(0, kFixedBytes - 4)) != Get<uint32_t>(bytes, kFixedBytes - 4)) {
    return absl::DataLossError("the checksum file's header is damaged");
  }
  const auto version = Get<uint32_t>(bytes, 8);
  const auto chunk_bytes = Get<uint32_t>(bytes, 12);
  if (version != kChecksumVersion || chunk_bytes != kChunkBytes) {
    return absl::DataLossError(
        fmt::format("unknown checksum file: version {}, chunks of {} bytes", version, chunk_bytes));
  }
  ChecksumHeader header{.block_id = Get<uint64_t>(bytes, 16), .newest = {}};
  if (header.block_id != block_id) {
    return absl::DataLossError(
        fmt::format("the checksum file is that of block {}, not of {}", header.block_id, block_id));
  }
  for (const uint32_t parity : {0, 1}) {
    const auto slot = DecodeSlot(bytes.substr(ChecksumSlotOffset(parity), kSlotBytes));
    const bool in_place = slot && slot->sequence % 2 == parity;
    if (in_place && slot->sequence > header.newest.sequence) header.newest = *slot;
  }
  return header;
}

absl::StatusOr<ChecksumHeader> DecodeChecksumHeader(std::string_view bytes, BlockId block_id) {
  ASSIGN_OR_RETURN(const ChecksumHeader header, DecodeOpenChecksumHeader(bytes, block_id));
  if (header.newest.sequence == 0) {
    return absl::DataLossError("the checksum file states no durable length");
  }
  return header;
}

void DecodeChecksums(std::string_view bytes, std::vector<uint32_t>* crcs) {
  for (size_t at = 0; at + 4 <= bytes.size(); at += 4) crcs->push_back(Get<uint32_t>(bytes, at));
}

}  // namespace cairn::datanode
