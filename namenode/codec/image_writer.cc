#include <zstd.h>

#include <memory>
#include <string>

#include "common/crc32c.h"
#include "common/status.h"
#include "namenode/codec/image.h"
#include "namenode/codec/image_format.h"
#include "namenode/codec/records.h"
#include "namenode/namespace/state_builder.h"

namespace cairn::namenode {
namespace {

constexpr int kZstdLevel = 1;

// Collects records into pieces. The first error stays; what follows it is dropped.
class PieceWriter {
 public:
  explicit PieceWriter(const ImageWriteFn& write) : write_(write) {}

  void Add(const v1::ImageRecord& record) {
    if (!status_.ok()) return;
    AppendU32(static_cast<uint32_t>(record.ByteSizeLong()), &raw_);
    record.AppendToString(&raw_);
    ++records_;
    if (raw_.size() >= kPieceBytes) Flush();
  }

  absl::Status Finish() {
    v1::ImageRecord trailer;
    trailer.mutable_trailer()->set_records(records_);
    Add(trailer);
    if (!raw_.empty()) Flush();
    return status_;
  }

 private:
  void Flush() {
    stored_.resize(ZSTD_compressBound(raw_.size()));
    const size_t size =
        ZSTD_compress(stored_.data(), stored_.size(), raw_.data(), raw_.size(), kZstdLevel);
    if (ZSTD_isError(size)) {
      status_ = absl::InternalError(ZSTD_getErrorName(size));
      return;
    }
    stored_.resize(size);
    std::string head;
    AppendU32(static_cast<uint32_t>(raw_.size()), &head);
    AppendU32(static_cast<uint32_t>(size), &head);
    AppendU32(Crc32cExtend(Crc32c(head), stored_), &head);
    status_ = write_(head);
    if (status_.ok()) status_ = write_(stored_);
    raw_.clear();
  }

  const ImageWriteFn& write_;
  std::string raw_;
  std::string stored_;
  uint64_t records_ = 0;
  absl::Status status_;
};

absl::Status WriteHeader(const FsState& state, std::string_view cluster_id,
                         const ImageWriteFn& write) {
  v1::ImageHeader header;
  header.set_cluster_id(std::string(cluster_id));
  header.set_txid(state.applied_txid());
  const Digest digest = state.digest();
  header.set_digest_high(digest.high);
  header.set_digest_low(digest.low);
  std::string bytes(kImageMagic);
  AppendU32(kImageLayout, &bytes);
  AppendU32(static_cast<uint32_t>(header.ByteSizeLong()), &bytes);
  header.AppendToString(&bytes);
  AppendU32(Crc32c(bytes), &bytes);
  return write(bytes);
}

void WriteCounters(const FsState& state, PieceWriter& writer) {
  v1::ImageRecord record;
  v1::ImageCounters* proto = record.mutable_counters();
  proto->set_epoch(state.counters().epoch);
  proto->set_next_inode(state.counters().next_inode);
  proto->set_next_block(state.counters().next_block);
  proto->set_next_generation(state.counters().next_generation);
  proto->set_next_detached(state.counters().next_detached);
  proto->set_next_node(state.registry().next_node());
  proto->set_next_storage(state.registry().next_storage());
  writer.Add(record);
}

void WriteINode(const FsState& state, const INode& inode, PieceWriter& writer) {
  v1::ImageRecord record;
  v1::ImageINode* proto = record.mutable_inode();
  proto->set_id(inode.id());
  proto->set_parent(inode.parent());
  proto->set_name(std::string(inode.name()));
  proto->set_mtime_ms(inode.mtime_ms());
  proto->set_atime_ms(inode.atime_ms());
  proto->set_owner(inode.owner());
  proto->set_group(inode.group());
  proto->set_mode(inode.mode());
  if (inode.is_directory()) {
    const Quota quota = state.quotas().Of(inode.id());
    if (quota.names) proto->set_name_quota(*quota.names);
    if (quota.space) proto->set_space_quota(*quota.space);
  } else {
    proto->mutable_file()->set_block_size(inode.block_size());
    proto->mutable_file()->set_replication(inode.replication());
    if (const OpenState* open = state.FindOpenState(inode); open != nullptr) {
      SetClientId(open->holder, proto->mutable_file()->mutable_holder());
      proto->mutable_file()->set_unpublished(open->unpublished);
      proto->mutable_file()->set_min_replicas(open->min_replicas);
      proto->mutable_file()->set_appended(open->appended);
    }
  }
  writer.Add(record);
}

void WriteBlock(const BlockRecord& block, PieceWriter& writer) {
  v1::ImageRecord record;
  v1::ImageBlock* proto = record.mutable_block();
  proto->set_id(block.id);
  proto->set_inode(block.inode);
  proto->set_generation(block.generation);
  proto->set_length(block.length);
  proto->set_index(block.index);
  if (block.open) {
    proto->set_open(true);
    proto->mutable_pipeline()->Add(block.open->pipeline.begin(), block.open->pipeline.end());
    proto->set_recovery(block.open->recovery);
    proto->set_cut(block.open->cut);
    proto->set_untouched(block.open->untouched);
  }
  writer.Add(record);
}

void WriteNode(const FsState& state, const NodeEntry& node, PieceWriter& writer) {
  v1::ImageRecord record;
  v1::ImageNode* proto = record.mutable_node();
  proto->set_number(node.number);
  proto->set_id(node.id);
  proto->set_rack(node.rack);
  proto->set_admin_state(static_cast<uint32_t>(node.admin));
  for (const StorageNumber number : node.storages) {
    v1::StorageRecord* storage = proto->add_storages();
    storage->set_number(number);
    storage->set_id(state.registry().FindStorage(number)->id);
  }
  writer.Add(record);
}

void WriteRetryWindow(const ClientId& client, const RetryCache::Window& window,
                      PieceWriter& writer) {
  v1::ImageRecord record;
  v1::ImageRetryWindow* proto = record.mutable_retry();
  SetClientId(client, proto->mutable_client());
  proto->set_floor(window.floor);
  proto->set_idle_since_ms(window.idle_since_ms);
  for (const auto& [call_id, entry] : window.calls) {
    v1::ImageRetryWindow::Call* call = proto->add_calls();
    call->set_call_id(call_id);
    call->set_txid(entry.txid());
    call->set_time_ms(entry.time_ms());
    SetAnswer(entry.answer(), call);
  }
  writer.Add(record);
}

}  // namespace

absl::Status SaveImage(const FsState& state, std::string_view cluster_id,
                       const ImageWriteFn& write) {
  RETURN_IF_ERROR(WriteHeader(state, cluster_id, write));
  PieceWriter writer(write);
  WriteCounters(state, writer);
  for (PrincipalId id = 0; id < state.principals(); ++id) {
    v1::ImageRecord record;
    record.set_principal(state.PrincipalName(id));
    writer.Add(record);
  }
  state.ForEachINode([&](const INode& inode) { WriteINode(state, inode, writer); });
  state.ForEachBlockMeta(
      [&](BlockId id, const BlockMeta& meta) { WriteBlock(RecordOf(state, id, meta), writer); });
  for (const auto& [place, root] : state.detached()) {
    v1::ImageRecord record;
    record.mutable_detached()->set_place(place);
    record.mutable_detached()->set_root(root);
    writer.Add(record);
  }
  state.registry().ForEachNode([&](const NodeEntry& node) { WriteNode(state, node, writer); });
  state.retry_cache().ForEachWindow([&](const ClientId& client, const RetryCache::Window& window) {
    WriteRetryWindow(client, window, writer);
  });
  return writer.Finish();
}

}  // namespace cairn::namenode
