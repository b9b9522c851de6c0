#include "datanode/pipeline/packet_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/chunk_crc.h"
#include "common/units.h"
#include "datanode/store/checksum_file.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kMaxBlockBytes = uint64_t{1} << 40;  // the largest --block-size

template <typename... Args>
absl::Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(format, std::forward<Args>(args)...));
}

// Whether block.length is what will come, not only the most: it may be nothing.
bool IsExact(WriteStage stage) { return stage == WriteStage::kCopy || stage == WriteStage::kJoin; }

}  // namespace

absl::Status CheckHeader(const WriteHeader& header) {
  if (header.block.id == 0) return Invalid("the header names no block");
  if (header.block.generation == 0) return Invalid("the header names no generation stamp");
  if (header.block.length > kMaxBlockBytes ||
      (header.block.length == 0 && !IsExact(header.stage))) {
    return Invalid("a block of {} bytes; from 1 byte to {} are possible", header.block.length,
                   FormatSize(kMaxBlockBytes));
  }
  if (header.stage == WriteStage::kRecover) {
    if (header.from_generation == 0 || header.from_generation >= header.block.generation) {
      return Invalid("a recovery from generation {} to {}", header.from_generation,
                     header.block.generation);
    }
    if (header.from_length > header.block.length) {
      return Invalid("a recovery from {} bytes of a block of at most {}", header.from_length,
                     header.block.length);
    }
  }
  return absl::OkStatus();
}

PacketCheck::PacketCheck(const WriteHeader& header)
    : limit_(header.block.length),
      exact_(IsExact(header.stage)),
      length_(header.stage == WriteStage::kRecover ? header.from_length : 0) {}

absl::Status PacketCheck::Check(const Packet& packet) {
  const uint64_t bytes = packet.payload.size();
  if (packet.seq != next_seq_) {
    return Invalid("packet {} came where packet {} was expected", packet.seq, next_seq_);
  }
  if (bytes > kMaxPacketBytes) {
    return Invalid("packet {} has {} bytes; at most {}", packet.seq, bytes,
                   FormatSize(kMaxPacketBytes));
  }
  if (bytes > 0 && packet.offset % kChunkBytes != 0) {
    return Invalid("packet {} is for offset {}, which is no multiple of {}", packet.seq,
                   packet.offset, kChunkBytes);
  }
  if (bytes > 0 && packet.offset > length_) {
    return Invalid("packet {} is for offset {}, bytes so far are {}", packet.seq, packet.offset,
                   length_);
  }
  if (bytes > 0 && bytes > limit_ - packet.offset) {
    return Invalid("packet {} ends at {}, beyond the block's limit of {}", packet.seq,
                   packet.offset + bytes, limit_);
  }
  if (packet.crcs.size() != ChunksOf(bytes)) {
    return Invalid("packet {} has {} checksums for {} bytes; needed are {}", packet.seq,
                   packet.crcs.size(), bytes, ChunksOf(bytes));
  }
  const int64_t bad = FirstBadChunk(packet.payload, packet.crcs);
  if (bad >= 0) {
    return WithKind(
        absl::DataLossError(fmt::format("packet {}: wrong checksum at offset {}", packet.seq,
                                        packet.offset + static_cast<uint64_t>(bad) * kChunkBytes)),
        ErrorKind::kChecksum);
  }
  const uint64_t length = bytes == 0 ? length_ : std::max(length_, packet.offset + bytes);
  if (packet.last && exact_ && length != limit_) {
    return Invalid("the copy ends at {} instead of {}", length, limit_);
  }
  ++next_seq_;
  length_ = length;
  return absl::OkStatus();
}

}  // namespace cairn::datanode
