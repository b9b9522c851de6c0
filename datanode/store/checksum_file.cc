#include "datanode/store/checksum_file.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "common/crc32c.h"

namespace cairn::datanode {
namespace {

constexpr std::string_view kMagic = "CAIRNSUM";
constexpr size_t kFixedBytes = 32;  // magic, version, chunk size, block id, zero, CRC
constexpr std::array<size_t, 2> kSlotOffsets = {32, 64};
constexpr size_t kSlotBytes = 20;  // synced length, tail CRC, sequence, CRC

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

std::string EncodeSlot(const ChecksumSlot& slot) {
  std::string out;
  Append(&out, slot.synced_length);
  Append(&out, slot.tail_crc);
  Append(&out, slot.sequence);
  Append(&out, Crc32c(out));
  return out;
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

std::string EncodeChecksumFile(BlockId block_id, uint64_t length, std::span<const uint32_t> crcs) {
  std::string out;
  out.reserve(ChecksumFileBytes(length));
  out.append(kMagic);
  Append(&out, kChecksumVersion);
  Append(&out, static_cast<uint32_t>(kChunkBytes));
  Append(&out, block_id);
  Append(&out, uint32_t{0});
  Append(&out, Crc32c(out));
  out.append(EncodeSlot(
      {.synced_length = length, .tail_crc = crcs.empty() ? 0 : crcs.back(), .sequence = 1}));
  out.resize(kChecksumHeaderBytes, '\0');
  for (const uint32_t crc : crcs) Append(&out, crc);
  return out;
}

absl::StatusOr<ChecksumHeader> DecodeChecksumHeader(std::string_view bytes, BlockId block_id) {
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
  for (const size_t offset : kSlotOffsets) {
    const auto slot = DecodeSlot(bytes.substr(offset, kSlotBytes));
    if (slot && slot->sequence > header.newest.sequence) header.newest = *slot;
  }
  if (header.newest.sequence == 0) {
    return absl::DataLossError("the checksum file states no durable length");
  }
  return header;
}

void DecodeChecksums(std::string_view bytes, std::vector<uint32_t>* crcs) {
  for (size_t at = 0; at + 4 <= bytes.size(); at += 4) crcs->push_back(Get<uint32_t>(bytes, at));
}

}  // namespace cairn::datanode
