#include "datanode/pipeline/packet_check.h"

#include <fmt/format.h>

#include "common/units.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/replica_reader.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kMaxBlockBytes = uint64_t{1} << 40;  // the largest --block-size

template <typename... Args>
absl::Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace

absl::Status CheckHeader(const WriteHeader& header) {
  if (header.block.id == 0) return Invalid("the header names no block");
  if (header.block.generation == 0) return Invalid("the header names no generation stamp");
  if (header.block.length > kMaxBlockBytes ||
      (header.block.length == 0 && header.stage == WriteStage::kCreate)) {
    return Invalid("a block of {} bytes; from 1 byte to {} are possible", header.block.length,
                   FormatSize(kMaxBlockBytes));
  }
  return absl::OkStatus();
}

absl::Status PacketCheck::Check(const Packet& packet) {
  const uint64_t bytes = packet.payload.size();
  if (packet.seq != next_seq_) {
    return Invalid("packet {} came where packet {} was expected", packet.seq, next_seq_);
  }
  if (packet.sync) return Invalid("packet {} asks for a sync, which is not served", packet.seq);
  if (bytes > kMaxPacketBytes) {
    return Invalid("packet {} has {} bytes; at most {}", packet.seq, bytes,
                   FormatSize(kMaxPacketBytes));
  }
  if (bytes > 0 && packet.offset != length_) {
    return Invalid("packet {} is for offset {}, expected is {}", packet.seq, packet.offset,
                   length_);
  }
  if (bytes > 0 && length_ % kChunkBytes != 0) {
    return Invalid("packet {} follows one that ended within a chunk, at {}", packet.seq, length_);
  }
  if (bytes > limit_ - length_) {
    return Invalid("packet {} ends at {}, beyond the block's limit of {}", packet.seq,
                   length_ + bytes, limit_);
  }
  if (packet.crcs.size() != ChunksOf(bytes)) {
    return Invalid("packet {} has {} checksums for {} bytes; needed are {}", packet.seq,
                   packet.crcs.size(), bytes, ChunksOf(bytes));
  }
  const int64_t bad = FirstBadChunk(packet.payload, packet.crcs);
  if (bad >= 0) {
    return WithKind(
        absl::DataLossError(fmt::format("packet {}: wrong checksum at offset {}", packet.seq,
                                        length_ + static_cast<uint64_t>(bad) * kChunkBytes)),
        ErrorKind::kChecksum);
  }
  if (packet.last && exact_ && length_ + bytes != limit_) {
    return Invalid("the copy ends at {} instead of {}", length_ + bytes, limit_);
  }
  ++next_seq_;
  length_ += bytes;
  return absl::OkStatus();
}

}  // namespace cairn::datanode
