#include "namenode/codec/image_pieces.h"

#include <zstd.h>

#include <algorithm>

#include "common/crc32c.h"
#include "common/offset_status.h"
#include "common/status.h"
#include "namenode/codec/image_format.h"

namespace cairn::namenode {
namespace {

constexpr size_t kPieceHead = 12;

// Records are small, and a piece is about a mebibyte of them.
google::protobuf::ArenaOptions LargeBlocks() {
  google::protobuf::ArenaOptions options;
  options.start_block_size = 256 << 10;
  options.max_block_size = 1 << 20;
  return options;
}

}  // namespace

absl::Status ImageInput::ReadExactly(size_t size, std::string* bytes, bool* at_end) {
  bytes->resize(size);
  size_t filled = 0;
  while (filled < size) {
    ASSIGN_OR_RETURN(const size_t got, read_(bytes->data() + filled, size - filled));
    if (got == 0 && filled == 0 && at_end != nullptr) {
      *at_end = true;
      return absl::OkStatus();
    }
    if (got == 0) return DamagedImage("it ends at byte {}, in the middle", offset_);
    filled += got;
    offset_ += got;
  }
  return absl::OkStatus();
}

absl::StatusOr<ImageHeader> ImageInput::ReadHeader() {
  std::string bytes;
  RETURN_IF_ERROR(ReadExactly(kImageMagic.size() + 8, &bytes));
  if (!bytes.starts_with(kImageMagic)) {
    return DamagedImage("it does not begin, at byte 0, like an image");
  }
  const uint32_t layout = U32At(bytes, kImageMagic.size());
  if (layout < kOldestImageLayout || layout > kImageLayout) {
    return absl::FailedPreconditionError(
        fmt::format("the image has layout {}, this version reads layouts {} to {}; run the version "
                    "that wrote it",
                    layout, kOldestImageLayout, kImageLayout));
  }
  const size_t size = U32At(bytes, kImageMagic.size() + 4);
  if (size > kMaxHeaderBytes) {
    return DamagedImage("its header, at byte 0, claims to have {} bytes", size);
  }
  std::string rest;
  RETURN_IF_ERROR(ReadExactly(size + 4, &rest));
  bytes.append(rest, 0, size);
  if (Crc32c(bytes) != U32At(rest, size)) {
    return DamagedImage("its header, at byte 0, fails its checksum");
  }
  v1::ImageHeader proto;
  if (!proto.ParseFromArray(rest.data(), static_cast<int>(size))) {
    return DamagedImage("its header, at byte 0, does not parse");
  }
  return ImageHeader{proto.txid(), proto.cluster_id(), {proto.digest_high(), proto.digest_low()}};
}

absl::StatusOr<bool> ImageInput::Unpack() {
  const uint64_t at = offset_;
  std::string head;
  bool at_end = false;
  RETURN_IF_ERROR(ReadExactly(kPieceHead, &head, &at_end));
  if (at_end) return false;
  const size_t raw_size = U32At(head, 0);
  const size_t stored_size = U32At(head, 4);
  if (raw_size > kMaxPieceBytes || stored_size > ZSTD_compressBound(kMaxPieceBytes)) {
    return DamagedImage("the piece at byte {} claims to have {} bytes", at,
                        std::max(raw_size, stored_size));
  }
  RETURN_IF_ERROR(ReadExactly(stored_size, &stored_));
  if (Crc32cExtend(Crc32c(std::string_view(head).substr(0, 8)), stored_) != U32At(head, 8)) {
    return DamagedImage("the piece at byte {} fails its checksum", at);
  }
  raw_.resize(raw_size);
  const size_t size = ZSTD_decompress(raw_.data(), raw_.size(), stored_.data(), stored_.size());
  if (ZSTD_isError(size) || size != raw_size) {
    return DamagedImage("the piece at byte {} does not unpack", at);
  }
  return true;
}

absl::Status ImageInput::Parse(uint64_t at, ImagePiece* piece) {
  for (size_t offset = 0; offset < raw_.size();) {
    if (ended_) return DamagedImage("it goes on behind its end, at byte {}", at);
    if (raw_.size() - offset < 4) {
      return DamagedImage("record {}, in the piece at byte {}, is cut", records_, at);
    }
    const size_t size = U32At(raw_, offset);
    offset += 4;
    auto* record = google::protobuf::Arena::CreateMessage<v1::ImageRecord>(piece->arena.get());
    if (size > raw_.size() - offset ||
        !record->ParseFromArray(raw_.data() + offset, static_cast<int>(size))) {
      return DamagedImage("record {}, in the piece at byte {}, does not parse", records_, at);
    }
    offset += size;
    const int kind = record->kind_case();
    if (kind < last_kind_ || kind == 0) {
      return DamagedImage("record {}, in the piece at byte {}, is out of order", records_, at);
    }
    last_kind_ = kind;
    ended_ = record->has_trailer();
    if (ended_ && record->trailer().records() != records_) {
      return DamagedImage("it holds {} records instead of {}", records_,
                          record->trailer().records());
    }
    if (!ended_) piece->records.push_back(record);
    ++records_;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<ImagePiece>> ImageInput::NextPiece() {
  const uint64_t at = offset_;
  const absl::StatusOr<bool> more = Unpack();
  if (!more.ok()) return WithOffset(more.status(), at);
  if (!*more) {
    if (!ended_) {
      return WithOffset(DamagedImage("its end is missing at byte {}", offset_), offset_);
    }
    return std::optional<ImagePiece>();
  }
  ImagePiece piece;
  piece.arena = std::make_unique<google::protobuf::Arena>(LargeBlocks());
  const absl::Status parsed = Parse(at, &piece);
  if (!parsed.ok()) return WithOffset(parsed, at);
  return piece;
}

}  // namespace cairn::namenode
