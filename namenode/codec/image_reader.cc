#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "common/offset_status.h"
#include "common/read_ahead.h"
#include "common/status.h"
#include "namenode/codec/image.h"
#include "namenode/codec/image_pieces.h"
#include "namenode/codec/records.h"
#include "namenode/namespace/state_builder.h"

namespace cairn::namenode {
namespace {

constexpr size_t kPiecesAhead = 4;  // that wait to be built into the state

// Calls `fn` with each record up to the trailer. Pieces are read, unpacked and parsed by a thread
// of their own.
absl::Status ForEachRecord(ImageInput& input,
                           const std::function<absl::Status(v1::ImageRecord&)>& fn) {
  ReadAhead<ImagePiece> pieces(kPiecesAhead, [&input] { return input.NextPiece(); });
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<ImagePiece> piece, pieces.Next());
    if (!piece.has_value()) return absl::OkStatus();
    for (v1::ImageRecord* record : piece->records) RETURN_IF_ERROR(fn(*record));
  }
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
        return DamagedImage("a record of an unknown kind");
    }
  }

  absl::StatusOr<FsState> Finish(TxId txid) {
    if (!has_counters_) return DamagedImage("it has no counters");
    return builder_.Finish(txid, counters_, next_node_, next_storage_);
  }

 private:
  absl::Status AddCounters(const v1::ImageCounters& proto) {
    if (std::exchange(has_counters_, true)) return DamagedImage("it has its counters twice");
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
      return DamagedImage("inode {} has no owner or group", proto.id());
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
    if (proto.has_name_quota()) record.quota.names = proto.name_quota();
    if (proto.has_space_quota()) record.quota.space = proto.space_quota();
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
    return builder_.AddNode({.number = proto.number(),
                             .id = proto.id(),
                             .rack = proto.rack(),
                             .storages = {},
                             .admin = static_cast<AdminState>(proto.admin_state())},
                            storages);
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
  if (!status.ok()) return DamagedImage("a record cannot be written as JSON");
  return json;
}

}  // namespace

absl::StatusOr<ImageHeader> ReadImageHeader(const ImageReadFn& read) {
  return ImageInput(read).ReadHeader();
}

absl::StatusOr<LoadedImage> LoadImage(const ImageReadFn& read) {
  ImageInput input(read);
  absl::StatusOr<ImageHeader> header = input.ReadHeader();
  if (!header.ok()) return WithOffset(header.status(), 0);
  ImageLoader loader;
  RETURN_IF_ERROR(
      ForEachRecord(input, [&](v1::ImageRecord& record) { return loader.Add(record); }));
  ASSIGN_OR_RETURN(FsState state, loader.Finish(header->txid));
  if (state.digest() != header->digest) {
    return DamagedImage("its content has digest {}, its header says {}", ToHex(state.digest()),
                        ToHex(header->digest));
  }
  return LoadedImage{*std::move(header), std::move(state)};
}

absl::Status DumpImage(const ImageReadFn& read,
                       const std::function<absl::Status(std::string_view json)>& line) {
  ImageInput input(read);
  ASSIGN_OR_RETURN(const ImageHeader header, input.ReadHeader());
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
