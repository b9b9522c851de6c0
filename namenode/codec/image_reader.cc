#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "common/crc32c.h"
#include "common/status.h"
#include "namenode/codec/image.h"
#include "namenode/codec/image_format.h"
#include "namenode/codec/records.h"
#include "namenode/namespace/state_builder.h"

namespace cairn::namenode {
namespace {

template <typename... Args>
absl::Status Damaged(fmt::format_string<Args...> format, Args&&... args) {
  return absl::DataLossError("the image is damaged: " +
                             fmt::format(format, std::forward<Args>(args)...));
}

// An image's bytes, and how far they were read.
class Input {
 public:
  explicit Input(const ImageReadFn& read) : read_(read) {}

  uint64_t offset() const { return offset_; }

  // Exactly `size` bytes; true in `*at_end` tells a clean end before the first of them.
  absl::StatusOr<std::string> ReadExactly(size_t size, bool* at_end = nullptr) {
    std::string bytes(size, '\0');
    size_t filled = 0;
    while (filled < size) {
      ASSIGN_OR_RETURN(const size_t got, read_(bytes.data() + filled, size - filled));
      if (got == 0 && filled == 0 && at_end != nullptr) {
        *at_end = true;
        return std::string();
      }
      if (got == 0) return Damaged("it ends at byte {}, in the middle", offset_);
      filled += got;
      offset_ += got;
    }
    return bytes;
  }

 private:
  const ImageReadFn& read_;
  uint64_t offset_ = 0;
};

absl::StatusOr<std::string> ReadPiece(Input& input, bool* at_end) {
  const uint64_t at = input.offset();
  ASSIGN_OR_RETURN(const std::string head, input.ReadExactly(12, at_end));
  if (*at_end) return std::string();
  const size_t raw_size = U32At(head, 0);
  const size_t stored_size = U32At(head, 4);
  if (raw_size > kMaxPieceBytes || stored_size > ZSTD_compressBound(kMaxPieceBytes)) {
    return Damaged("the piece at byte {} claims to have {} bytes", at,
                   std::max(raw_size, stored_size));
  }
  ASSIGN_OR_RETURN(const std::string stored, input.ReadExactly(stored_size));
  if (Crc32cExtend(Crc32c(std::string_view(head).substr(0, 8)), stored) != U32At(head, 8)) {
    return Damaged("the piece at byte {} fails its checksum", at);
  }
  std::string raw(raw_size, '\0');
  const size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) || size != raw_size) {
    return Damaged("the piece at byte {} does not unpack", at);
  }
  return raw;
}

// Calls `fn` with each record up to the trailer, and checks order and end.
absl::Status ForEachRecord(Input& input, const std::function<absl::Status(v1::ImageRecord&)>& fn) {
  uint64_t records = 0;
  int last_kind = 0;
  bool ended = false;
  v1::ImageRecord record;
  while (true) {
    bool at_end = false;
    const uint64_t at = input.offset();  // of the piece
    ASSIGN_OR_RETURN(const std::string raw, ReadPiece(input, &at_end));
    if (at_end) break;
    for (size_t offset = 0; offset < raw.size();) {
      if (ended) return Damaged("it goes on behind its end, at byte {}", at);
      if (raw.size() - offset < 4) {
        return Damaged("record {}, in the piece at byte {}, is cut", records, at);
      }
      const size_t size = U32At(raw, offset);
      offset += 4;
      if (size > raw.size() - offset ||
          !record.ParseFromArray(raw.data() + offset, static_cast<int>(size))) {
        return Damaged("record {}, in the piece at byte {}, does not parse", records, at);
      }
      offset += size;
      const int kind = record.kind_case();
      if (kind < last_kind || kind == 0) {
        return Damaged("record {}, in the piece at byte {}, is out of order", records, at);
      }
      last_kind = kind;
      ended = record.has_trailer();
      if (ended && record.trailer().records() != records) {
        return Damaged("it holds {} records instead of {}", records, record.trailer().records());
      }
      if (!ended) RETURN_IF_ERROR(fn(record));
      ++records;
    }
  }
  if (!ended) return Damaged("its end is missing at byte {}", input.offset());
  return absl::OkStatus();
}

// Turns records into parts of a state.
class ImageLoader {
 public:
  absl::Status Add(v1::ImageRecord& record) {
    switch (record.kind_case()) {
      case v1::ImageRecord::kCounters:
        return AddCounters(record.counters());
      case v1::ImageRecord::kPrincipal:
        principals_.push_back(record.principal());
        return builder_.AddPrincipal(record.principal());
      case v1::ImageRecord::kInode:
        return AddINode(*record.mutable_inode());
      case v1::ImageRecord::kBlock:
        return AddBlock(record.block());
      case v1::ImageRecord::kDetached:
        return builder_.AddDetached(record.detached().place(), record.detached().root());
      case v1::ImageRecord::kNode:
        return AddNode(record.node());
      case v1::ImageRecord::kRetry:
        return AddRetryWindow(record.retry());
      default:
        return Damaged("a record of an unknown kind");
    }
  }

  absl::StatusOr<FsState> Finish(TxId txid) {
    if (!has_counters_) return Damaged("it has no counters");
    return builder_.Finish(txid, counters_, next_node_, next_storage_);
  }

 private:
  absl::Status AddCounters(const v1::ImageCounters& proto) {
    if (std::exchange(has_counters_, true)) return Damaged("it has its counters twice");
    counters_.epoch = proto.epoch();
    counters_.next_inode = proto.next_inode();
    counters_.next_block = proto.next_block();
    counters_.next_generation = proto.next_generation();
    counters_.next_detached = proto.next_detached();
    next_node_ = proto.next_node();
    next_storage_ = proto.next_storage();
    return absl::OkStatus();
  }

  absl::Status AddINode(v1::ImageINode& proto) {
    if (proto.owner() >= principals_.size() || proto.group() >= principals_.size()) {
      return Damaged("inode {} has no owner or group", proto.id());
    }
    INodeRecord record{.id = proto.id(),
                       .parent = proto.parent(),
                       .name = std::move(*proto.mutable_name()),
                       .type = proto.has_file() ? INodeType::kFile : INodeType::kDirectory,
                       .mtime_ms = proto.mtime_ms(),
                       .atime_ms = proto.atime_ms(),
                       .owner = principals_[proto.owner()],
                       .group = principals_[proto.group()],
                       .mode = proto.mode(),
                       .block_size = proto.file().block_size(),
                       .replication = proto.file().replication()};
    if (!proto.file().holder().empty()) {
      ASSIGN_OR_RETURN(const ClientId holder, ToClientId(proto.file().holder()));
      record.open = OpenState{.holder = holder,
                              .unpublished = proto.file().unpublished(),
                              .min_replicas = proto.file().min_replicas(),
                              .appended = proto.file().appended()};
    }
    return builder_.AddINode(std::move(record));
  }

  absl::Status AddBlock(const v1::ImageBlock& proto) {
    BlockRecord record{.id = proto.id(),
                       .inode = proto.inode(),
                       .generation = proto.generation(),
                       .length = proto.length(),
                       .index = proto.index()};
    if (proto.open()) {
      record.open = OpenBlock{.pipeline = {proto.pipeline().begin(), proto.pipeline().end()},
                              .recovery = proto.recovery(),
                              .cut = proto.cut(),
                              .untouched = proto.untouched()};
    }
    return builder_.AddBlock(std::move(record));
  }

  absl::Status AddNode(const v1::ImageNode& proto) {
    std::vector<RegisteredStorage> storages;
    for (const v1::StorageRecord& storage : proto.storages()) {
      storages.push_back({storage.number(), storage.id()});
    }
    return builder_.AddNode({proto.number(), proto.id(), proto.rack(), {}}, storages);
  }

  absl::Status AddRetryWindow(const v1::ImageRetryWindow& proto) {
    ASSIGN_OR_RETURN(const ClientId client, ToClientId(proto.client()));
    RetryCache::Window window;
    window.floor = proto.floor();
    window.idle_since_ms = proto.idle_since_ms();
    for (const v1::ImageRetryWindow::Call& call : proto.calls()) {
      RetryEntry entry{call.txid(), call.time_ms(), AnswerFrom(call)};
      window.calls.emplace(call.call_id(), std::move(entry));
    }
    return builder_.AddRetryWindow(client, std::move(window));
  }

  StateBuilder builder_;
  std::vector<std::string> principals_;
  Counters counters_;
  NodeNumber next_node_ = 0;
  StorageNumber next_storage_ = 0;
  bool has_counters_ = false;
};

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return Damaged("a record cannot be written as JSON");
  return json;
}

absl::StatusOr<ImageHeader> ReadHeader(Input& input) {
  ASSIGN_OR_RETURN(std::string bytes, input.ReadExactly(kImageMagic.size() + 8));
  if (!bytes.starts_with(kImageMagic))
    return Damaged("it does not begin, at byte 0, like an image");
  const uint32_t layout = U32At(bytes, kImageMagic.size());
  if (layout != kImageLayout) {
    return absl::FailedPreconditionError(
        fmt::format("the image has layout {}, this version reads layout {}; run the version that "
                    "wrote it",
                    layout, kImageLayout));
  }
  const size_t size = U32At(bytes, kImageMagic.size() + 4);
  if (size > kMaxHeaderBytes)
    return Damaged("its header, at byte 0, claims to have {} bytes", size);
  ASSIGN_OR_RETURN(const std::string rest, input.ReadExactly(size + 4));
  bytes.append(rest, 0, size);
  if (Crc32c(bytes) != U32At(rest, size)) {
    return Damaged("its header, at byte 0, fails its checksum");
  }
  v1::ImageHeader proto;
  if (!proto.ParseFromArray(rest.data(), static_cast<int>(size))) {
    return Damaged("its header, at byte 0, does not parse");
  }
  return ImageHeader{proto.txid(), proto.cluster_id(), {proto.digest_high(), proto.digest_low()}};
}

}  // namespace

absl::StatusOr<ImageHeader> ReadImageHeader(const ImageReadFn& read) {
  Input input(read);
  return ReadHeader(input);
}

absl::StatusOr<LoadedImage> LoadImage(const ImageReadFn& read) {
  Input input(read);
  ASSIGN_OR_RETURN(ImageHeader header, ReadHeader(input));
  ImageLoader loader;
  RETURN_IF_ERROR(
      ForEachRecord(input, [&](v1::ImageRecord& record) { return loader.Add(record); }));
  ASSIGN_OR_RETURN(FsState state, loader.Finish(header.txid));
  if (state.digest() != header.digest) {
    return Damaged("its content has digest {}, its header says {}", ToHex(state.digest()),
                   ToHex(header.digest));
  }
  return LoadedImage{std::move(header), std::move(state)};
}

absl::Status DumpImage(const ImageReadFn& read,
                       const std::function<absl::Status(std::string_view json)>& line) {
  Input input(read);
  ASSIGN_OR_RETURN(const ImageHeader header, ReadHeader(input));
  v1::ImageHeader proto;
  proto.set_cluster_id(header.cluster_id);
  proto.set_txid(header.txid);
  ASSIGN_OR_RETURN(const std::string json, ToJson(proto));
  RETURN_IF_ERROR(
      line(fmt::format("{{\"header\":{},\"digest\":\"{}\"}}", json, ToHex(header.digest))));
  return ForEachRecord(input, [&](v1::ImageRecord& record) -> absl::Status {
    ASSIGN_OR_RETURN(const std::string text, ToJson(record));
    return line(text);
  });
}

}  // namespace cairn::namenode
